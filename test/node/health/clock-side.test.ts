import { expect, it } from "vitest";
import { NodeDescriptor, NodeIdentity } from "../../../src/identity/index.ts";
import { clockSideOf } from "../../../src/node/health/clock-side.ts";
import { NODE_DEFAULTS } from "../../../src/node/index.ts";

const HOUR_MS = 3_600_000;
const NOON = 482_136;

/** A node with keys for these epochs, counted from noon. */
function nodeOf(number: number, ...epochs: number[]): NodeDescriptor {
  const publicKey = new Uint8Array(32).fill(1);
  return NodeDescriptor.sign(new NodeIdentity(new Uint8Array(32).fill(number)), {
    sequence: 1,
    expiresAtUnixS: (NOON + 3) * 3_600,
    roles: [],
    geometry: NODE_DEFAULTS.geometry,
    addresses: [],
    relays: [],
    onionKeys: epochs.map((epoch) => ({ epoch: NOON + epoch, publicKey })),
  });
}

/** Each in a network of its own. */
const apart = (nodes: readonly NodeDescriptor[]) =>
  nodes.map((node, network) => [node, network] as const);

it("a clock that is two hours off is seen at any minute, and one that is right at none", () => {
  for (let minute = 0; minute < 60; minute++) {
    const epochs = minute < 40 ? [0] : [0, 1];
    const nodes = [nodeOf(1, ...epochs), nodeOf(2, ...epochs), nodeOf(3)];
    const sideAt = (hours: number) => {
      return clockSideOf(apart(nodes), (NOON + minute / 60 + hours) * HOUR_MS);
    };
    const near = [-1.3, -1, 0, 1, 1.3];
    expect(near.map(sideAt), `minute ${minute}`).toEqual(near.map(() => undefined));
    expect([-9, -2].map(sideAt), `minute ${minute}`).toEqual(["behind", "behind"]);
    expect([2, 9].map(sideAt), `minute ${minute}`).toEqual(["ahead of", "ahead of"]);
  }
});

it("one node with a wrong clock says nothing, and who has no keys is not asked", () => {
  const nodes = [nodeOf(1, 0), nodeOf(2, 0), nodeOf(3, 9)];
  for (const some of [nodes, [nodeOf(1)], []]) {
    expect(clockSideOf(apart(some), NOON * HOUR_MS)).toBeUndefined();
  }
});
