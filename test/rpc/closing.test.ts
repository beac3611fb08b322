import { describe, expect, it } from "vitest";
import { PeerLinks, Requests } from "../../src/rpc/index.ts";
import { type LinkNode, LinkWorld } from "../link/link-world.ts";

/** Requests between two nodes over a real link; `answer` is what the second one says to all. */
async function askedNode(answer: () => Promise<Uint8Array>) {
  const world = new LinkWorld({ seed: 3, line: { bytesPerSecond: 1_000_000 } });
  const nodes = [await world.add("192.0.2.1"), await world.add("192.0.2.2")] as const;
  const requestsOf = ({ host }: LinkNode, to: LinkNode): Requests => {
    const dial = () => host.dial({ id: to.host.id, addresses: to.host.addresses });
    const onLink: LinkNode["host"]["onLink"] = (listener) => host.onLink(listener);
    const { clock } = world;
    const carrier = new PeerLinks({ dial, onLink }, { clock });
    return new Requests({ carrier, handler: answer, clock });
  };
  const [asking, serving] = [requestsOf(...nodes), requestsOf(nodes[1], nodes[0])];
  const ask = () => asking.request(nodes[1].host.id, "ask", new Uint8Array(1));
  return { world, asking, serving, ask, servingHost: nodes[1].host };
}

describe("requests that are closed gracefully", () => {
  it.each([10, 1_000_000])("give the answers that were begun, of %s bytes", async (bytes) => {
    const begun: ((reply: Uint8Array) => void)[] = [];
    const { world, asking, serving, ask, servingHost } = await askedNode(
      () => new Promise((resolve) => begun.push(resolve)),
    );
    const asked = Promise.all([ask(), ask(), ask()]);
    await world.pass(1_000);
    const closed = serving.close();
    for (const answer of begun) {
      answer(new Uint8Array(bytes));
      await world.pass(100);
    }
    await world.run(closed);
    const gone = servingHost.close({ graceful: true });
    expect((await world.run(asked)).map(({ length }) => length)).toEqual([bytes, bytes, bytes]);
    await world.run(gone);
    await world.run(asking.close({ drainMs: 0 }));
    await world.close();
  });
});
