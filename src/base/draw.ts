import type { Random } from "./ports.ts";

/** Up to `count` of these, each as likely as any other, in the order in which they were drawn. */
export function draw<T>(from: readonly T[], count: number, random: Pick<Random, "unit">): T[] {
  const left = [...from];
  const drawn: T[] = [];
  while (drawn.length < count && left.length > 0) {
    drawn.push(...left.splice(Math.floor(random.unit() * left.length), 1));
  }
  return drawn;
}
