import { describe, expect, it, vi } from "vitest";
import { crypto } from "../../../src/crypto/index.ts";
import { VALUE_LIMITS } from "../../../src/dht/values/value-limits.ts";
import { ValueShelf } from "../../../src/dht/values/value-shelf.ts";
import { ValueStore } from "../../../src/dht/values/value-store.ts";
import { keyOf } from "../../../src/dht/wire/key.ts";
import type { DhtValue, ValueKind } from "../../../src/dht/wire/message.ts";
import { VALUE_BYTES_MAX } from "../../../src/dht/wire/wire.ts";
import { NodeDescriptor, NodeIdentity } from "../../../src/identity/index.ts";
import { keyWith } from "../nodes.ts";

const UNIX_MS = 1_800_000_000_000;
const KEY = keyWith(1);
const IDENTITY = new NodeIdentity(new Uint8Array(32).fill(7));

/** A store whose records are `[sequence, 1, …]`. */
function store(limits: Partial<typeof VALUE_LIMITS> = {}): ValueStore {
  return new ValueStore({
    limits: { ...VALUE_LIMITS, ...limits },
    recordRule: (_key, bytes) => (bytes[1] === 1 ? bytes[0] : undefined),
    unixMsAtZero: UNIX_MS,
  });
}

function value(kind: ValueKind, bytes: readonly number[], ttlSeconds = 60): DhtValue {
  return { kind, ttlSeconds, bytes: Uint8Array.from(bytes) };
}

function descriptor(sequence: number, lifeSeconds = 3_600, onionBytes = 0): DhtValue {
  const signed = NodeDescriptor.sign(IDENTITY, {
    sequence,
    expiresAtUnixS: UNIX_MS / 1_000 + lifeSeconds,
    roles: [],
    geometry: { cellBytes: 1, onionBytes, onionHopsMax: 0 },
    addresses: [],
    relays: [],
    onionKeys: [],
  });
  return { kind: "descriptor", ttlSeconds: 7_200, bytes: signed.toBytes() };
}

const at = (now: number, source = "a") => ({ source, now });

describe("a source whose values are refused", () => {
  const FLOOD = 10_000;

  /** A store that has been sent a flood of records that are none, and how many it looked at. */
  function flooded(): { kept: ValueStore; judged: () => number } {
    let judged = 0;
    const recordRule = (_key: Uint8Array, bytes: Uint8Array): number | undefined => {
      judged += 1;
      return bytes[0];
    };
    const kept = new ValueStore({ limits: VALUE_LIMITS, recordRule, unixMsAtZero: UNIX_MS });
    kept.put(KEY, value("record", [9]), at(0, "other"));
    for (let i = 0; i < FLOOD; i++) kept.put(KEY, value("record", [1, i]), at(0, "flooder"));
    return { kept, judged: () => judged };
  }

  it("has few of them verified, and hears that there is no room", () => {
    const { kept, judged } = flooded();
    expect(judged()).toBeLessThan(FLOOD / 10);
    expect(kept.put(keyWith(2), value("record", [1]), at(0, "flooder"))).toEqual({
      kind: "refused",
      reason: "full",
    });
  });

  it("takes nothing from others, may repeat what is known, and is heard again later", () => {
    const { kept } = flooded();
    expect(kept.put(keyWith(2), value("record", [1]), at(0, "b")).kind).toBe("stored");
    expect(kept.put(KEY, value("record", [9]), at(0, "flooder")).kind).toBe("stored");
    expect(kept.put(keyWith(3), value("plain", [1]), at(0, "flooder")).kind).toBe("stored");
    expect(kept.put(keyWith(4), value("record", [1]), at(1_000, "flooder")).kind).toBe("stored");
  });

  it("is whoever was refused, and not whoever stores much", () => {
    const kept = store({ recordsMax: FLOOD });
    for (let i = 0; i < FLOOD / 10; i++) {
      const { kind } = kept.put(keyWith(i >> 8, i & 255), value("record", [1, 1]), at(0));
      expect(kind).toBe("stored");
    }
  });
});

