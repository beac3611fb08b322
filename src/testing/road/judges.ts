import { joinBytes } from "../../base/index.ts";
import { FrameBuffer } from "../../codec/index.ts";
import { ADDRESS_BYTES, addressKey, isFault, parseRecord } from "../../mapservice/index.ts";
import { readClientMessage } from "../../mapservice/wire/wire.ts";
import type { StreamEnd } from "./capture.ts";
import type { FrameOwner } from "./road-pair.ts";

/** What a judge has to know of a world besides what was captured. */
export interface Evidence {
  readonly ends: readonly StreamEnd[];
  /** Ids of the clients, in hexadecimal. */
  readonly clients: ReadonlySet<string>;
  /** Whose frame an address carries, by its key. */
  readonly owners: ReadonlyMap<string, FrameOwner>;
}

/** Bytes of the units that travel between onion nodes. */
export interface UnitSizes {
  readonly packetBytes: number;
  readonly cellBytes: number;
}

const MESSAGE_BYTES_MAX = 2 ** 21;

/** Clients that talk to a node's Map themselves: the store sees who asks. */
export function clientsAtStores({ ends, clients }: Evidence): string[] {
  const wrong = ends.filter(
    ({ protocol, node, peer }) => protocol === "map" && (clients.has(node) || clients.has(peer)),
  );
  return wrong.map(({ node, peer }) => `a Map session of ${short(node)} with ${short(peer)}`);
}

/** Addresses of records that a client has said to anybody in the clear, by whatever protocol. */
export function addressesToldByClients({ ends, clients, owners }: Evidence): string[] {
  const told: string[] = [];
  const known = new Set(owners.keys());
  for (const { node, peer, protocol, sights } of ends) {
    if (!clients.has(node)) continue;
    const said = joinBytes(sights.filter(({ isSent }) => isSent).map(({ bytes }) => bytes));
    const count = countOf(said, known);
    if (count > 0) told.push(`${count} to ${short(peer)} by ${protocol}`);
  }
  return told;
}

/** What was sent on onion streams and has another size than all that is sent there. */
export function oddUnits({ ends }: Evidence, { packetBytes, cellBytes }: UnitSizes): string[] {
  const odd: string[] = [];
  for (const { node, protocol, isOpener, sights } of ends) {
    if (protocol !== "circuit" && protocol !== "onion") continue;
    const sent = sights.filter(({ isSent }) => isSent).map(({ bytes }) => bytes.length);
    for (const [i, length] of sent.entries()) {
      const isPacket = protocol === "onion" || (isOpener && i === 0);
      if (length === (isPacket ? packetBytes : cellBytes)) continue;
      odd.push(`${length} bytes by ${short(node)} on ${protocol}, number ${i}`);
    }
  }
  return odd;
}

/** Bytes in a row that tell a copy from chance. */
const RUN_BYTES = 8;

/**
 * Runs of eight bytes that onion streams of two links have in common: whoever watches both would
 * know that they carry the same. One line for each, with its links.
 */
export function runsSharedByLinks({ ends }: Evidence): string[] {
  const units = ends
    .filter(({ protocol }) => protocol === "circuit" || protocol === "onion")
    .flatMap(({ node, peer, sights }) => {
      const link = [short(node), short(peer)].sort().join("-");
      return sights.filter(({ isSent }) => isSent).map(({ bytes }) => ({ link, bytes }));
    });
  const repeated = repeatedRuns(units.map(({ bytes }) => bytes));
  const links = new Map<bigint, Set<string>>();
  for (const { link, bytes } of repeated.size === 0 ? [] : units) {
    for (const run of runsOf(bytes)) {
      if (repeated.has(run)) links.set(run, (links.get(run) ?? new Set()).add(link));
    }
  }
  const shared = [...links].filter(([, of]) => of.size > 1);
  return shared.map(([run, of]) => `${run.toString(16)} on ${[...of].join(", ")}`);
}

function runsOf(bytes: Uint8Array): BigUint64Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const runs = new BigUint64Array(Math.max(bytes.length - RUN_BYTES + 1, 0));
  for (let at = 0; at < runs.length; at++) runs[at] = view.getBigUint64(at);
  return runs;
}

