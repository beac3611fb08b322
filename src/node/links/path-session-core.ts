import {
  type Core,
  type CulvertError,
  concatBytes,
  equalBytes,
  type Instant,
  isCulvertError,
} from "../../base/index.ts";
import { Reader, UnreadBytes, Writer } from "../../codec/index.ts";

/** What a session is told. */
export type PathSessionInput =
  /** Bytes from the stream, handed over. */
  | { readonly kind: "received"; readonly bytes: Uint8Array }
  /** Bytes for the other end, borrowed; dropped when no path is open. */
  | { readonly kind: "write"; readonly bytes: Uint8Array }
  /** This end gives the open path up and asks for a new one. */
  | { readonly kind: "close"; readonly nonce: Uint8Array };

/** What a session asks its shell to do, in this order. */
export type PathSessionEffect =
  | { readonly kind: "send"; readonly bytes: Uint8Array }
  /** Both ends know of each other: a new path begins. */
  | { readonly kind: "open" }
  /** Bytes of the path; they are the owner's. */
  | { readonly kind: "data"; readonly bytes: Uint8Array }
  /** The other end began anew: the path is over. */
  | { readonly kind: "closed" }
  /** The last effect: the other end broke the protocol. */
  | { readonly kind: "fail"; readonly error: CulvertError };

/** Bytes of the name that each run of an end gives itself. */
export const SESSION_NONCE_BYTES = 16;

/** Where in the stream a session begins: whole bytes, behind those of earlier ones. */
export interface SessionOffsets {
  readonly read: number;
  readonly write: number;
}

const BROKEN = 0;
const HELLO = 1;
const DATA = 2;
const PREFIX_BYTES = 4;
const HELLO_BYTES = PREFIX_BYTES + 1 + 2 * SESSION_NONCE_BYTES;
/** No frame crosses a multiple of this, so that one that was cut off is over there. */
const BLOCK_BYTES = 4_096;
const NOBODY = new Uint8Array(SESSION_NONCE_BYTES);

/**
 * Paths for a link over one stream that survives its ends. A stream goes on when a process comes
 * back, a link cannot: so each run of an end has a nonce, and a path begins when both have said
 * their own and the other's. What was sent to an earlier run still comes, and is recognised: it is
 * older than the greeting of this one.
 *
 * Frames: length u32, kind u8; `hello` (own nonce 16, the other's or zeros 16), `data` (bytes). A
 * process that is killed may leave a piece of one: the next run fills the block with zeros, which
 * are no frame. What they make of the piece is of an earlier run, too.
 */
export class PathSessionCore implements Core<PathSessionInput, PathSessionEffect> {
  readonly #unread = new UnreadBytes();
  /** Length of the frame whose prefix was read. */
  #awaited: number | undefined;
  #readAt: number;
  #writtenAt: number;
  readonly #effects: PathSessionEffect[] = [];
  #own: Uint8Array;
  #peer: Uint8Array = NOBODY;
  #isOpen = false;
  #isOver = false;

  /** @param nonce 16 random bytes of this run, copied */
  constructor(nonce: Uint8Array, { read, write }: SessionOffsets = { read: 0, write: 0 }) {
    this.#own = nonce.slice();
    this.#readAt = read;
    this.#writtenAt = write;
    this.#fill();
    this.#greet();
  }

  /** Bytes of a frame that is not all here: the next run needs them again. */
  get unusedBytes(): number {
    return this.#unread.length + (this.#awaited === undefined ? 0 : PREFIX_BYTES);
  }

