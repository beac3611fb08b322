import { it } from "vitest";
import {
  type ErrorCode,
  equalBytes,
  isCulvertError,
  SeededRandom,
  toHex,
} from "../../src/base/index.ts";

const { CULVERT_FUZZ_CASES = "5000", CULVERT_FUZZ_SEED } = process.env;

/** How many inputs each parser is given: a few in the suite, a million in `make fuzz`. */
export const CASES: number = Number(CULVERT_FUZZ_CASES);

/** How long the lives of one test may last: `make fuzz` has them last for hours. */
export const LIVES_MS = 3_600_000;

/** Many lives, or one that is looked into, are told of first: a life that hangs tells nothing. */
const isToldFirst = CASES > 10_000 || CULVERT_FUZZ_SEED !== undefined;

/** The seeds of the lives of one test, which has one for so many cases. */
export function lifeSeeds(casesPerLife: number): readonly number[] {
  const first = Number(CULVERT_FUZZ_SEED ?? 1);
  return Array.from({ length: Math.ceil(CASES / casesPerLife) }, (_, at) => first + at);
}

/** What a failure says of a life that is to begin: all that it follows from. */
export function tellLife(seed: number, plan: unknown): string {
  const told = `seed ${seed}: ${JSON.stringify(plan)}`;
  if (isToldFirst) process.stdout.write(`${told}\n`);
  return told;
}

/** A parser under fuzz: `run` fails only on a defect. */
export interface FuzzTarget {
  readonly name: string;
  /** Valid inputs to start from. */
  readonly seeds: readonly Uint8Array[];
  /** Makes one input, where cut and changed seeds would hardly get past the first check. */
  readonly make?: (dice: SeededRandom) => Uint8Array;
  run(bytes: Uint8Array, dice: SeededRandom): void | Promise<void>;
}

/** Runs each target through all its cases; a failure names the case and its bytes. */
export function fuzz(title: string, targets: readonly FuzzTarget[]): void {
  it.each(targets)(`${title}: $name`, async ({ seeds, make, run }) => {
    const dice = new SeededRandom(3);
    for (let i = 0; i < CASES; i++) {
      const bytes = make?.(dice) ?? mutate(dice, seeds);
      try {
        const running = run(bytes, dice);
        if (running !== undefined) await running;
      } catch (cause) {
        throw new Error(`case ${i}: ${toHex(bytes)}`, { cause });
      }
    }
  });
}

/** Parses, or refuses with one of these codes; what is taken must be written back bit by bit. */
export function roundTrip(
  bytes: Uint8Array,
  codes: readonly ErrorCode[],
  parse: () => Uint8Array | undefined,
): void {
  const again = refusedOr(codes, parse);
  if (again === undefined || equalBytes(again, bytes)) return;
  throw new Error(`taken, but not written so: ${toHex(bytes)}`);
}

/** What `parse` gives, or `undefined` when it refuses with one of these codes. */
export function refusedOr<T>(codes: readonly ErrorCode[], parse: () => T): T | undefined {
  try {
    return parse();
  } catch (error) {
    if (codes.some((code) => isCulvertError(error, code))) return undefined;
    throw error;
  }
}

/**
 * Bytes that begin well more often than chance allows: cut, changed and joined seeds, and noise.
 */
export function mutate(dice: SeededRandom, seeds: readonly Uint8Array[]): Uint8Array {
  const seed = seeds[dice.below(seeds.length)] ?? new Uint8Array(1);
  switch (dice.below(5)) {
    case 0:
      return dice.bytes(dice.below(40));
    case 1:
      return seed.subarray(0, dice.below(seed.length + 1));
    case 2: {
      const other = seeds[dice.below(seeds.length)] ?? seed;
      return Uint8Array.of(...seed, ...other, ...dice.bytes(dice.below(3)));
    }
    case 3:
      return seed;
    default:
      return changed(dice, seed);
  }
}

/** A copy with one to three bytes replaced. */
export function changed(dice: SeededRandom, seed: Uint8Array): Uint8Array {
  const copy = seed.slice();
  for (let i = dice.below(3); i >= 0; i--) {
    copy[dice.below(copy.length)] = dice.below(256);
  }
  return copy;
}
