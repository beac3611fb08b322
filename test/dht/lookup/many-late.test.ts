import { expect, it } from "vitest";
import { growByJoining } from "../../../src/testing/swarm/grow.ts";
import { Swarm, type SwarmNode } from "../../../src/testing/swarm/swarm.ts";

const NODES = 60;
const RECORDS = 60;

interface Gets {
  readonly asked: number;
  /** How long they took, the shortest first. */
  readonly tookMs: readonly number[];
}

/** One node of a network gets all records, one after the other. */
class Gatherer {
  readonly swarm: Swarm;
  readonly keys: readonly Uint8Array[];

  constructor(seed: number) {
    this.swarm = new Swarm({ seed, recordRule: () => 1 });
    growByJoining(this.swarm, NODES);
    this.swarm.advance(30_000);
    this.keys = Array.from({ length: RECORDS }, () => {
      const key = this.swarm.random.bytes(32);
      const value = { kind: "record", ttlSeconds: 86_400, bytes: key } as const;
      this.swarm.run(this.#other(1), (operation) => ({ kind: "put", operation, key, value }));
      return key;
    });
    this.swarm.advance(5_000);
  }

  getAll(): Gets {
    let asked = 0;
    const tookMs = this.keys.map((key) => {
      const ended = this.swarm.run(this.#other(0), (operation) => {
        return { kind: "get", operation, key, valueKind: "record" };
      });
      if (ended.result?.kind !== "found") throw new Error("a record is lost");
      asked += ended.result.asked;
      return ended.tookMs;
    });
    return { asked, tookMs: tookMs.toSorted((a, b) => a - b) };
  }

  /** Every other node says nothing more. */
  silence(): void {
    for (let at = 2; at < NODES; at += 2) this.swarm.stop(this.#other(at));
  }

  #other(at: number): SwarmNode {
    const node = this.swarm.nodes[at];
    if (node === undefined) throw new Error("a smaller network");
    return node;
  }
}

it("a get relies on the closest node alone while nobody is late, not once many are", () => {
  const all = { asked: 0, calm: 0, late: 0 };
  for (const seed of [1, 2, 3, 4, 5]) {
    const gatherer = new Gatherer(seed);
    const calm = gatherer.getAll();
    all.asked += calm.asked;
    gatherer.silence();
    const silent = gatherer.getAll();
    const at = Math.floor(0.9 * RECORDS);
    all.calm += calm.tookMs[at] ?? 0;
    all.late += silent.tookMs[at] ?? 0;
  }
  expect(all.asked / (5 * RECORDS)).toBeLessThan(1.1);
  // Nine in ten wait for nobody who says nothing.
  expect(all.late / all.calm).toBeLessThan(1.2);
});
