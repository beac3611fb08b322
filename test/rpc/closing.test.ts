import { describe, expect, it } from "vitest";
import {
  PeerLinks,
  Requests,
  RpcNode,
  Service,
  type StreamCarrier,
  serverStream,
  TEXT,
  unary,
} from "../../src/rpc/index.ts";
import { STREAM_CALL_LIMITS } from "../../src/rpc/streaming/stream-limits.ts";
import { StreamService } from "../../src/rpc/streaming/stream-service.ts";
import { VirtualClock } from "../../src/testing/index.ts";
import { type LinkNode, LinkWorld } from "../link/link-world.ts";
import { MemoryExchange } from "./memory-carrier.ts";
import { MemoryStream } from "./memory-links.ts";

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

describe("a node that is closed gracefully", () => {
  it("makes no call any more, of no kind, while a stream is let end", async () => {
    const clock = new VirtualClock();
    const exchange = new MemoryExchange(clock);
    const [asking, serving] = [exchange.join(), exchange.join()];
    const manifest = {
      greet: unary({ request: TEXT, reply: TEXT }),
      tail: serverStream({ request: TEXT, down: TEXT }),
    };
    let end: () => void = () => {};
    const ended = new Promise<void>((resolve) => {
      end = resolve;
    });
    const service = Service.of(
      manifest,
      {
        greet: (name) => name,
        async *tail(line) {
          yield line;
          await ended;
        },
      },
      { clock },
    );
    const [mine, theirs] = MemoryStream.pair();
    const server = new StreamService(service, clock, STREAM_CALL_LIMITS);
    const streams: StreamCarrier = {
      openStream: async () => {
        void server.serve(asking.id, theirs);
        return mine;
      },
      onStream: () => {},
    };
    const node = new RpcNode({ carrier: asking.carrier, streams, clock });
    const other = new RpcNode({ carrier: serving.carrier, service, clock });
    const calls = node.caller(manifest, serving.id);
    const lines = calls.tail("a line");
    const next = () => clock.runPromise(lines.next(), 1_000);
    expect(await next()).toMatchObject({ value: "a line" });
    const closed = node.close();
    const late = calls.greet("Ada").catch((error: unknown) => error);
    expect(await clock.runPromise(late, 1_000)).toMatchObject({ code: "CULVERT_CLOSED" });
    end();
    expect(await next()).toMatchObject({ done: true });
    await clock.runPromise(closed, 1_000);
    await clock.runPromise(other.close({ drainMs: 0 }), 1_000);
  });
});