/** What occurs more than once; sorting holds eight bytes for each place, a set would many more. */
function repeatedRuns(all: readonly Uint8Array[]): Set<bigint> {
  const runs = new BigUint64Array(all.reduce((sum, { length }) => sum + length, 0));
  let count = 0;
  for (const bytes of all) {
    const found = runsOf(bytes);
    runs.set(found, count);
    count += found.length;
  }
  const sorted = runs.subarray(0, count).sort();
  const repeated = new Set<bigint>();
  for (let i = 1; i < count; i++) if (sorted[i] === sorted[i - 1]) repeated.add(sorted[i] ?? 0n);
  return repeated;
}

/** How many frames of one stream each exit was shown by one of its ends, the most first. */
export interface ExitShare {
  readonly exit: string;
  readonly stream: number;
  /** The end of the stream whose circuits they came through. */
  readonly side: 0 | 1;
  readonly frames: number;
}

/**
 * What each node has learned of each stream by asking stores for it. A node that asks is an exit,
 * unless it has been asked itself for that address before: then it hands on, as a keeper.
 */
export function sharesOfExits({ ends, owners }: Evidence): ExitShare[] {
  const asked = operationsOf(ends).sort((a, b) => a.atMs - b.atMs);
  const keepers = new Set<string>();
  const shares = new Map<string, ExitShare & { readonly seen: Set<string> }>();
  for (const { node, isSent, kind, address } of asked) {
    if (!isSent) keepers.add(node + address);
    const owner = owners.get(address);
    if (!isSent || owner === undefined || keepers.has(node + address)) continue;
    const side = kind === "get" ? owner.reader : ((1 - owner.reader) as 0 | 1);
    const key = `${node} ${owner.stream} ${side}`;
    const { seen = new Set<string>() } = shares.get(key) ?? {};
    seen.add(address);
    shares.set(key, { exit: node, stream: owner.stream, side, frames: seen.size, seen });
  }
  const all = [...shares.values()].map(({ seen: _, ...share }) => share);
  return all.sort((a, b) => b.frames - a.frames);
}

interface Operation {
  readonly node: string;
  readonly atMs: number;
  readonly isSent: boolean;
  readonly kind: "put" | "get";
  readonly address: string;
}

/** All puts and gets that nodes have asked of each other's stores, as seen at both ends. */
function operationsOf(ends: readonly StreamEnd[]): Operation[] {
  const operations: Operation[] = [];
  for (const { node, protocol, isOpener, sights } of ends) {
    if (protocol !== "map") continue;
    const frames = new FrameBuffer(MESSAGE_BYTES_MAX);
    for (const { atMs, isSent, bytes } of sights) {
      // What the opener says is a question, whichever end has seen it.
      if (isSent !== isOpener) continue;
      frames.push(bytes);
      for (let frame = frames.take(); frame !== undefined; frame = frames.take()) {
        const asked = operationIn(frame);
        if (asked !== undefined) operations.push({ node, atMs, isSent, ...asked });
      }
    }
  }
  return operations;
}

function operationIn(frame: Uint8Array): Pick<Operation, "kind" | "address"> | undefined {
  const message = readClientMessage(frame);
  if (message.kind === "get") return { kind: "get", address: addressKey(message.address) };
  if (message.kind !== "put") return undefined;
  const record = parseRecord(message.record, message.record.length);
  return isFault(record) ? undefined : { kind: "put", address: addressKey(record.address) };
}

/** How often one of the addresses occurs in the bytes. */
function countOf(bytes: Uint8Array, addresses: ReadonlySet<string>): number {
  const starts = new Set([...addresses].map((key) => key.charCodeAt(0)));
  let count = 0;
  for (let at = 0; at + ADDRESS_BYTES <= bytes.length; at++) {
    const start = (bytes[at] as number) | ((bytes[at + 1] as number) << 8);
    if (!starts.has(start)) continue;
    if (addresses.has(addressKey(bytes.subarray(at, at + ADDRESS_BYTES)))) count += 1;
  }
  return count;
}

function short(id: string): string {
  return id.slice(0, 8);
}
