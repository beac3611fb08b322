/**
 * The last thing of the source that has most of them: what gives way to one more of `source` where
 * all places are taken. Nothing where that would then have as many. For few things, or seldom: it
 * looks at all of them, where `FairPlaces` keeps count.
 *
 * @param all the oldest first
 */
export function lastOfMost<T>(
  all: Iterable<T>,
  source: string,
  sourceOf: (thing: T) => string,
): T | undefined {
  const counts = new Map<string, number>();
  const last = new Map<string, T>();
  for (const thing of all) {
    const own = sourceOf(thing);
    counts.set(own, (counts.get(own) ?? 0) + 1);
    last.set(own, thing);
  }
  let [richest, most] = [source, (counts.get(source) ?? 0) + 1];
  for (const [other, count] of counts) if (count > most) [richest, most] = [other, count];
  return richest === source ? undefined : last.get(richest);
}
