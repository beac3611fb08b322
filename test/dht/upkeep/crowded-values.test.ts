import { expect, it } from "vitest";
import { equalBytes } from "../../../src/base/index.ts";
import { crypto } from "../../../src/crypto/index.ts";
import type { RecordRule } from "../../../src/dht/index.ts";
import { fillTables } from "../../../src/testing/swarm/grow.ts";
import { Swarm, type SwarmNode } from "../../../src/testing/swarm/swarm.ts";

const HASHED: RecordRule = (key, bytes) => {
  return equalBytes(crypto().sha256(bytes), key) ? 1 : undefined;
};
const NODES = 120;
const CROWD = 60;
const REPAIR_MS = 120_000;

it("a value has keepers beyond ids that came around its key, while others leave", () => {
  const swarm = new Swarm({ seed: 5, recordRule: HASHED, limits: { repairMs: REPAIR_MS } });
  for (let i = 0; i < NODES; i++) swarm.add();
  fillTables(swarm, 2 * NODES, 20);
  for (const node of swarm.nodes) swarm.tell(node, { kind: "start", bootstrap: [] });
  const bytes = swarm.random.bytes(200);
  const key = crypto().sha256(bytes);
  const value = { kind: "record", ttlSeconds: 86_400, bytes } as const;
  swarm.run(swarm.pick(), (operation) => ({ kind: "put", operation, key, value }));
  swarm.advance(5_000);
  const crowd = Array.from({ length: CROWD }, () => {
    const id = key.slice();
    id.set(swarm.random.bytes(28), 4);
    return swarm.add({ id });
  });
  const contacts = crowd.map(({ contact }) => contact);
  for (const liar of crowd) {
    liar.behaviour = (request) => {
      if (request.kind === "ping") return { kind: "pong" };
      if (request.kind === "store") return { kind: "stored", ttlSeconds: 86_400 };
      return { kind: "nodes", contacts: contacts.slice(0, 20) };
    };
  }
  for (const node of swarm.nodes) {
    for (const contact of contacts) swarm.tell(node, { kind: "met", contact });
  }
  const isHonest = ({ behaviour }: SwarmNode): boolean => behaviour === undefined;
  const keepers = (): SwarmNode[] => {
    const request = { kind: "find-value", key, near: key, valueKind: "record" } as const;
    return swarm.nodes.filter((node) => {
      if (!(node.isAlive && isHonest(node))) return false;
      return swarm.probe(node, node, request).kind === "value";
    });
  };
  // Two leave at a time, and others come about where they were.
  for (let round = 0; round < 11; round++) {
    for (const gone of keepers().slice(0, 2)) {
      swarm.stop(gone);
      const id = swarm.random.bytes(32);
      id.set(gone.id.subarray(0, 1));
      const bootstrap = [swarm.pick(isHonest).contact];
      swarm.tell(swarm.add({ id }), { kind: "start", bootstrap });
    }
    swarm.advance(2 * REPAIR_MS);
  }
  const { result } = swarm.run(swarm.pick(isHonest), (operation) => {
    return { kind: "get", operation, key, valueKind: "record" };
  });
  expect(result?.kind).toBe("found");
});
