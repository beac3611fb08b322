import { assert, CulvertError, unreachable } from "../../base/index.ts";
import {
  decodeHeader,
  type Entry,
  type FileEntry,
  type Manifest,
  PREFIX_BYTES,
  readHeaderLength,
} from "./manifest.ts";

/** Length of what follows the contents: SHA-256 of all bytes before it. */
export const TRAILER_BYTES = 32;

/** How many bytes a transfer has from its header to its trailer. */
export function transferBytes(header: Uint8Array, { contentBytes }: Manifest): number {
  return header.length + contentBytes + TRAILER_BYTES;
}

/** What the bytes of a transfer turn out to be, in order. */
export type TransferPart =
  /** Bytes of the header, as they came. */
  | { readonly kind: "header"; readonly bytes: Uint8Array }
  /** The header is complete. */
  | { readonly kind: "manifest"; readonly manifest: Manifest }
  /** Bytes of one file; `at` is their position in it. An empty file has no part. */
  | {
      readonly kind: "content";
      readonly file: FileEntry;
      readonly at: number;
      readonly bytes: Uint8Array;
    }
  /** The sender's SHA-256 of header and contents. Nothing may follow. */
  | { readonly kind: "trailer"; readonly digest: Uint8Array };

type Phase =
  | { readonly kind: "header"; readonly bytes: Uint8Array; readonly filled: number }
  | { readonly kind: "contents"; readonly file: number; readonly at: number }
  | { readonly kind: "trailer"; readonly bytes: Uint8Array; readonly filled: number }
  | { readonly kind: "over" };

/**
 * Takes the bytes of a transfer in pieces of any size and says what they are.
 *
 * Contract: `push` returns the parts of its bytes, which share memory with them. `skip` passes over
 * contents that an earlier run has kept. `finish` tells that the stream has ended. Anything but a
 * whole transfer and nothing more is refused, and the reader is of no use afterwards. Memory is
 * bounded by the largest header that is allowed.
 */
export class TransferReader {
  #phase: Phase = { kind: "header", bytes: new Uint8Array(PREFIX_BYTES), filled: 0 };
  /** The files that have contents. */
  #files: readonly FileEntry[] = [];

  /** @throws CulvertError `CULVERT_PROTOCOL` */
  push(bytes: Uint8Array): TransferPart[] {
    const parts: TransferPart[] = [];
    let rest = bytes;
    while (rest.length > 0) rest = rest.subarray(this.#take(rest, parts));
    return parts;
  }

  /** Passes over `length` bytes of contents without having them. */
  skip(length: number): void {
    for (let left = length; left > 0; ) {
      assert(this.#phase.kind === "contents", "only contents can be passed over");
      const { size } = this.#file(this.#phase);
      const step = Math.min(left, size - this.#phase.at);
      this.#advance(this.#phase, step);
      left -= step;
    }
  }

  /** @throws CulvertError `CULVERT_PROTOCOL` when the transfer is not complete */
  finish(): void {
    if (this.#phase.kind !== "over") refuse("the stream ended before the transfer did");
  }

  /** Takes what belongs together from the beginning of `bytes` and returns its length. */
  #take(bytes: Uint8Array, parts: TransferPart[]): number {
    const phase = this.#phase;
    switch (phase.kind) {
      case "header":
        return this.#takeHeader(phase, bytes, parts);
      case "contents":
        return this.#takeContent(phase, bytes, parts);
      case "trailer":
        return this.#takeTrailer(phase, bytes, parts);
      case "over":
        return refuse("bytes follow the end of the transfer");
      default:
        return unreachable(phase);
    }
  }

  #takeHeader(phase: Phase & { kind: "header" }, bytes: Uint8Array, parts: TransferPart[]): number {
    const taken = fill(phase, bytes);
    parts.push({ kind: "header", bytes: taken });
    const filled = phase.filled + taken.length;
    this.#phase = { ...phase, filled };
    if (filled === phase.bytes.length) this.#headerFilled(phase.bytes, parts);
    return taken.length;
  }

  /** The prefix is complete, and says how long the header is; or the header is. */
  #headerFilled(filled: Uint8Array, parts: TransferPart[]): void {
    const length = readHeaderLength(filled);
    if (filled.length < length) {
      const bytes = new Uint8Array(length);
      bytes.set(filled);
      this.#phase = { kind: "header", bytes, filled: filled.length };
      return;
    }
    const manifest = decodeHeader(filled);
    parts.push({ kind: "manifest", manifest });
    this.#files = manifest.entries.filter(hasContents);
    this.#openFile(0);
  }

  #takeContent(
    phase: Phase & { kind: "contents" },
    bytes: Uint8Array,
    parts: TransferPart[],
  ): number {
    const file = this.#file(phase);
    const taken = bytes.subarray(0, file.size - phase.at);
    parts.push({ kind: "content", file, at: phase.at, bytes: taken });
    this.#advance(phase, taken.length);
    return taken.length;
  }

  #takeTrailer(
    phase: Phase & { kind: "trailer" },
    bytes: Uint8Array,
    parts: TransferPart[],
  ): number {
    const taken = fill(phase, bytes);
    const filled = phase.filled + taken.length;
    this.#phase = { ...phase, filled };
    if (filled < TRAILER_BYTES) return taken.length;
    parts.push({ kind: "trailer", digest: phase.bytes });
    this.#phase = { kind: "over" };
    return taken.length;
  }

  #file(phase: Phase & { kind: "contents" }): FileEntry {
    const file = this.#files[phase.file];
    assert(file !== undefined, "the contents have not ended");
    return file;
  }

  #advance(phase: Phase & { kind: "contents" }, by: number): void {
    const at = phase.at + by;
    if (at < this.#file(phase).size) this.#phase = { ...phase, at };
    else this.#openFile(phase.file + 1);
  }

  #openFile(file: number): void {
    this.#phase =
      file < this.#files.length
        ? { kind: "contents", file, at: 0 }
        : { kind: "trailer", bytes: new Uint8Array(TRAILER_BYTES), filled: 0 };
  }
}

function hasContents(entry: Entry): entry is FileEntry {
  return entry.kind === "file" && entry.size > 0;
}

/** Copies what still fits from the beginning of `bytes`, and returns that part of them. */
function fill(into: { bytes: Uint8Array; filled: number }, bytes: Uint8Array): Uint8Array {
  const taken = bytes.subarray(0, into.bytes.length - into.filled);
  into.bytes.set(taken, into.filled);
  return taken;
}

function refuse(message: string): never {
  throw new CulvertError("CULVERT_PROTOCOL", message);
}
