import { expect, it } from "vitest";
import { equalBytes, SeededRandom } from "../../src/base/index.ts";
import { crypto } from "../../src/crypto/index.ts";
import type { Contact, RecordRule } from "../../src/dht/index.ts";
import { sortByDistance } from "../../src/dht/table/closest.ts";
import { byteText } from "../../src/dht/wire/key.ts";
import { growByJoining } from "../../src/testing/swarm/grow.ts";
import {
  type Behaviour,
  publicHost,
  Swarm,
  type SwarmNode,
} from "../../src/testing/swarm/swarm.ts";
import { contactAt } from "./nodes.ts";

const HASHED: RecordRule = (key, bytes) => {
  return equalBytes(crypto().sha256(bytes), key) ? 1 : undefined;
};
/** Names of ghosts for one key: more than a lookup keeps in sight (`candidatesMax`). */
const ANSWERS_MAX = 200;

/** Each answer names twenty that are closer than any before: one of the first two lives. */
class Ghosts {
  readonly #swarm: Swarm;
  readonly #dice = new SeededRandom(9);
  readonly #answers = new Map<string, number>();

  constructor(swarm: Swarm) {
    this.#swarm = swarm;
  }

  readonly lie: Behaviour = (request) => {
    if (request.kind === "ping") return { kind: "pong" };
    if (request.kind === "store") return { kind: "refused", reason: "full" };
    const key = request.kind === "find-node" ? request.target : request.key;
    const name = key.join();
    const answers = (this.#answers.get(name) ?? 0) + 1;
    this.#answers.set(name, answers);
    if (answers > ANSWERS_MAX) return { kind: "nodes", contacts: [] };
    const contacts = Array.from({ length: 20 }, (_, i) => this.#ghost(key, 20 * answers + i, i));
    return { kind: "nodes", contacts };
  };

  #ghost(key: Uint8Array, number: number, place: number): Contact {
    const id = key.slice();
    // The first two of an answer are closest: who crowds is believed so many.
    const distance = 60_000 - 10 * number - (place < 2 ? 200 : 0);
    id[2] = (key[2] ?? 0) ^ (distance >> 8);
    id[3] = (key[3] ?? 0) ^ (distance & 0xff);
    id.set(this.#dice.bytes(28), 4);
    const host = publicHost(2 ** 20 + this.#dice.below(2 ** 20));
    return place === 1
      ? this.#swarm.add({ id, host, behaviour: this.lie }).contact
      : contactAt(id, host);
  }
}

it.each([3, 6, 7])("ghosts closer than all who are there push nobody out: %d", (seed) => {
  const limits = { wholeTableMax: 40, farBucketSize: 40 };
  const swarm = new Swarm({ seed, recordRule: HASHED, limits });
  growByJoining(swarm, 160);
  swarm.advance(60_000);
  const bytes = swarm.random.bytes(60);
  const key = crypto().sha256(bytes);
  const value = { kind: "record", ttlSeconds: 86_400, bytes } as const;
  const all = [...swarm.nodes];
  const contacts = all.map(({ contact }) => contact);
  const near = sortByDistance(byteText(key), contacts).slice(0, 60);
  // The six closest lie: whoever looks for the key asks these first.
  const ghosts = new Ghosts(swarm);
  for (const node of all) {
    if (near.slice(0, 6).includes(node.contact)) node.behaviour = ghosts.lie;
  }
  const honest = all.filter(({ behaviour }) => behaviour === undefined);
  const far = honest.filter(({ contact }) => !near.includes(contact));
  const [writer, reader] = far;
  if (writer === undefined || reader === undefined) throw new Error("most are far");
  swarm.run(writer, (operation) => ({ kind: "put", operation, key, value }));
  swarm.advance(30_000);
  const isKept = (node: SwarmNode): boolean => {
    const request = { kind: "find-value", key, near: key, valueKind: "record" } as const;
    return swarm.probe(node, node, request).kind === "value";
  };
  expect(honest.filter(isKept).length).toBeGreaterThanOrEqual(14);
  const ask = (operation: number) =>
    ({ kind: "get", operation, key, valueKind: "record" }) as const;
  expect(swarm.run(reader, ask).result?.kind).toBe("found");
});
