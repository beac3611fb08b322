import { SeededRandom } from "../../src/base/index.ts";
import type { StreamEffect } from "../../src/stream/exchange/protocol.ts";
import {
  type CreateSubject,
  placeKey,
  type Rule,
  type SubjectInit,
  type WorldPlan,
  writeAtOnce,
} from "../../src/testing/world/index.ts";
import { type Tamper, tampered } from "./tamper.ts";

/** A planted bug, and the rule by which the oracles must notice it. */
export interface Canary {
  readonly bug: string;
  readonly rule: Rule;
  readonly plant: (create: CreateSubject) => CreateSubject;
  /** What the bug needs to show itself, besides the plan that all canaries share. */
  readonly plan?: Partial<WorldPlan>;
}

function bug(plant: (init: SubjectInit) => Tamper): Canary["plant"] {
  return (create) => tampered(create, plant);
}

/** Changes the `nth` effect of one kind, counted from 1. */
function atNth<K extends StreamEffect["kind"]>(
  kind: K,
  nth: number,
  change: (effect: Extract<StreamEffect, { kind: K }>) => readonly StreamEffect[],
): Canary["plant"] {
  return bug(() => {
    let seen = 0;
    const isOfKind = (effect: StreamEffect): effect is Extract<StreamEffect, { kind: K }> =>
      effect.kind === kind;
    return {
      effect: (effect) => {
        if (!isOfKind(effect)) return [effect];
        seen += 1;
        return seen === nth ? change(effect) : [effect];
      },
    };
  });
}

const SLOW_READER = { writer: writeAtOnce(0), reader: { takeMsMean: 5_000 } };

