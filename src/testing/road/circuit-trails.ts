import { utf8 } from "../../base/index.ts";
import { hashBytes } from "../world/trace.ts";
import type { StreamEnd } from "./capture.ts";

/**
 * The nodes that one circuit passes, the client first, as somebody sees who watches every node at
 * once and compares instants: units leave a relay at the very instant at which they come.
 */
export type Trail = readonly string[];

/** The trails of all circuits that clients have opened and that carried more than their request. */
export function trailsOf(ends: readonly StreamEnd[], clients: ReadonlySet<string>): Trail[] {
  const circuits = ends.filter(({ protocol }) => protocol === "circuit");
  const accepted = new Map<string, StreamEnd>();
  for (const end of circuits) if (!end.isOpener) accepted.set(nameOf(end, end.node), end);
  const [opened, incoming] = [true, false].map((isOpener) =>
    groupBy(
      circuits.filter((end) => end.isOpener === isOpener),
      ({ node }) => node,
    ),
  );
  const continuations = new Map<StreamEnd, StreamEnd>();
  for (const [node, outgoing] of opened ?? []) {
    for (const [from, to] of continuationsAt(incoming?.get(node) ?? [], outgoing)) {
      continuations.set(from, to);
    }
  }
  const trails: Trail[] = [];
  for (const first of circuits) {
    if (!first.isOpener || !clients.has(first.node)) continue;
    const trail = [first.node];
    let end: StreamEnd | undefined = first;
    while (end !== undefined && trail.length < TRAIL_MAX) {
      trail.push(end.peer);
      const arrived = accepted.get(nameOf(end, end.peer));
      end = arrived && continuations.get(arrived);
    }
    if (carries(first)) trails.push(trail);
  }
  return trails;
}

/** Trails on which one node stands twice, or has both the client and the exit beside it. */
export function trailsSeenWhole(trails: readonly Trail[]): Trail[] {
  // Client, guard, middle, …, exit: the guard may not be the exit, nor stand beside it.
  return trails.filter((trail) => new Set(trail).size < trail.length || trail.length < 4);
}

const TRAIL_MAX = 16;
/**
 * How much of a stream's bytes has to agree in its instant. Circuits that share a link share some;
 * the first of a stream may be late, while a link is dialled.
 */
const AGREEING_SHARE = 0.6;

/** Two ends of one stream have seen the same first unit, and nobody else has. */
function nameOf({ sights, isOpener, node }: StreamEnd, at: string): string {
  const isFromOpener = (isSent: boolean): boolean => isSent === isOpener;
  const first = sights.find(({ isSent }) => isFromOpener(isSent));
  const sample = first?.bytes.subarray(0, SAMPLE_BYTES) ?? utf8(node);
  return `${at} ${hashBytes(sample)}`;
}

/** The header of a packet begins with a fresh key; a chunk of the link may hold no more. */
const SAMPLE_BYTES = 64;

/**
 * The stream on which a relay passes on what comes on another: the pairs that agree best, each
 * stream in one of them. A short circuit may end at a relay in the instants of somebody else's.
 */
function continuationsAt(
  incoming: readonly StreamEnd[],
  outgoing: readonly StreamEnd[],
): Map<StreamEnd, StreamEnd> {
  const pairs = incoming.flatMap((from) => {
    const there = bytesByInstant(from, { isSent: false });
    const back = bytesByInstant(from, { isSent: true });
    return outgoing.flatMap((to) => {
      const sent = bytesByInstant(to, { isSent: true });
      const came = bytesByInstant(to, { isSent: false });
      const agreeing = bytesInBoth(sent, there) + bytesInBoth(came, back);
      const score = agreeing / (bytesOf(sent) + bytesOf(came));
      return score >= AGREEING_SHARE ? [{ from, to, score, agreeing }] : [];
    });
  });
  pairs.sort((a, b) => b.score - a.score || b.agreeing - a.agreeing);
  const found = new Map<StreamEnd, StreamEnd>();
  const taken = new Set<StreamEnd>();
  for (const { from, to } of pairs) {
    if (found.has(from) || taken.has(to)) continue;
    found.set(from, to);
    taken.add(to);
  }
  return found;
}

type Traffic = ReadonlyMap<number, number>;

function bytesByInstant({ sights }: StreamEnd, which: { readonly isSent: boolean }): Traffic {
  const traffic = new Map<number, number>();
  for (const { atMs, isSent, bytes } of sights) {
    if (isSent === which.isSent) traffic.set(atMs, (traffic.get(atMs) ?? 0) + bytes.length);
  }
  return traffic;
}

function bytesOf(traffic: Traffic): number {
  return [...traffic.values()].reduce((sum, bytes) => sum + bytes, 0);
}

function bytesInBoth(one: Traffic, other: Traffic): number {
  return [...one].reduce((sum, [at, bytes]) => sum + Math.min(bytes, other.get(at) ?? 0), 0);
}

/** Whether anything followed the request to build the circuit. */
function carries({ sights }: StreamEnd): boolean {
  return sights.filter(({ isSent }) => isSent).length > 1;
}

function groupBy<T>(all: readonly T[], keyOf: (one: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const one of all) {
    const key = keyOf(one);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [one]);
    else group.push(one);
  }
  return groups;
}
