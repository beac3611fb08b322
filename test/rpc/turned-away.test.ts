import { expect, it } from "vitest";
import { PeerLinks, Requests } from "../../src/rpc/index.ts";
import { type LinkNode, LinkWorld } from "../link/link-world.ts";

it("requests that were given up while they waited hold up no other", async () => {
  const world = new LinkWorld({ seed: 3, line: { bytesPerSecond: 100_000 } });
  const nodes = [await world.add("192.0.2.1"), await world.add("192.0.2.2")] as const;
  const requestsOf = ({ host }: LinkNode, to: LinkNode): Requests => {
    const dial = () => host.dial({ id: to.host.id, addresses: to.host.addresses });
    const onLink: LinkNode["host"]["onLink"] = (listener) => host.onLink(listener);
    const { clock } = world;
    const carrier = new PeerLinks({ dial, onLink }, { clock });
    return new Requests({ carrier, handler: () => new Uint8Array(1), clock });
  };
  const [asking, serving] = [requestsOf(...nodes), requestsOf(nodes[1], nodes[0])];
  const ask = (bytes: number, signal?: AbortSignal) =>
    asking.request(nodes[1].host.id, "ask", new Uint8Array(bytes), { signal });
  await world.run(ask(1));
  // Half a minute's worth of this line.
  const givenUp = new AbortController();
  const large = Array.from({ length: 3 }, () => ask(1_000_000, givenUp.signal));
  const ended = Promise.allSettled(large);
  await world.pass(1_000);
  givenUp.abort();
  await world.run(ended);
  const from = world.clock.now();
  await world.run(ask(1));
  expect(world.clock.now() - from).toBeLessThan(15_000);
  await world.run(asking.close({ drainMs: 0 }));
  await world.run(serving.close({ drainMs: 0 }));
  await world.close();
});
