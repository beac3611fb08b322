import { describe, expect, it } from "vitest";
import { SeededRandom } from "../../../src/base/index.ts";
import { NodeIdentity } from "../../../src/identity/index.ts";
import type { LinkHost, LinkStream } from "../../../src/link/index.ts";
import { CALL_PROTOCOL, encodeFrame, RELAY_PROTOCOL } from "../../../src/link/relay/frames.ts";
import { RelayClient } from "../../../src/link/relay/relay-client.ts";
import { RelayService } from "../../../src/link/relay/relay-service.ts";
import { type LinkNode, LinkWorld } from "../link-world.ts";

const CALLS = 20;
const AHEAD_BYTES = 60_000;
const declined = encodeFrame({ kind: "refused", reason: "declined" });

/** The streams that the handlers of a host are given from now on. */
function streamsOf(host: LinkHost): LinkStream[] {
  const streams: LinkStream[] = [];
  const handle = host.handle.bind(host);
  host.handle = (protocol, onStream) =>
    handle(protocol, (stream, link) => {
      streams.push(stream);
      onStream(stream, link);
    });
  return streams;
}

/** Says something on many streams, and much more behind it; what is answered on each. */
async function flood(
  world: LinkWorld,
  [from, to]: readonly [LinkNode, LinkNode],
  { protocol, first, isEnding }: { protocol: string; first: Uint8Array; isEnding: boolean },
): Promise<Uint8Array[]> {
  const link = await world.dial(from, to);
  const answers: Uint8Array[] = [];
  for (let at = 0; at < CALLS; at++) {
    const stream = await world.run(link.openStream(protocol));
    stream.on("error", () => {});
    stream.on("data", (bytes: Uint8Array) => answers.push(new Uint8Array(bytes)));
    stream.write(first);
    stream.write(new Uint8Array(AHEAD_BYTES));
    if (isEnding) stream.end();
  }
  await world.pass(5_000);
  return answers;
}

const kept = (streams: readonly LinkStream[]): number =>
  streams.filter(({ destroyed }) => !destroyed).length;

describe.each([true, false])("a caller who sends ahead and is refused (ending: %s)", (isEnding) => {
  it("leaves nothing behind at a holder that declines the call", async () => {
    const world = new LinkWorld();
    const [holder, rude] = [await world.add("192.0.2.1"), await world.add("192.0.2.2")];
    const streams = streamsOf(holder.host);
    const client = new RelayClient({ host: holder.host, clock: world.clock });
    const first = encodeFrame({ kind: "call", caller: new Uint8Array(32) });
    const answers = await flood(world, [rude, holder], {
      protocol: CALL_PROTOCOL,
      first,
      isEnding,
    });
    expect(answers).toEqual(Array.from({ length: CALLS }, () => declined));
    expect([streams.length, kept(streams)]).toEqual([CALLS, 0]);
    client.close();
    await world.close();
  });

  it("leaves nothing behind at the relay", async () => {
    const world = new LinkWorld();
    const { clock } = world;
    const [relay, holder] = [await world.add("192.0.2.1"), await world.add("192.0.2.2")];
    const rude = await world.add("192.0.2.3");
    const streams = streamsOf(relay.host);
    // As the world makes it for its first node.
    const identity = new NodeIdentity(new SeededRandom(1_000).bytes(32));
    const service = new RelayService({ host: relay.host, identity, clock });
    const client = new RelayClient({ host: holder.host, clock, accepts: () => false });
    client.keepPlace({ id: relay.host.id, addresses: relay.host.addresses });
    await world.pass(2_000);
    const first = encodeFrame({ kind: "connect", target: holder.host.id });
    const answers = await flood(world, [rude, relay], {
      protocol: RELAY_PROTOCOL,
      first,
      isEnding,
    });
    expect(answers).toHaveLength(CALLS);
    // The one more is that of the holder, who has a place here.
    expect([streams.length, kept(streams)]).toEqual([CALLS + 1, 1]);
    service.close();
    client.close();
    await world.close();
  });
});
