import type { Side } from "./faults.ts";
import { hashBytes } from "./trace.ts";
import { Violation } from "./violation.ts";
import type { PutRequest } from "./virtual-map.ts";

/** Bytes in front of a cell that hold its nonce. */
const NONCE_BYTES = 24;

interface Sealed {
  readonly side: Side;
  readonly hash: number;
}

/** How often a side may send, for the judge of paced streams. */
export interface PaceRule {
  readonly meanMs: number;
}

/**
 * The oracles that watch what leaves the parties: nothing is put under one frame id with two
 * contents, no nonce is used for two cells, all cells have one length, and a pace is kept. They see
 * only what an observer at the store sees.
 */
export class Referee {
  readonly #sealed = new Map<string, Sealed>();
  readonly #nonces = new Map<string, number>();
  readonly #pace: PaceRule | undefined;
  readonly #restoresBackups: boolean;
  readonly #sent = { a: { puts: 0, gets: 0 }, b: { puts: 0, gets: 0 } };
  #cellBytes: number | undefined;
  #mustBeIdle = false;

  constructor(rules: { readonly pace?: PaceRule | undefined; readonly restoresBackups?: boolean }) {
    this.#pace = rules.pace;
    this.#restoresBackups = rules.restoresBackups ?? false;
  }

  /** How many different places have been put to. */
  get places(): number {
    return this.#sealed.size;
  }

  /** From now on a put breaks the rules. */
  expectIdle(): void {
    this.#mustBeIdle = true;
  }

  /** Judges a put before it leaves; answers with the hash of the cell. */
  put(side: Side, key: string, put: PutRequest, now: number): number {
    const hash = hashBytes(put.cell);
    this.#cellBytes ??= put.cell.length;
    if (put.cell.length !== this.#cellBytes) {
      throw new Violation("cell-length", `${put.cell.length} bytes after ${this.#cellBytes}`);
    }
    if (this.#mustBeIdle) {
      throw new Violation("idle", `${side} puts although nothing is left to do`);
    }
    this.#judgeSeal(side, key, put.cell, hash);
    this.#count(side, "puts", now);
    return hash;
  }

  /** Judges a get before it leaves. */
  get(side: Side, now: number): void {
    this.#count(side, "gets", now);
  }

  #judgeSeal(side: Side, key: string, cell: Uint8Array, hash: number): void {
    const before = this.#sealed.get(key);
    if (before !== undefined && before.side !== side) {
      throw new Violation("frame-reused", "both sides put to one place");
    }
    if (before?.hash === hash) return;
    if (before !== undefined && !this.#restoresBackups) {
      throw new Violation("frame-reused", `${side} seals two frames for one place`);
    }
    this.#sealed.set(key, { side, hash });
    const nonce = String.fromCharCode(...cell.subarray(0, NONCE_BYTES));
    const other = this.#nonces.get(nonce);
    if (other !== undefined && other !== hash) {
      throw new Violation("nonce-reused", `${side} uses one nonce for two cells`);
    }
    this.#nonces.set(nonce, hash);
  }

  /** A paced side stays below the mean plus six standard deviations of a Poisson process. */
  #count(side: Side, what: "puts" | "gets", now: number): void {
    this.#sent[side][what] += 1;
    if (this.#pace === undefined) return;
    const mean = now / this.#pace.meanMs;
    const most = mean + 6 * Math.sqrt(mean) + 6;
    if (this.#sent[side][what] > most) {
      throw new Violation("pace", `${side} made ${this.#sent[side][what]} ${what} in ${now} ms`);
    }
  }
}