describe("life", () => {
  it("is over to the second", () => {
    const kept = store();
    kept.put(KEY, value("plain", [1], 3), at(0));
    expect(kept.get(KEY, "plain", 2_999)?.ttlSeconds).toBe(1);
    expect(kept.get(KEY, "plain", 3_000)).toBeUndefined();
    expect(kept.deadline()).toBe(3_000);
    kept.timeout(3_000);
    expect(kept.size).toBe(0);
  });

  it.each([
    ["plain", 0, 3_600],
    ["plain", 1, 1],
    ["plain", 65_535, 65_535],
    ["plain", 4_294_967_295, 86_400],
    ["record", 4_294_967_295, 604_800],
  ] as const)("of a %s that asks for %d s is %d s", (kind, asked, granted) => {
    const outcome = store().put(KEY, value(kind, [1, 1], asked), at(0));
    expect(outcome).toEqual({ kind: "stored", ttlSeconds: granted });
  });

  it("of a descriptor ends when the descriptor says so", () => {
    const outcome = store().put(keyOf(IDENTITY.id), descriptor(1, 100), at(0));
    expect(outcome).toMatchObject({ kind: "stored", ttlSeconds: 100 });
  });

  it("of a descriptor that comes again is told without verifying it again", () => {
    const kept = store();
    const id = keyOf(IDENTITY.id);
    const known = descriptor(1, 100);
    kept.put(id, known, at(0));
    const verified = vi.spyOn(crypto(), "ed25519Verify");
    expect(kept.put(id, known, at(40_000))).toMatchObject({ kind: "stored", ttlSeconds: 60 });
    expect(kept.put(id, known, at(99_500)).kind).toBe("refused");
    expect(verified).not.toHaveBeenCalled();
    kept.put(id, descriptor(2), at(0));
    expect(verified).toHaveBeenCalledOnce();
    verified.mockRestore();
  });

  it("of what was written once is never made shorter", () => {
    const kept = store();
    kept.put(KEY, value("record", [1, 1], 100), at(0));
    expect(kept.put(KEY, value("record", [1, 1], 10), at(0))).toMatchObject({ ttlSeconds: 100 });
    expect(kept.put(KEY, value("record", [1, 1], 200), at(0))).toMatchObject({ ttlSeconds: 200 });
  });

  it("of a plain value is set anew by who writes it, not by a copy", () => {
    const kept = store();
    kept.put(KEY, value("plain", [1], 100), at(0));
    kept.put(KEY, value("plain", [1], 50), { ...at(0), isCopy: true });
    expect(kept.get(KEY, "plain", 0)?.ttlSeconds).toBe(100);
    kept.put(KEY, value("plain", [1], 50), at(0));
    expect(kept.get(KEY, "plain", 0)?.ttlSeconds).toBe(50);
  });
});

