import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isCulvertError, SeededRandom } from "../../../src/base/index.ts";
import {
  type CborInput,
  type CborValue,
  decodeCbor,
  encodeCbor,
} from "../../../src/codec/index.ts";
import { capabilitiesOf } from "../../../src/stream/duplex/assemble.ts";
import { INDEX_MAX } from "../../../src/stream/frame/frame.ts";
import {
  decodeState,
  decodeWholeState,
  encodeState,
  encodeWholeState,
  STATE_VERSION,
} from "../../../src/stream/saved/state-codec.ts";
import type { StreamState } from "../../../src/stream/state.ts";

const refused = expect.objectContaining({ code: "CULVERT_BAD_STATE" });
const random = new SeededRandom(1);
const KEYS = capabilitiesOf(random.bytes(32), "listener");
const CHAIN = KEYS.write.chain.toBytes();
/** A chain whose next index would be none. */
const ENDED = new Uint8Array(104).fill(0xff);

const STATE: StreamState = {
  cellBytes: 1_900,
  writeSeed: random.bytes(32),
  readRoot: KEYS.read.root,
  isDone: false,
  sender: {
    base: 3,
    next: 9,
    storedBelow: 5,
    expiresUnixMs: 1_700_000_000_000,
    acknowledgedBytes: 700,
    storedBytes: 900,
    short: [
      { index: 3, lackingBytes: 1 },
      { index: 7, lackingBytes: 1_828 },
    ],
    endIndex: 8,
    resetIndex: undefined,
    resetCode: undefined,
    creditLimit: 65_538,
    probes: [4, 7],
    mark: 99,
    chain: CHAIN,
    framer: { framedBytes: 1_000, endAsked: true, isEndFramed: true, waitingBytes: 5 },
  },
  receiver: {
    next: 4,
    nextOffset: 100,
    takenOffset: 150,
    mark: 2 ** 48 - 1,
    begun: { length: 20, first: 2, next: 4 },
    end: { index: 3, length: 100 },
    chain: CHAIN,
  },
  ackWriter: { next: 7, stored: 4, pending: [5, 6], chain: CHAIN },
  ackReader: { next: 2, chain: CHAIN },
};

const FRAMES = new Map([
  ["d3", random.bytes(40)],
  ["a5", random.bytes(40)],
  ["waiting", random.bytes(5)],
]);

/** What decoding gives, or the code that it fails with; anything else is thrown on. */
function outcomeOf(bytes: Uint8Array): string {
  try {
    decodeWholeState(bytes);
    return "decoded";
  } catch (error) {
    if (isCulvertError(error)) return error.code;
    throw error;
  }
}

type CborMap = { [key: string]: CborValue };

function wholeAsCbor(): CborMap {
  return decodeCbor(encodeWholeState({ state: STATE, frames: FRAMES })) as CborMap;
}

/** The saved state with one field, named by its path, replaced or removed. */
function changed(path: string, value: CborValue | undefined): Uint8Array {
  const whole = wholeAsCbor();
  const names = path.split(".");
  const last = names.pop() ?? "";
  let inner = whole;
  for (const name of names) inner = inner[name] as CborMap;
  if (value === undefined) delete inner[last];
  else inner[last] = value;
  return encodeCbor(whole as CborInput);
}

function pathsOf(map: CborMap, prefix = ""): string[] {
  return Object.entries(map).flatMap(([name, value]) => {
    const isInner = typeof value === "object" && value !== null && !Array.isArray(value);
    if (!isInner || value instanceof Uint8Array) return [prefix + name];
    return [prefix + name, ...pathsOf(value as CborMap, `${prefix}${name}.`)];
  });
}

const OPTIONAL = [
  "sender.expiresUnixMs",
  "sender.endIndex",
  "sender.creditLimit",
  "sender.probes",
  "sender.storedBytes",
  "sender.short",
  "receiver.begun",
  "receiver.end",
];

