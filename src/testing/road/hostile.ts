import { type Clock, concatBytes, pause, type SeededRandom } from "../../base/index.ts";
import { type RecordStore, type StoredRecord, storeOver } from "../../mapservice/index.ts";
import type { Machine } from "../../node/index.ts";
import { flipBits } from "../flip-bits.ts";
import { Capture, type Misdeed } from "./capture.ts";

/**
 * What a hostile node does:
 *
 * - `forgets`: confirms every put by its signature, and keeps nothing
 * - `lies`: answers with another record, or with other bytes under the right address
 * - `silent`: takes every question for a record, and never answers
 * - `swallows`: takes circuits, and lets nothing through
 * - `garbles`: flips bits in what it passes on through circuits
 * - `replays`: says everything twice that it passes on through circuits
 * - `slow`: takes its time over every record, longer than a stream cares to wait
 * - `babbles`: answers requests, so that others know it, and says noise on everything else
 */
export const MISDEEDS = [
  "forgets",
  "lies",
  "silent",
  "swallows",
  "garbles",
  "replays",
  "slow",
  "babbles",
] as const;

/** One of {@link MISDEEDS}. */
export type Hostility = (typeof MISDEEDS)[number];

/** How a node is hostile, if it is, and what it takes. */
export interface HostileParts {
  readonly hostility: Hostility | undefined;
  readonly random: SeededRandom;
  readonly clock: Clock;
}

/** How long a slow node takes. */
const SLOW_MS = 20_000;

/** The store of a hostile node; that of an honest one if it is hostile in another way. */
export function hostileStore(
  store: RecordStore,
  { hostility, random, clock }: HostileParts,
): RecordStore {
  if (hostility === "silent") return storeOver(store, { get: () => new Promise(() => {}) });
  if (hostility === "slow") return slowed(store, clock);
  if (hostility === "forgets") return storeOver(store, { get: () => undefined });
  if (hostility !== "lies") return store;
  let other: StoredRecord | undefined;
  const get: RecordStore["get"] = async (address, nowMs) => {
    const found = await store.get(address, nowMs);
    const lie = random.unit() < 0.5 && other !== undefined ? other : found && forged(found, random);
    other = found ?? other;
    return lie;
  };
  return storeOver(store, { get });
}

/**
 * The machine of a hostile node: what it says passes its misdeed first.
 *
 * @param options `network` greets as a node of another network, or of another version
 */
export function hostileMachine(
  machine: Machine,
  options: Omit<HostileParts, "clock"> & { readonly network?: string | undefined },
): Machine {
  const { hostility, random, network } = options;
  const misdeed = misdeedOf(hostility, random);
  return {
    ...machine,
    openLinks: async (asked) => {
      const host = await machine.openLinks({ ...asked, ...(network && { network }) });
      return new Capture(machine.clock).watch(host, { keeps: false, misdeed });
    },
  };
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
  if (hostility === "replays") return onCircuits((bytes) => concatBytes(bytes, bytes));
  if (hostility === "babbles") {
    return (protocol, bytes) => (protocol === "rpc" ? bytes : random.bytes(bytes.length));
  }
  if (hostility === "garbles") return onCircuits((bytes) => flipBits(bytes, random, 1));
  return undefined;
}

function slowed(store: RecordStore, clock: Clock): RecordStore {
  return storeOver(store, {
    get: async (address, nowMs) => {
      await pause(clock, SLOW_MS);
      return await store.get(address, nowMs);
    },
    put: async (puts, nowMs) => {
      await pause(clock, SLOW_MS);
      return await store.put(puts, nowMs);
    },
  });
}

function forged(stored: StoredRecord, random: SeededRandom): StoredRecord {
  const { record } = stored;
  return { ...stored, record: { ...record, payload: flipBits(record.payload, random, 1) } };
}
