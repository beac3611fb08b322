import { expect, it } from "vitest";
import { PeerLinks, Requests } from "../../src/rpc/index.ts";
import { type LinkNode, LinkWorld } from "../link/link-world.ts";

/** Longer than a connection, and then a link, is kept idle. */
const LONG_MS = 1_300_000;

it.each([1, 2, 3])(
  "two that have dialled each other at once keep no link, seed %i",
  async (seed) => {
    const world = new LinkWorld({ seed, line: { delayMs: 20 * seed } });
    const nodes = [await world.add("192.0.2.1"), await world.add("192.0.2.2")] as const;
    const askedBy = ({ host }: LinkNode, to: LinkNode): (() => Promise<Uint8Array>) => {
      const dial = () => host.dial({ id: to.host.id, addresses: to.host.addresses });
      const onLink: LinkNode["host"]["onLink"] = (listener) => host.onLink(listener);
      const { clock } = world;
      const carrier = new PeerLinks({ dial, onLink }, { clock });
      const requests = new Requests({ carrier, handler: ({ body }) => body, clock });
      return () => requests.request(to.host.id, "ask", new Uint8Array(1));
    };
    const asks = [askedBy(...nodes), askedBy(nodes[1], nodes[0])];
    for (let round = 0; round < 3; round++) await world.run(Promise.all(asks.map((ask) => ask())));
    const links = (): number[] => nodes.map(({ host }) => host.links().length);
    expect(links()).toEqual([2, 2]);
    await world.pass(LONG_MS);
    expect(links()).toEqual([0, 0]);
    await world.close();
  },
);