describe("who may write what", () => {
  it("lets the last write of a plain value win, but no copy", () => {
    const kept = store();
    kept.put(KEY, value("plain", [1]), at(0));
    expect(kept.put(KEY, value("plain", [2]), { ...at(0), isCopy: true })).toEqual({
      kind: "refused",
      reason: "conflict",
    });
    kept.put(KEY, value("plain", [3]), at(0));
    expect(kept.get(KEY, undefined, 0)?.bytes).toEqual(Uint8Array.of(3));
  });

  it("writes a record once, and a tombstone over it", () => {
    const kept = store();
    kept.put(KEY, value("record", [1, 1, 5]), at(0));
    const other = kept.put(KEY, value("record", [1, 1, 6]), at(0));
    expect(other).toEqual({ kind: "refused", reason: "conflict" });
    expect(kept.put(KEY, value("record", [2, 1]), at(0)).kind).toBe("stored");
    expect(kept.put(KEY, value("record", [1, 1, 5]), at(0)).kind).toBe("refused");
    expect(kept.get(KEY, "record", 0)?.bytes).toEqual(Uint8Array.of(2, 1));
  });

  it("takes the newest descriptor of a node, and tells who comes with an older one", () => {
    const kept = store();
    const id = keyOf(IDENTITY.id);
    const stale = { kind: "refused", reason: "stale" };
    kept.put(id, descriptor(5), at(0));
    expect(kept.put(id, descriptor(4), at(0))).toEqual(stale);
    expect(kept.put(id, descriptor(5, 3_600, 9), at(0))).toEqual(stale);
    expect(kept.put(id, descriptor(6), at(0)).kind).toBe("stored");
    expect(kept.put(id, descriptor(5), at(0))).toEqual(stale);
  });

  it("refuses what proves nothing", () => {
    const kept = store();
    const id = keyOf(IDENTITY.id);
    const forged = descriptor(1).bytes.slice();
    forged[forged.length - 1] = (forged[forged.length - 1] ?? 0) ^ 1;
    const bad: readonly [typeof KEY, DhtValue][] = [
      [KEY, value("plain", [])],
      [KEY, value("record", [1, 0])],
      [KEY, descriptor(1)],
      [id, { ...descriptor(1), bytes: forged }],
      [id, value("descriptor", [1, 2, 3])],
      [id, descriptor(1, 0)],
    ];
    for (const [key, each] of bad) {
      expect(kept.put(key, each, at(0))).toEqual({ kind: "refused", reason: "invalid" });
    }
    expect(kept.size).toBe(0);
  });

  it("refuses what is too large", () => {
    const large = { ...value("plain", []), bytes: new Uint8Array(VALUE_BYTES_MAX + 1) };
    const refused = { kind: "refused", reason: "too-large" };
    expect(store().put(KEY, large, at(0))).toEqual(refused);
    const padded = { ...descriptor(1), bytes: new Uint8Array(641) };
    expect(store().put(keyOf(IDENTITY.id), padded, at(0))).toEqual(refused);
  });

  it("keeps its own copy of the bytes", () => {
    const kept = store();
    const mine = value("plain", [1, 2]);
    kept.put(KEY, mine, at(0));
    mine.bytes.fill(9);
    expect(kept.get(KEY, "plain", 0)?.bytes).toEqual(Uint8Array.of(1, 2));
  });

  it("keeps values of all kinds under one key, and shows the one that proves most", () => {
    const kept = store();
    kept.put(KEY, value("plain", [1]), at(0));
    kept.put(KEY, value("record", [1, 1]), at(0));
    expect(kept.get(KEY, undefined, 0)?.kind).toBe("record");
    expect(kept.get(KEY, "plain", 0)?.kind).toBe("plain");
    expect([...kept.entries()]).toHaveLength(2);
  });
});