/** Every rule that a core can break is broken by at least one of these. */
export const CANARIES: readonly Canary[] = [
  {
    bug: "delivers a piece twice",
    rule: "duplicate",
    plant: atNth("deliver", 3, (effect) => [effect, effect]),
  },
  {
    bug: "swallows a piece",
    rule: "order",
    plant: atNth("deliver", 3, () => []),
  },
  {
    bug: "swaps two bytes",
    rule: "content",
    plant: atNth("deliver", 2, (effect) => {
      const [first = 0, second = 0] = effect.bytes;
      return [{ ...effect, bytes: Uint8Array.of(second, first, ...effect.bytes.subarray(2)) }];
    }),
  },
  {
    bug: "ends too early",
    rule: "end",
    plant: atNth("deliver", 2, (effect) => [effect, { kind: "delivered-end", length: 10 }]),
  },
  {
    bug: "leaves before its journal knows that it is done",
    rule: "unfinished",
    plant: bug(() => {
      let before: Uint8Array | undefined;
      return {
        effect: (effect) => {
          if (effect.kind !== "journal") return [effect];
          const head = before ?? effect.changes.head;
          before = effect.changes.head;
          return [{ ...effect, changes: { ...effect.changes, head } }];
        },
      };
    }),
  },
  {
    bug: "acknowledges what was fetched and not taken",
    rule: "early-acknowledgement",
    plan: { b: SLOW_READER },
    plant: bug(() => ({
      effect: (effect, tell) => {
        if (effect.kind === "deliver") {
          tell({ kind: "taken", offset: effect.offset + effect.bytes.length });
        }
        return [effect];
      },
    })),
  },
  {
    bug: "takes back what it had told to be stored, while it puts that again",
    rule: "figures",
    plan: { b: { reader: { takeMsMean: 5_000 } } },
    plant: bug(() => {
      let looks = 0;
      return {
        progress: (progress) => {
          looks += 1;
          const { acknowledgedBytes: storedBytes } = progress;
          return looks % 3 === 0 ? { ...progress, storedBytes } : progress;
        },
      };
    }),
  },
  {
    bug: "tells more to be stored after a crash than it had known before",
    rule: "figures",
    plan: { crashes: { at: crashOfA } },
    plant: bug(({ side, head }) => ({
      progress: (progress) =>
        side === "a" && head !== undefined
          ? { ...progress, storedBytes: progress.framedBytes + 1 }
          : progress,
    })),
  },
  {
    bug: "delivers far ahead of the application",
    rule: "memory",
    plan: { b: { ...SLOW_READER, reader: { takeMsMean: 60_000, untakenBytesMax: 2_000 } } },
    plant: (create) => create,
  },
  {
    bug: "holds more frames than it may",
    rule: "memory",
    plan: { framesInMemoryMax: 8 },
    plant: (create) => create,
  },
  {
    bug: "never puts a frame again",
    rule: "hang",
    plan: { limitMs: 3_600_000 },
    plant: bug(() => {
      const seen = new Set<string>();
      return {
        effect: (effect) => {
          if (effect.kind !== "put") return [effect];
          const key = placeKey(effect.frameId);
          if (seen.has(key)) return [];
          seen.add(key);
          return [effect];
        },
      };
    }),
  },
  {
    bug: "asks without a pause",
    rule: "hang",
    plan: { limitEvents: 4_000 },
    plant: atNth("get", 5, (effect) => Array.from({ length: 5_000 }, () => effect)),
  },
  {
    bug: "draws one nonce for ever",
    rule: "nonce-reused",
    plant: (create) => (init) => {
      const stuck = new SeededRandom(1);
      stuck.bytes = (length) => new Uint8Array(length).fill(7);
      return create({ ...init, random: stuck });
    },
  },
  {
    bug: "seals frames again after a crash",
    rule: "frame-reused",
    plan: { crashes: { at: crashOfA } },
    plant: (create) => (init) => create(init.side === "a" ? { ...init, head: undefined } : init),
  },
  {
    bug: "puts before the journal is durable",
    rule: "frame-reused",
    plan: { crashes: { at: crashOfA }, commitMsMax: 4_000 },
    plant: bug(() => ({
      input: (input) => (input.kind === "journaled" ? [] : [input]),
      effect: (effect, tell) => {
        if (effect.kind === "journal") tell({ kind: "journaled", commit: effect.commit });
        return [effect];
      },
    })),
  },
  {
    bug: "forgets after a crash what it has not delivered",
    rule: "loss",
    plan: { b: SLOW_READER, crashes: { at: crashOfB } },
    plant: (create) => (init) => {
      const inner = create(init);
      if (init.side === "b" && init.head !== undefined) {
        Object.defineProperty(inner, "readOffset", { value: inner.readOffset + 500 });
      }
      return inner;
    },
  },
  {
    bug: "cuts the padding off",
    rule: "cell-length",
    plant: atNth("put", 4, (effect) => [{ ...effect, cell: effect.cell.subarray(1) }]),
  },
  {
    bug: "sends twice as fast as it may",
    rule: "pace",
    plan: { pace: { meanMs: 1_000 } },
    plant: (create) => create,
  },
  {
    bug: "goes on after it is done",
    rule: "after-the-end",
    plant: atNth("done", 1, (effect) => [effect, effect]),
  },
  {
    bug: "gives up",
    rule: "failure",
    plant: atNth("put", 6, () => [{ kind: "fail", code: "CULVERT_TIMEOUT", message: "tired" }]),
  },
  {
    bug: "throws",
    rule: "throw",
    plant: atNth("put", 6, () => {
      throw new TypeError("undefined is not a function");
    }),
  },
  {
    bug: "keeps the peer awake",
    rule: "idle",
    plan: {
      a: { writer: writeAtOnce(3_000, "never") },
      b: { writer: writeAtOnce(0, "never") },
      goal: "acknowledged",
      idle: { settleMs: 60_000, watchMs: 600_000 },
    },
    plant: bug(() => {
      let put: StreamEffect | undefined;
      return {
        effect: (effect) => {
          if (effect.kind === "put") put = effect;
          return effect.kind === "get" && put !== undefined ? [effect, put] : [effect];
        },
      };
    }),
  },
];

function crashOfA(
  side: string,
  point: number,
): { downMs: number; restoresBackup: false } | undefined {
  return side === "a" && point === 100 ? { downMs: 500, restoresBackup: false } : undefined;
}

function crashOfB(
  side: string,
  point: number,
): { downMs: number; restoresBackup: false } | undefined {
  return side === "b" && point === 100 ? { downMs: 500, restoresBackup: false } : undefined;
}
