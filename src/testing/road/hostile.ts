import type { SeededRandom } from "../../base/index.ts";
import type { RecordStore, StoredRecord } from "../../mapservice/index.ts";
import type { Misdeed } from "./capture.ts";

/**
 * What a hostile node does:
 *
 * - `forgets`: confirms every put by its signature, and keeps nothing
 * - `lies`: answers with another record, or with other bytes under the right address
 * - `silent`: takes every question for a record, and never answers
 * - `swallows`: takes circuits, and lets nothing through
 * - `garbles`: flips bits in what it passes on through circuits
 */
export const MISDEEDS = ["forgets", "lies", "silent", "swallows", "garbles"] as const;

/** One of {@link MISDEEDS}. */
export type Hostility = (typeof MISDEEDS)[number];

/** The store of a hostile node; that of an honest one if it is hostile in another way. */
export function hostileStore(
  store: RecordStore,
  hostility: Hostility | undefined,
  random: SeededRandom,
): RecordStore {
  if (hostility === "silent") return over(store, { get: () => new Promise(() => {}) });
  if (hostility === "forgets") return over(store, { get: () => undefined });
  if (hostility !== "lies") return store;
  let other: StoredRecord | undefined;
  const get: RecordStore["get"] = async (address, nowMs) => {
    const found = await store.get(address, nowMs);
    const lie = random.unit() < 0.5 && other !== undefined ? other : found && forged(found, random);
    other = found ?? other;
    return lie;
  };
  return over(store, { get });
}

/** What a hostile node makes of the units of circuits that pass it. */
export function misdeedOf(
  hostility: Hostility | undefined,
  random: SeededRandom,
): Misdeed | undefined {
  const onCircuits =
    (act: (bytes: Uint8Array) => Uint8Array | undefined): Misdeed =>
    (protocol, bytes) =>
      protocol === "circuit" ? act(bytes) : bytes;
  if (hostility === "swallows") return onCircuits(() => undefined);
  if (hostility === "garbles") return onCircuits((bytes) => flipped(bytes, random));
  return undefined;
}

function over(store: RecordStore, changes: Pick<RecordStore, "get">): RecordStore {
  return {
    payloadSize: store.payloadSize,
    put: (puts, nowMs) => store.put(puts, nowMs),
    sweep: (nowMs, limit) => store.sweep(nowMs, limit),
    statistics: () => store.statistics(),
    close: () => store.close(),
    ...changes,
  };
}

function forged(stored: StoredRecord, random: SeededRandom): StoredRecord {
  const { record } = stored;
  return { ...stored, record: { ...record, payload: flipped(record.payload, random) } };
}

function flipped(bytes: Uint8Array, random: SeededRandom): Uint8Array {
  const copy = bytes.slice();
  const at = random.below(copy.length);
  copy[at] = (copy[at] ?? 0) ^ (1 << random.below(8));
  return copy;
}
