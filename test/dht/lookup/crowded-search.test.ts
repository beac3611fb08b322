import { expect, it } from "vitest";
import type { Contact } from "../../../src/dht/index.ts";
import { sortByDistance } from "../../../src/dht/table/closest.ts";
import { keyOf } from "../../../src/dht/wire/key.ts";
import { fillTables } from "../../../src/testing/swarm/grow.ts";
import { Swarm, type SwarmNode } from "../../../src/testing/swarm/swarm.ts";

const NODES = 1_000;
const CROWD = 80;
/** Who keeps a record of the Map where nobody crowds. */
const KEEPERS = 5;

const isHonest = ({ behaviour }: SwarmNode): boolean => behaviour === undefined;

/** Nodes whose tables have buckets, and ids around a key that tell of so many of each other. */
function crowded(seed: number, told: number): { swarm: Swarm; target: Uint8Array } {
  const swarm = new Swarm({ seed, limits: { wholeTableMax: 100, farBucketSize: 64 } });
  for (let i = 0; i < NODES; i++) swarm.add();
  fillTables(swarm, 64, 20);
  for (const node of swarm.nodes) swarm.tell(node, { kind: "start", bootstrap: [] });
  const target = swarm.random.bytes(32);
  const crowd = Array.from({ length: CROWD }, () => {
    const id = target.slice();
    id.set(swarm.random.bytes(28), 4);
    return swarm.add({ id });
  });
  for (const liar of crowd) {
    liar.behaviour = (request) => {
      if (request.kind === "ping") return { kind: "pong" };
      const from = swarm.random.below(CROWD - told);
      return { kind: "nodes", contacts: crowd.slice(from, from + told).map((one) => one.contact) };
    };
  }
  for (const node of swarm.nodes) {
    for (const { contact } of crowd) swarm.tell(node, { kind: "met", contact });
  }
  return { swarm, target };
}

function find(swarm: Swarm, target: Uint8Array): readonly Contact[] {
  const { result } = swarm.run(swarm.pick(isHonest), (operation) => {
    return { kind: "find", operation, target, count: 20 };
  });
  return result?.kind === "nodes" ? result.contacts : [];
}

it.each([20, 7])("finds the honest ones right beside a crowd that tells of %d", (told) => {
  let [found, searches] = [0, 0];
  for (let seed = 1; seed <= 3; seed++) {
    const { swarm, target } = crowded(seed, told);
    const honest = swarm.nodes.filter(isHonest).map(({ contact }) => contact);
    const keepers = sortByDistance(keyOf(target), honest).slice(0, KEEPERS);
    for (let i = 0; i < 10; i++) {
      const nodes = new Set(find(swarm, target).map(({ key }) => key));
      found += keepers.filter(({ key }) => nodes.has(key)).length;
      searches += 1;
    }
  }
  expect(found / (KEEPERS * searches)).toBeGreaterThan(0.8);
});
