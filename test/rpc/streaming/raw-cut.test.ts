import { expect, it } from "vitest";
import { PeerLinks, RpcNode, raw, Service, TEXT } from "../../../src/rpc/index.ts";
import { VirtualClock } from "../../../src/testing/index.ts";
import { MemoryLinks } from "../memory-links.ts";

const METHODS = { tunnel: raw({ request: TEXT }) };

it.each(["at its deadline", "by a close"] as const)(
  "a raw call that is cut off %s does not end as if all was said",
  async (how) => {
    const clock = new VirtualClock();
    const network = new MemoryLinks();
    const [a, b] = [network.join(), network.join()];
    const nodeOf = (node: typeof a, service?: Service): RpcNode => {
      const links = new PeerLinks(node, { clock });
      return new RpcNode({ carrier: links, streams: links, clock, ...(service && { service }) });
    };
    const service = Service.of(
      METHODS,
      {
        tunnel: async (_greeting, accept) => {
          (await accept()).write(Uint8Array.of(1));
          await new Promise(() => {});
        },
      },
      { clock },
    );
    const [caller, server] = [nodeOf(a), nodeOf(b, service)];
    const call = caller.caller(METHODS, b.id).tunnel("", { totalMs: 1_000 });
    const stream = await clock.runPromise(call);
    const seen: string[] = [];
    stream.on("data", () => void seen.push("data"));
    stream.on("end", () => void seen.push("end"));
    stream.on("close", () => void seen.push("close"));
    stream.on("error", () => {});
    stream.resume();
    if (how === "by a close") await clock.runPromise(server.close({ drainMs: 0 }));
    await clock.runUntil(clock.now() + 2_000);
    expect(seen).toEqual(["data", "close"]);
    await clock.runPromise(Promise.all([caller, server].map((node) => node.close({ drainMs: 0 }))));
  },
);
