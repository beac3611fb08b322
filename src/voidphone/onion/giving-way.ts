/** A tunnel that somebody else has built, as far as its place goes. */
export interface PlacedTunnel {
  /** Whom it counts for. */
  readonly source: string;
  /** A client has said something through it: it stays. */
  readonly isAnswered: boolean;
}

/**
 * Which tunnel gives its place to a new one of `source`, where all places are taken; none when all
 * are answered. The source that has most gives up the one that came last, if the new one's would
 * still have fewer. Else that of the new one's own source goes that has been unanswered for
 * longest, or, if it has none, that of all: whoever can come by many ways could otherwise hold
 * every place for as long as tunnels live, and no other call would be told of.
 *
 * @param tunnels those that have the places, the oldest first
 */
export function givingWay<T extends PlacedTunnel>(
  tunnels: readonly T[],
  source: string,
): T | undefined {
  const counts = new Map<string, number>();
  for (const tunnel of tunnels) counts.set(tunnel.source, countOf(counts, tunnel.source) + 1);
  const own = countOf(counts, source);
  const waiting = tunnels.filter(({ isAnswered }) => !isAnswered);
  let richest = "";
  let most = own + 1;
  for (const tunnel of waiting) {
    const count = countOf(counts, tunnel.source);
    if (count > most) [richest, most] = [tunnel.source, count];
  }
  if (most > own + 1) return waiting.findLast((tunnel) => tunnel.source === richest);
  return own === 0 ? waiting[0] : waiting.find((tunnel) => tunnel.source === source);
}

function countOf(counts: ReadonlyMap<string, number>, source: string): number {
  return counts.get(source) ?? 0;
}