  handle(input: PathSessionInput, _now: Instant): void {
    if (this.#isOver) return;
    switch (input.kind) {
      case "received":
        this.#receive(input.bytes);
        break;
      case "write":
        if (this.#isOpen) this.#write(input.bytes);
        break;
      case "close":
        this.#isOpen = false;
        this.#own = input.nonce.slice();
        this.#greet();
        break;
    }
  }

  timeout(_now: Instant): void {}

  poll(): PathSessionEffect | undefined {
    return this.#effects.shift();
  }

  deadline(): Instant {
    return Number.POSITIVE_INFINITY;
  }

  #receive(bytes: Uint8Array): void {
    try {
      this.#unread.push(bytes);
      for (let frame = this.#take(); frame !== undefined; frame = this.#take()) {
        if (frame.length > 0) this.#read(new Reader(frame));
      }
    } catch (error) {
      if (!isCulvertError(error, "CULVERT_PROTOCOL")) throw error;
      this.#isOver = true;
      this.#effects.push({ kind: "fail", error });
    }
  }

  /** The next frame, or an empty one for what is none. */
  #take(): Uint8Array | undefined {
    if (this.#awaited === undefined) {
      const length = this.#prefix();
      if (length === undefined) return undefined;
      this.#awaited = length;
    }
    if (this.#unread.length < this.#awaited) return undefined;
    const frame = this.#unread.take(this.#awaited);
    this.#readAt += frame.length;
    this.#awaited = undefined;
    return frame;
  }

  #prefix(): number | undefined {
    const left = leftOfBlock(this.#readAt);
    if (left < PREFIX_BYTES) return this.#unread.length < left ? undefined : left;
    if (this.#unread.length < PREFIX_BYTES) return undefined;
    const length = this.#unread.takeU32();
    this.#readAt += PREFIX_BYTES;
    const isFrame = length > 0 && length <= left - PREFIX_BYTES;
    return isFrame ? length : left - PREFIX_BYTES;
  }

  #read(reader: Reader): void {
    const kind = reader.u8("kind");
    if (kind === BROKEN) return;
    if (kind === DATA) {
      if (this.#isOpen) this.#effects.push({ kind: "data", bytes: reader.rest().slice() });
      return;
    }
    if (kind !== HELLO) reader.refuse("kind", "is neither a hello nor data");
    const peer = reader.bytes(SESSION_NONCE_BYTES, "nonce").slice();
    const seen = reader.bytes(SESSION_NONCE_BYTES, "seen nonce");
    reader.expectEnd();
    this.#meet(peer, equalBytes(seen, this.#own));
  }

  /** The other end says who it is in this run, and whether it knows of ours. */
  #meet(peer: Uint8Array, knowsUs: boolean): void {
    const isNew = !equalBytes(peer, this.#peer);
    if (isNew && this.#isOpen) {
      this.#isOpen = false;
      this.#effects.push({ kind: "closed" });
    }
    this.#peer = peer;
    if (isNew) this.#greet();
    if (knowsUs && !this.#isOpen) {
      this.#isOpen = true;
      this.#effects.push({ kind: "open" });
    }
  }

  #greet(): void {
    if (leftOfBlock(this.#writtenAt) < HELLO_BYTES) this.#fill();
    this.#send(HELLO, concatBytes(this.#own, this.#peer));
  }

  #write(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) {
      const room = leftOfBlock(this.#writtenAt) - PREFIX_BYTES - 1;
      if (room <= 0) this.#fill();
      else {
        this.#send(DATA, bytes.subarray(at, at + room));
        at += room;
      }
    }
  }

  /** Zeros up to the next block. */
  #fill(): void {
    const left = leftOfBlock(this.#writtenAt);
    if (left === BLOCK_BYTES) return;
    this.#writtenAt += left;
    this.#effects.push({ kind: "send", bytes: new Uint8Array(left) });
  }

  #send(kind: number, payload: Uint8Array): void {
    const { length } = payload;
    const frame = new Writer(PREFIX_BYTES + 1 + length)
      .u32(1 + length)
      .u8(kind)
      .bytes(payload)
      .finish();
    this.#writtenAt += frame.length;
    this.#effects.push({ kind: "send", bytes: frame });
  }
}

/** Bytes from `offset` to the end of its block. */
function leftOfBlock(offset: number): number {
  return BLOCK_BYTES - (offset % BLOCK_BYTES);
}
