import { beforeEach, describe, expect, it } from "vitest";
import { SeededRandom } from "../../src/base/index.ts";
import { NodeRequests } from "../../src/dht/placement/node-requests.ts";
import { PLACEMENT_LIMITS } from "../../src/dht/placement/placement-limits.ts";
import type { NodeAnswer } from "../../src/dht/placement/placement-protocol.ts";
import { contactAt, keyWith } from "./nodes.ts";

const { answerMs, rttInitialMs } = PLACEMENT_LIMITS;
const STORED = { kind: "stored", ttlSeconds: 60 } as const;
const NOT_FOUND = { kind: "failed", code: "CULVERT_NOT_FOUND" } as const;
const node = contactAt(keyWith(1));

let requests: NodeRequests;
let told: (string | NodeAnswer)[];
let effects: unknown[];

const owner = {
  late: () => void told.push("late"),
  answered: (_request: unknown, _node: unknown, answer: NodeAnswer) => void told.push(answer),
};

beforeEach(() => {
  [told, effects] = [[], []];
  const push = (effect: unknown) => void effects.push(effect);
  requests = new NodeRequests({ random: new SeededRandom(1), push }, PLACEMENT_LIMITS);
});

/** Asks the node at `now`; when it is late, unless it answers. */
function lateAt(now: number, { waitMs = 0 } = {}): { request: number; lateAt: number } {
  const effect = (request: number) => ({ kind: "abandon", request }) as const;
  const request = requests.ask(node, { owner, now, waitMs }, effect);
  return { request, lateAt: requests.deadline() };
}

/** How long the node is given once it has answered a request so after 20 ms, ten times. */
function patienceAfter(answer: NodeAnswer, { waitMs = 0 } = {}): number {
  for (let now = 0; now < 1_000; now += 100) {
    requests.answered(lateAt(now, { waitMs }).request, answer, now + 20);
  }
  return lateAt(10_000).lateAt - 10_000;
}

describe("a node that is asked", () => {
  it("is given less once it has answered fast", () => {
    expect(patienceAfter(STORED)).toBeLessThan(100);
  });

  it("has shown nothing of its speed by a get that may wait for its put, or by a failure", () => {
    expect(patienceAfter({ kind: "found" }, { waitMs: 1_000 })).toBe(rttInitialMs);
    expect(patienceAfter(NOT_FOUND)).toBe(rttInitialMs);
  });

  it("is late once, and has failed when its wait and the time for an answer are over", () => {
    const { request, lateAt: first } = lateAt(0, { waitMs: 1_000 });
    requests.timeout(first);
    expect([told, requests.deadline()]).toEqual([["late"], answerMs + 1_000]);
    requests.timeout(answerMs + 1_000);
    const timedOut = { kind: "failed", code: "CULVERT_TIMEOUT" };
    expect([told, requests.size]).toEqual([["late", timedOut], 0]);
    expect(effects).toContainEqual({ kind: "abandon", request });
    requests.answered(request, STORED, answerMs + 1_001);
    expect(told).toHaveLength(2);
  });
});