describe("saved state", () => {
  it("is read as it was written, with frames and without", () => {
    expect(decodeState(encodeState(STATE))).toEqual(STATE);
    expect(decodeWholeState(encodeWholeState({ state: STATE, frames: FRAMES }))).toEqual({
      state: STATE,
      frames: FRAMES,
    });
  });

  it("may say that nothing has happened yet", () => {
    const fresh: StreamState = {
      ...STATE,
      sender: {
        ...STATE.sender,
        endIndex: undefined,
        creditLimit: undefined,
        expiresUnixMs: Number.POSITIVE_INFINITY,
      },
      receiver: { ...STATE.receiver, end: undefined },
      ackWriter: { ...STATE.ackWriter, next: 0, stored: -1, pending: [] },
    };
    expect(decodeState(encodeState(fresh))).toEqual(fresh);
  });

  it("may be of a release that did not tell how far its frames were", () => {
    const without = (name: string) => decodeWholeState(changed(name, undefined)).state.sender;
    expect(without("sender.storedBytes")).toEqual({ ...STATE.sender, storedBytes: 0 });
    expect(without("sender.short")).toEqual({ ...STATE.sender, short: [] });
  });

  it("is refused when it is of another version, or of none", () => {
    for (const version of [STATE_VERSION + 1, STATE_VERSION - 1, 0, -1, "1", undefined]) {
      expect(() => decodeState(changed("version", version))).toThrow(refused);
    }
  });

  it("is refused when it ends too early, at every byte", () => {
    const bytes = encodeWholeState({ state: STATE, frames: FRAMES });
    for (let length = 0; length < bytes.length; length++) {
      expect(outcomeOf(bytes.subarray(0, length))).toBe("CULVERT_BAD_STATE");
    }
  });

  it("is refused when any field is missing or of another kind", () => {
    for (const path of pathsOf(wholeAsCbor())) {
      for (const value of [undefined, "x", -1, 0.5, [1], { a: 1 }, new Uint8Array(3)]) {
        if (value === undefined && OPTIONAL.includes(path)) continue;
        if (path === "sender.expiresUnixMs" && typeof value === "number") continue;
        if (path === "ackWriter.pending" && Array.isArray(value)) continue;
        expect([path, value, outcomeOf(changed(path, value))]).toEqual([
          path,
          value,
          "CULVERT_BAD_STATE",
        ]);
      }
    }
  });

  it.each([
    ["readRoot", new Uint8Array(32).fill(0xff)],
    ["sender.chain", ENDED],
    ["receiver.chain", ENDED],
    ["ackWriter.chain", ENDED],
    ["ackReader.chain", ENDED],
    ["cellBytes", 87],
    ["cellBytes", 65_608],
    ["sender.base", 10],
    ["receiver.end.index", 2 ** 40],
    ["sender.next", INDEX_MAX + 1],
    ["sender.storedBelow", 2],
    ["sender.storedBelow", 10],
    ["sender.acknowledgedBytes", 1_001],
    ["sender.storedBytes", 1_001],
    ["sender.short", [3]],
    ["sender.short", [2, 5]],
    ["sender.short", [9, 5]],
    ["sender.short", [5, 5, 5, 5]],
    ["sender.short", [5, 0]],
    ["sender.short", [5, 1_829]],
    ["sender.expiresUnixMs", Number.NaN],
    ["sender.expiresUnixMs", Number.POSITIVE_INFINITY],
    ["sender.endIndex", 9],
    ["sender.resetIndex", 9],
    ["sender.resetCode", -1],
    ["sender.resetCode", 65_536],
    ["receiver.takenOffset", 99],
    ["receiver.takenOffset", 100 + 2 ** 16 + 1],
    ["receiver.begun.length", 0],
    ["receiver.begun.length", 151],
    ["receiver.begun.next", 2],
    ["receiver.begun.next", 23],
    ["sender.probes", [2]],
    ["sender.probes", [9]],
    ["sender.probes", Array.from({ length: 129 }, () => 4)],
    ["ackWriter.stored", 8],
    ["ackWriter.pending", [7]],
    ["ackWriter.pending", [-1]],
    ["ackWriter.pending", Array.from({ length: 65 }, () => 1)],
    ["frames", [["d1"]]],
    ["frames", [[1, new Uint8Array(1)]]],
    ["frames", ["d1"]],
  ])("is refused when it contradicts itself: %s of %s", (path, value) => {
    expect(outcomeOf(changed(path, value))).toBe("CULVERT_BAD_STATE");
  });

  it("is refused when it tells of more short frames than are remembered", () => {
    const outcome = (count: number): string => {
      const short = Array.from({ length: count }, (_, at) => ({ index: 3 + at, lackingBytes: 1 }));
      const sender = { ...STATE.sender, next: 200, short };
      return outcomeOf(encodeWholeState({ state: { ...STATE, sender }, frames: FRAMES }));
    };
    expect([outcome(64), outcome(65)]).toEqual(["decoded", "CULVERT_BAD_STATE"]);
  });

  it("is refused when it speaks of more unacknowledged frames than there can be", () => {
    expect(outcomeOf(changed("sender.next", INDEX_MAX))).toBe("CULVERT_BAD_STATE");
  });

  it("is decoded or refused when any byte of it is another one, and nothing else", () => {
    const bytes = encodeWholeState({ state: STATE, frames: FRAMES });
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.nat(255), (at, value) => {
        const other = bytes.slice();
        other[at] = value;
        expect(["decoded", "CULVERT_BAD_STATE"]).toContain(outcomeOf(other));
      }),
      { seed: 1, numRuns: 1_000 },
    );
  });
});