describe("a flood", () => {
  const flood = (kept: ValueStore, from: number, count: number, source: string) => {
    const kinds = Array.from({ length: count }, (_, i) => {
      const key = keyWith(from, i >> 8, i & 255);
      return kept.put(key, value("plain", [1, 2, 3]), at(0, source)).kind;
    });
    return kinds.filter((kind) => kind === "stored").length;
  };

  it("of ten times the room from one source costs no other source a value", () => {
    const kept = store({ plainMax: 100 });
    for (let i = 0; i < 10; i++) flood(kept, i, 5, `honest-${i}`);
    expect(flood(kept, 200, 1_000, "flooder")).toBe(50);
    for (let i = 0; i < 10; i++) {
      for (let j = 0; j < 5; j++) expect(kept.get(keyWith(i, 0, j), "plain", 0)).toBeDefined();
    }
    // Who comes later finds room: the flooder's oldest values make it.
    for (let i = 10; i < 15; i++) expect(flood(kept, i, 5, `honest-${i}`)).toBe(5);
    expect(kept.size).toBe(100);
    expect(kept.get(keyWith(200, 0, 0), "plain", 0)).toBeUndefined();
  });

  it("is counted in bytes as well as in values", () => {
    const kept = store({ plainBytesMax: 10_000 });
    const large = { ...value("plain", []), bytes: new Uint8Array(4_000) };
    expect(kept.put(keyWith(1), large, at(0, "big")).kind).toBe("stored");
    expect(kept.put(keyWith(2), large, at(0, "big")).kind).toBe("stored");
    expect(kept.put(keyWith(3), large, at(0, "big"))).toEqual({ kind: "refused", reason: "full" });
    expect(kept.put(keyWith(4), large, at(0, "small")).kind).toBe("stored");
    expect(kept.get(keyWith(1), "plain", 0)).toBeUndefined();
  });

  it("of small values costs nobody a large one", () => {
    const kept = store({ plainMax: 20, plainBytesMax: 100_000 });
    const large = { ...value("plain", []), bytes: new Uint8Array(40_000) };
    kept.put(KEY, large, at(0, "large"));
    flood(kept, 2, 100, "flooder");
    for (let i = 3; i < 8; i++) expect(flood(kept, i, 1, `late-${i}`)).toBe(1);
    expect(kept.get(KEY, "plain", 0)).toBeDefined();
  });

  it("over the values of others counts for who writes, not for whom it has overwritten", () => {
    const kept = store({ plainMax: 4 });
    flood(kept, 1, 2, "victim");
    const large = { ...value("plain", []), bytes: new Uint8Array(5_000) };
    expect(kept.put(keyWith(1, 0, 0), large, at(0, "attacker")).kind).toBe("stored");
    for (let i = 2; i < 5; i++) expect(flood(kept, i, 1, `late-${i}`)).toBe(1);
    expect(kept.get(keyWith(1, 0, 1), "plain", 0)).toBeDefined();
    expect(kept.get(keyWith(1, 0, 0), "plain", 0)).toBeUndefined();
  });

  it("of who stores the values of others again does not take those with it", () => {
    const kept = store({ plainMax: 8 });
    flood(kept, 1, 3, "victim");
    flood(kept, 1, 3, "flooder");
    flood(kept, 2, 80, "flooder");
    // Of the flooder's five, as long as it has more than the victim.
    for (const late of [3, 4]) expect(flood(kept, late, 1, `late-${late}`)).toBe(1);
    for (let i = 0; i < 3; i++) expect(kept.get(keyWith(1, 0, i), "plain", 0)).toBeDefined();
  });

  it("that is refused leaves what was there", () => {
    const kept = store({ plainBytesMax: 1_000 });
    expect(kept.put(KEY, value("plain", [1, 2]), at(0)).kind).toBe("stored");
    const large = { ...value("plain", []), bytes: new Uint8Array(800) };
    expect(kept.put(KEY, large, at(0))).toEqual({ kind: "refused", reason: "full" });
    expect(kept.get(KEY, "plain", 0)?.bytes).toEqual(Uint8Array.of(1, 2));
    expect(kept.deadline()).toBe(60_000);
  });

  it("is made room for by whoever holds most, and takes nothing for nothing", () => {
    const kept = store({ plainBytesMax: 10_000 });
    const filled = Array.from({ length: 24 }, (_, i) => {
      return kept.put(keyWith(1, i), value("plain", [1]), at(0, "most")).kind;
    });
    expect(filled).toEqual(Array(24).fill("stored"));
    const large = { ...value("plain", []), bytes: new Uint8Array(6_000) };
    expect(kept.put(KEY, large, at(0, "new")).kind).toBe("stored");
    expect(kept.size).toBe(9);
  });

  it("from as many sources as there are values looks at few of them for each", () => {
    let looks = 0;
    const limits = {
      bytesMax: 2 ** 30,
      valueBytesMax: 1_000,
      get entriesMax() {
        looks += 1;
        return 1_000;
      },
    };
    const shelf = new ValueShelf(limits);
    const put = (i: number) => {
      const bytes = new Uint8Array(1);
      const lasting = { expiresAt: 1_000 + i, lastsUntil: Number.POSITIVE_INFINITY };
      const entry = { bytes, sequence: 0, source: `${i}`, storedAt: 0, ...lasting };
      return shelf.put({ key: keyWith(i >> 8, i & 255), ...entry });
    };
    for (let i = 0; i < 1_000; i++) expect(put(i)).toBe(true);
    looks = 0;
    for (let i = 1_000; i < 1_100; i++) put(i);
    expect(looks).toBeLessThan(100 * 20);
    expect(shelf.size).toBe(1_000);
  });

  it("of one kind leaves the other kinds alone", () => {
    const kept = store({ plainMax: 10 });
    flood(kept, 1, 100, "flooder");
    expect(kept.put(KEY, value("record", [1, 1]), at(0, "flooder")).kind).toBe("stored");
  });
});
