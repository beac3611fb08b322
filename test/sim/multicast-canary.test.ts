import { describe, expect, it } from "vitest";
import { SeededRandom } from "../../src/base/index.ts";
import type { Rule } from "../../src/testing/world/index.ts";
import {
  type MulticastPlan,
  type MulticastReport,
  runMulticast,
} from "./multicast/multicast-world.ts";
import type { FigureTamper, MulticastEffect, Tamper } from "./multicast/process.ts";

interface Canary {
  readonly bug: string;
  readonly rule: Rule;
  readonly tamper?: () => Tamper;
  readonly plan?: Partial<MulticastPlan>;
}

const PLAN: MulticastPlan = {
  seed: 1,
  cellBytes: 200,
  faults: { rttMs: 100, loss: 0.1 },
  writes: [
    { atMs: 0, bytes: 900 },
    { atMs: 1_000, bytes: 900 },
  ],
  ends: true,
  followers: [{ atMs: 0, from: "next" }],
  idle: { settleMs: 3_600_000, watchMs: 3_600_000 },
  limitMs: 24 * 3_600_000,
};

/** Changes the `nth` effect of one kind of one side, counted from 1. */
function atNth<K extends MulticastEffect["kind"]>(
  [side, kind, nth]: readonly ["a" | "b", K, number],
  change: (effect: Extract<MulticastEffect, { kind: K }>) => readonly MulticastEffect[],
): () => Tamper {
  return () => {
    let seen = 0;
    const isOfKind = (effect: MulticastEffect): effect is Extract<MulticastEffect, { kind: K }> =>
      effect.kind === kind;
    return (at, effect) => {
      if (at !== side || !isOfKind(effect)) return [effect];
      seen += 1;
      return seen === nth ? change(effect) : [effect];
    };
  };
}

/** Has one side tell every third time that a figure is 0. */
function fallOf(side: "a" | "b", name: string): FigureTamper {
  let looks = 0;
  return (at, figures) => {
    looks += 1;
    return at === side && looks % 3 === 0 ? { ...figures, [name]: 0 } : figures;
  };
}

/** Has the writer tell more after a crash than it can have known before. */
function boastAfterCrash(): Partial<MulticastPlan> {
  let hasCrashed = false;
  return {
    crashes: (point) => {
      if (point !== 30) return undefined;
      hasCrashed = true;
      return 500;
    },
    tamperFigures: (side, figures) => {
      const { framedBytes = 0 } = figures;
      return side === "a" && hasCrashed ? { ...figures, storedBytes: framedBytes + 1 } : figures;
    },
  };
}

const CANARIES: readonly Canary[] = [
  {
    bug: "a reader delivers a piece twice",
    rule: "duplicate",
    tamper: atNth(["b", "deliver", 3], (effect) => [effect, effect]),
  },
  {
    bug: "a reader swallows a piece",
    rule: "order",
    tamper: atNth(["b", "deliver", 3], () => []),
  },
  {
    bug: "a reader changes a byte",
    rule: "content",
    tamper: atNth(["b", "deliver", 3], (effect) => {
      const bytes = effect.bytes.slice();
      bytes[0] = (bytes[0] ?? 0) ^ 1;
      return [{ ...effect, bytes }];
    }),
  },
  {
    bug: "a reader ends too early",
    rule: "end",
    tamper: atNth(["b", "deliver", 2], (effect) => [
      effect,
      { kind: "delivered-end", length: effect.offset + effect.bytes.length },
    ]),
  },
  {
    bug: "a reader is done before the end",
    rule: "loss",
    tamper: atNth(["b", "deliver", 2], (effect) => [effect, { kind: "done" }]),
  },
  {
    bug: "a reader does not tell the end",
    rule: "loss",
    tamper: atNth(["b", "delivered-end", 1], () => []),
  },
  {
    bug: "a reader passes over what is there",
    rule: "loss",
    tamper: atNth(["b", "deliver", 3], (effect) => [
      { kind: "warning", code: "CULVERT_LAGGED", message: "", detail: { frames: 1 } },
      effect,
    ]),
  },
  {
    bug: "the writer never puts a frame again",
    rule: "failure",
    tamper: () => {
      const seen = new Set<string>();
      return (side, effect) => {
        if (side === "b" || effect.kind !== "put") return [effect];
        const key = effect.frameId.join();
        if (seen.has(key)) return [];
        seen.add(key);
        return [effect];
      };
    },
    plan: { faults: { rttMs: 100, loss: 0.4 } },
  },
  {
    bug: "the writer says that all is stored before it is put",
    rule: "early-acknowledgement",
    tamper: atNth(["a", "put", 1], (effect) => [{ kind: "all-stored" }, effect]),
  },
  {
    bug: "the writer seals a frame again",
    rule: "frame-reused",
    tamper: () => {
      const random = new SeededRandom(2);
      return (side, effect) =>
        side === "a" && effect.kind === "put"
          ? [effect, { ...effect, cell: random.bytes(effect.cell.length) }]
          : [effect];
    },
  },
  {
    bug: "the writer puts when nothing is to do",
    rule: "idle",
    tamper: () => (_side, effect) => [effect],
    plan: { broadcast: { refreshSeconds: 600 } },
  },
  {
    bug: "the writer takes back what it had told to be stored",
    rule: "figures",
    plan: { tamperFigures: fallOf("a", "storedBytes") },
  },
  {
    bug: "a reader takes back what it had told to be taken",
    rule: "figures",
    plan: { tamperFigures: fallOf("b", "takenBytes") },
  },
  {
    bug: "the writer tells more to be stored after a crash than it had known before",
    rule: "figures",
    plan: boastAfterCrash(),
  },
  {
    bug: "the writer forgets frames too early",
    rule: "failure",
    tamper: () => (_side, effect) => [effect],
    plan: {
      faults: { rttMs: 100, ttlSecondsMax: 600 },
      writes: [
        { atMs: 0, bytes: 3_000 },
        { atMs: 10_000_000, bytes: 3_000 },
      ],
      broadcast: { retainSeconds: 60 },
      followers: [
        {
          atMs: 0,
          from: "next",
          stall: { fromMs: 0, toMs: 10_000_000 },
          options: { receiveFramesMax: 4 },
        },
      ],
    },
  },
];

function run({ tamper, plan }: Canary): MulticastReport {
  return runMulticast({ ...PLAN, ...plan, ...(tamper && { tamper: tamper() }) });
}

describe("the multicast world catches", () => {
  it.each(CANARIES.map((canary) => [canary.bug, canary] as const))("%s", (_bug, canary) => {
    expect(run(canary).violation?.rule).toBe(canary.rule);
  });

  it("nothing where nothing is wrong, and the same twice", () => {
    const [one, two] = [runMulticast(PLAN), runMulticast(PLAN)];
    expect(one.violation).toBeUndefined();
    expect(two.traceHash).toBe(one.traceHash);
    expect(runMulticast({ ...PLAN, seed: 2 }).traceHash).not.toBe(one.traceHash);
  });
});
