import { Violation } from "./violation.ts";

/**
 * A running fingerprint of everything that happens in a world: two runs of one seed must end with
 * the same one, and a change that moves it has changed what happens. 64 bits in two 32-bit lanes of
 * the murmur3 mixing step; good against accidents, not against adversaries.
 *
 * With a `log` each event is also written as one line, to read what a failing seed did.
 */
export class Trace {
  readonly #log: ((line: string) => void) | undefined;
  readonly #eventsMax: number;
  #high = 0x2f0b4c47;
  #low = 0x1e83a3b9;
  #events = 0;

  constructor(
    options: {
      readonly log?: ((line: string) => void) | undefined;
      readonly eventsMax?: number;
    } = {},
  ) {
    this.#log = options.log;
    this.#eventsMax = options.eventsMax ?? Number.POSITIVE_INFINITY;
  }

  /** How many events were recorded. */
  get events(): number {
    return this.#events;
  }

  /**
   * Records that `what` happened to `who` at `at`; `value` tells like events apart.
   *
   * @throws Violation `hang` when more happens than a run of this size can need
   */
  event(at: number, who: string, what: string, value = 0): void {
    this.#events += 1;
    if (this.#events > this.#eventsMax) {
      throw new Violation("hang", `${this.#events} events and no end at ${at} ms`);
    }
    SCRATCH_NUMBERS[0] = at;
    SCRATCH_NUMBERS[1] = value;
    for (const word of SCRATCH_WORDS) this.#mix(word);
    for (let i = 0; i < who.length; i++) this.#mix(who.charCodeAt(i));
    for (let i = 0; i < what.length; i++) this.#mix(what.charCodeAt(i));
    this.#log?.(`${(at / 1000).toFixed(6).padStart(14)} ${who.padEnd(3)} ${what} ${value}`);
  }

  /** Adds a value that goes with the last event, such as the hash of a cell. */
  detail(value: number): void {
    this.#mix(value);
  }

  /** The fingerprint so far, as 16 hexadecimal digits. */
  hash(): string {
    return hexWord(finish(this.#high ^ this.#events)) + hexWord(finish(this.#low));
  }

  #mix(word: number): void {
    this.#high = step(this.#high, word);
    this.#low = step(this.#low ^ 0x5bd1e995, word + this.#high);
  }
}

/** A 32-bit hash of public bytes, four at a time. */
export function hashBytes(bytes: Uint8Array): number {
  let hash = bytes.length;
  let at = 0;
  for (; at + 4 <= bytes.length; at += 4) {
    hash = step(
      hash,
      (bytes[at] as number) |
        ((bytes[at + 1] as number) << 8) |
        ((bytes[at + 2] as number) << 16) |
        ((bytes[at + 3] as number) << 24),
    );
  }
  for (; at < bytes.length; at++) hash = step(hash, bytes[at] as number);
  return finish(hash);
}

const SCRATCH_NUMBERS = new Float64Array(2);
const SCRATCH_WORDS = new Uint32Array(SCRATCH_NUMBERS.buffer);

function step(hash: number, word: number): number {
  const scrambled = Math.imul(word, 0xcc9e2d51);
  const rotated = Math.imul((scrambled << 15) | (scrambled >>> 17), 0x1b873593);
  const mixed = hash ^ rotated;
  return (Math.imul((mixed << 13) | (mixed >>> 19), 5) + 0xe6546b64) | 0;
}

function finish(hash: number): number {
  let mixed = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}

function hexWord(word: number): string {
  return word.toString(16).padStart(8, "0");
}
