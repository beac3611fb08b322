import { describe, expect, it } from "vitest";
import { SeededRandom } from "../../../src/base/index.ts";
import { isSameNode } from "../../../src/identity/index.ts";
import { epochOf } from "../../../src/onion/packet/key-ring.ts";
import {
  chooseRoute,
  type OnionPeer,
  peerOf,
  type Route,
  type RouteRules,
} from "../../../src/onion/route/route.ts";
import { UNIX_MS } from "../fixtures.ts";
import { descriptorOf } from "./descriptors.ts";

const DRAWN = 6_000;
const EPOCH = epochOf(UNIX_MS);

/** Relays and exits, each in a network of its own. */
const honest = Array.from({ length: 40 }, (_, i) => peerOf(descriptorOf(i + 1)));
const guards = honest.slice(0, 3);
const own = guards[0]?.id ?? new Uint8Array(32);

/** The first guard and the last four nodes are of one owner. */
const isBad = (id: Uint8Array, peers: readonly OnionPeer[]): boolean =>
  peers.slice(-4).some((peer) => isSameNode(peer.id, id));

function draw(
  peers: readonly OnionPeer[],
  more: Partial<RouteRules> = {},
  count: number = DRAWN,
): Route[] {
  const random = new SeededRandom(7);
  const rules: RouteRules = {
    self: new Uint8Array(32),
    epoch: EPOCH,
    relays: 3,
    guards: guards.map(({ id }) => id),
    isDiverse: true,
    isExcluded: () => false,
    isAvoided: () => false,
    isEdgeAvoided: () => false,
    ...more,
  };
  return Array.from({ length: count }, () => {
    const route = chooseRoute(peers, rules, random);
    if (route === undefined) throw new Error("there are routes");
    return route;
  });
}

/** The part of all routes of which the owner has both ends, or the last two hops. */
function shares(peers: readonly OnionPeer[]): { ends: number; last: number } {
  let [ends, last] = [0, 0];
  for (const { hops } of draw(peers)) {
    const [first, middle, exit] = hops;
    if (first === undefined || middle === undefined || exit === undefined)
      throw new Error("3 hops");
    if (!isBad(exit.id, peers)) continue;
    if (isSameNode(first.id, own)) ends += 1;
    if (isBad(middle.id, peers)) last += 1;
  }
  return { ends: ends / DRAWN, last: last / DRAWN };
}

/** What the owner's nodes say of their networks. */
function claiming(at: (index: number) => boolean, prefixes: readonly string[]): OnionPeer[] {
  return honest.map((peer, i) =>
    at(i) ? { ...peer, prefixes: [...peer.prefixes, ...prefixes] } : peer,
  );
}

describe("an owner of a guard and of some exits", () => {
  const fair = shares(honest);

  it("has as much as his nodes are of all, where they claim what is theirs", () => {
    expect(fair.ends).toBeGreaterThan(0.02);
    expect(fair.ends).toBeLessThan(0.05);
  });

  it("has both ends no more often by exits that claim the networks of other guards", () => {
    const peers = claiming(
      (i) => i >= 36,
      guards.slice(1).flatMap(({ prefixes }) => prefixes),
    );
    expect(shares(peers).ends).toBeLessThan(1.3 * fair.ends);
  });

  it("has the last two hops no more often by an exit that claims all networks but his", () => {
    const others = honest.slice(1, 36).flatMap(({ prefixes }) => prefixes);
    const peers = claiming((i) => i === 36, others);
    expect(shares(peers).last).toBeLessThan(1.2 * fair.last);
    expect(shares(peers).ends).toBeLessThan(1.3 * fair.ends);
  });

  it("has the guard in no more of the calls to a node that claims many networks", () => {
    const claimed = [30, 31, 32, 33, 34, 35, 2, 3].map((i) => `10.0.${i}.9`);
    const destination = peerOf(descriptorOf(50, { hosts: claimed }));
    const routes = draw(honest, { destination, relays: 2 });
    const first = routes.filter(({ hops: [hop] }) => hop !== undefined && isSameNode(hop.id, own));
    expect(first.length / DRAWN).toBeLessThan(0.4);
  });
});

describe("routes where most nodes are in one network", () => {
  it("are found all the same", () => {
    const crowd = Array.from({ length: 600 }, (_, i) =>
      peerOf(descriptorOf(100 + i, { host: `192.0.2.${i % 256}` })),
    );
    for (const { hops } of draw([...honest.slice(0, 3), ...crowd], {}, 50)) {
      expect(hops).toHaveLength(3);
    }
  });
});
