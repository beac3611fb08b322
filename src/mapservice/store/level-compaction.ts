import type { Level } from "level";
import { bucketRanges } from "./level-record-layout.ts";

/** Expired bytes from which on, and share of the living ones, the disk is given back. */
const BYTES_MIN = 4 * 2 ** 20;
const SHARE = 1 / 8;

/**
 * Remembers what was removed, and gives the disk back when that is worth it. Records of one expiry
 * lie together, so what was removed is a range of its own and nothing that lives is rewritten.
 */
export class LevelCompaction {
  #bytes = 0;
  #from = Number.POSITIVE_INFINITY;
  #to = 0;

  /** So many bytes of these buckets were removed. */
  add(bytes: number, bucket: number): void {
    this.#bytes += bytes;
    this.#from = Math.min(this.#from, bucket);
    this.#to = Math.max(this.#to, bucket);
  }

  /** Compacts when what was removed weighs enough beside what lives. */
  async run(db: Level<Uint8Array, Uint8Array>, livingBytes: number): Promise<void> {
    if (this.#bytes < Math.max(BYTES_MIN, SHARE * livingBytes) || !canCompact(db)) return;
    const ranges = bucketRanges(this.#from, this.#to);
    this.#bytes = 0;
    this.#from = Number.POSITIVE_INFINITY;
    this.#to = 0;
    for (const { start, end } of ranges) {
      // Whoever closes the store does not wait for this.
      if (db.status === "open") await db.compactRange(start, end);
    }
  }
}

/** What `level` can do on Node and its types leave out, because browsers cannot. */
interface Compacting {
  compactRange(start: Uint8Array, end: Uint8Array): Promise<void>;
}

function canCompact(db: object): db is Compacting {
  return "compactRange" in db && typeof db.compactRange === "function";
}
