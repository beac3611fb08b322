import { describe, test } from "vitest";
import { PeerLinks } from "../../src/rpc/index.ts";
import { rpcCompliance, VirtualClock } from "../../src/testing/index.ts";
import { MemoryLinks } from "./memory-links.ts";

describe("over links in memory", () => {
  rpcCompliance(test, async () => {
    const clock = new VirtualClock();
    const network = new MemoryLinks();
    const [a, b] = [network.join(), network.join()].map((node) => {
      const links = new PeerLinks(node, { clock });
      return { id: node.id, carrier: links, streams: links };
    });
    if (a === undefined || b === undefined) throw new Error("two nodes joined");
    const elapse = <T>(promise: Promise<T>): Promise<T> => clock.runPromise(promise, 3_600_000);
    return { a, b, clock, elapse, teardown: async () => {} };
  });
});
