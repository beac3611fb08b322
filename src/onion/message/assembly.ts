import { concatBytes, type Instant, toHex } from "../../base/index.ts";
import type { Content } from "./content.ts";

/** Bounds of what is put together from pieces. */
export interface AssemblyLimits {
  /** Messages of which pieces are missing; then the oldest one goes of whoever has most of them. */
  readonly messagesMax: number;
  /** Bytes of all packets that their pieces came in; then the same by bytes. */
  readonly bytesMax: number;
  /** Pieces of one message. */
  readonly piecesMax: number;
  /** How long a message may take to come. */
  readonly messageMs: number;
}

/** Tuned for messages of some packets; the states of hops live as long. */
export const ASSEMBLY_LIMITS: AssemblyLimits = Object.freeze({
  messagesMax: 1_024,
  bytesMax: 4_194_304,
  piecesMax: 64,
  messageMs: 30_000,
});

/** One piece with what came along. */
interface Piece<T> {
  readonly content: Content;
  readonly way: T;
}

interface Unfinished<T> {
  readonly since: Instant;
  /** Whom it counts for: whoever has brought the first piece. */
  readonly source: string;
  readonly pieces: Map<number, Piece<T>>;
  count: number | undefined;
  bytes: number;
}

/** A message that is whole: its pieces in order, and their bytes in one. */
export interface WholeMessage<T> {
  readonly data: Uint8Array;
  readonly pieces: readonly Piece<T>[];
}

/** How a piece came. */
export interface Arrival<T> {
  /** Whatever belongs to a piece: how it can be answered. */
  readonly way: T;
  /** Whom it counts for. */
  readonly source: string;
}

/** What one source has of what all share. */
interface Share {
  readonly messages: Set<string>;
  bytes: number;
}

/**
 * Puts messages together from pieces that come in any order, repeated, or not at all. Whoever
 * begins more than there is room for has its own forgotten, and nobody else's.
 */
export class Assembly<T> {
  readonly #limits: AssemblyLimits;
  /** Oldest first. */
  readonly #partial = new Map<string, Unfinished<T>>();
  readonly #shares = new Map<string, Share>();
  #bytes = 0;

  constructor(limits: AssemblyLimits = ASSEMBLY_LIMITS) {
    this.#limits = limits;
  }

  /** Messages of which pieces are missing. */
  get size(): number {
    return this.#partial.size;
  }

  /** Takes a piece, whose bytes are kept; the message if it is whole with it. */
  add(content: Content, { way, source }: Arrival<T>, now: Instant): WholeMessage<T> | undefined {
    this.#forgetOld(now);
    const name = toHex(content.message);
    const partial = this.#partial.get(name) ?? {
      since: now,
      source,
      pieces: new Map<number, Piece<T>>(),
      count: undefined,
      bytes: 0,
    };
    if (content.index >= this.#limits.piecesMax || partial.pieces.has(content.index)) {
      return undefined;
    }
    this.#partial.set(name, partial);
    partial.pieces.set(content.index, { content, way });
    // A piece is a view of its packet, whose reply block and padding it keeps too.
    const bytes = content.data.buffer.byteLength;
    partial.bytes += bytes;
    this.#bytes += bytes;
    const share = this.#shares.get(partial.source) ?? { messages: new Set(), bytes: 0 };
    this.#shares.set(partial.source, share);
    share.messages.add(name);
    share.bytes += bytes;
    if (content.isLast) partial.count = content.index + 1;
    const message = whole(partial);
    if (message !== undefined) {
      this.#forget(name, partial);
      return message;
    }
    this.#forgetTooMuch();
    return undefined;
  }

  #forgetOld(now: Instant): void {
    for (const [name, partial] of this.#partial) {
      if (now - partial.since < this.#limits.messageMs) return;
      this.#forget(name, partial);
    }
  }

  #forgetTooMuch(): void {
    const { messagesMax, bytesMax } = this.#limits;
    for (;;) {
      const isTooLong = this.#bytes > bytesMax;
      if (this.#partial.size <= messagesMax && !isTooLong) return;
      const sizeOf = ({ messages, bytes }: Share): number => (isTooLong ? bytes : messages.size);
      let most: Share | undefined;
      for (const share of this.#shares.values()) {
        if (most === undefined || sizeOf(share) > sizeOf(most)) most = share;
      }
      const [oldest = ""] = most?.messages ?? [];
      const partial = this.#partial.get(oldest);
      if (partial === undefined) return;
      this.#forget(oldest, partial);
    }
  }

  #forget(name: string, partial: Unfinished<T>): void {
    this.#partial.delete(name);
    this.#bytes -= partial.bytes;
    const share = this.#shares.get(partial.source);
    if (share === undefined) return;
    share.messages.delete(name);
    share.bytes -= partial.bytes;
    if (share.messages.size === 0) this.#shares.delete(partial.source);
  }
}

function whole<T>({ pieces, count }: Unfinished<T>): WholeMessage<T> | undefined {
  if (count === undefined || pieces.size < count) return undefined;
  const ordered: Piece<T>[] = [];
  for (let index = 0; index < count; index++) {
    const piece = pieces.get(index);
    if (piece === undefined) return undefined;
    ordered.push(piece);
  }
  return { data: concatBytes(...ordered.map(({ content }) => content.data)), pieces: ordered };
}
