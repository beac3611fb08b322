import type { Priority } from "../contract.ts";
import {
  type ControlFrame,
  DATA_FRAME_BYTES,
  encodeControlFrame,
  encodeDataHead,
  PRIORITIES,
} from "./mux-frames.ts";
import { bytesFor, creditCost, type MuxStream } from "./mux-stream.ts";

/** What one stream may send before it is the turn of the next one of its class. */
const TURN_BYTES = 16_384;

/** Room below which no data frame is begun. */
const DATA_ROOM_MIN = DATA_FRAME_BYTES + 1;
/** Room that every other frame fits in: an opening with the longest name. */
const CONTROL_ROOM = 72;

/** What went into one record. */
export interface Filling {
  /** The payload; `undefined` when nothing was to be sent. */
  readonly payload: Uint8Array | undefined;
  /** Streams of which all that was written is in the payload. */
  readonly written: readonly MuxStream[];
  /** Streams whose end is in it. */
  readonly endSent: readonly MuxStream[];
  /** Streams whose reset is in it: they are over. */
  readonly told: readonly MuxStream[];
}

interface Draft {
  readonly parts: Uint8Array[];
  room: number;
  readonly written: MuxStream[];
  readonly endSent: MuxStream[];
  readonly told: MuxStream[];
}

/**
 * Streams that have something to send: one queue for each class, in which streams take turns, and
 * before them what is short and others wait for, new streams and credit. A class has its turn when
 * the more urgent ones have nothing to send.
 */
export class SendQueue {
  readonly #classes: Readonly<Record<Priority, MuxStream[]>> = { urgent: [], normal: [], bulk: [] };
  readonly #openings: MuxStream[] = [];
  readonly #credits: MuxStream[] = [];

  get isEmpty(): boolean {
    if (this.#openings.length > 0 || this.#credits.length > 0) return false;
    return PRIORITIES.every((name) => this.#classes[name].length === 0);
  }

  /** Queues a stream if it has something to send and is not queued yet. */
  push(stream: MuxStream): void {
    if (stream.isQueued || !stream.isReady) return;
    stream.isQueued = true;
    this.#classes[stream.priority].push(stream);
  }

  /** Queues a stream that the peer has to be told of. */
  pushOpening(stream: MuxStream): void {
    this.#openings.push(stream);
  }

  /** Queues a stream that has credit to grant. */
  pushCredit(stream: MuxStream): void {
    if (stream.isCreditQueued) return;
    stream.isCreditQueued = true;
    this.#credits.push(stream);
  }

  /** Takes a stream out that is over. */
  remove(stream: MuxStream): void {
    if (stream.isQueued) removeFrom(this.#classes[stream.priority], stream);
    if (stream.isCreditQueued) removeFrom(this.#credits, stream);
    stream.isQueued = false;
    stream.isCreditQueued = false;
  }

  /** Fills one record of at most `bytesMax`, in memory of its size from `allocate`. */
  fill(bytesMax: number, allocate: (bytes: number) => Uint8Array): Filling {
    const draft: Draft = { parts: [], room: bytesMax, written: [], endSent: [], told: [] };
    this.#open(draft);
    this.#grant(draft);
    for (const name of PRIORITIES) {
      const queue = this.#classes[name];
      while (queue.length > 0 && draft.room >= CONTROL_ROOM) {
        const stream = queue.shift() as MuxStream;
        stream.isQueued = false;
        // Alone in its class it need not give way: one frame costs less than four.
        send(draft, stream, queue.length === 0 ? bytesMax : TURN_BYTES);
        this.push(stream);
      }
    }
    const { parts, written, endSent, told } = draft;
    const payload = parts.length === 0 ? undefined : joined(parts, allocate(bytesMax - draft.room));
    return { payload, written, endSent, told };
  }

  /** Their numbers go up: they are told in the order of their opening, whatever their classes. */
  #open(draft: Draft): void {
    while (this.#openings.length > 0 && draft.room >= CONTROL_ROOM) {
      const { id, protocol, priority } = this.#openings.shift() as MuxStream;
      add(draft, { kind: "open", id, protocol, priority });
    }
  }

  #grant(draft: Draft): void {
    while (this.#credits.length > 0 && draft.room >= CONTROL_ROOM) {
      const stream = this.#credits.shift() as MuxStream;
      stream.isCreditQueued = false;
      const amount = stream.consumed;
      if (stream.isPeerEnded || stream.due.reset !== undefined || amount === 0) continue;
      stream.consumed = 0;
      stream.receiveCredit += amount;
      add(draft, { kind: "credit", id: stream.id, amount });
    }
  }
}

/** One turn of one stream. */
function send(draft: Draft, stream: MuxStream, turnBytes: number): void {
  const { due, id } = stream;
  if (due.reset !== undefined) {
    add(draft, { kind: "reset", id, code: due.reset });
    stream.isResetSent = true;
    draft.told.push(stream);
    return;
  }
  sendData(draft, stream, turnBytes);
  if (stream.queuedBytes > 0 || !due.end || draft.room < CONTROL_ROOM) return;
  due.end = false;
  stream.isEndSent = true;
  add(draft, { kind: "end", id });
  draft.endSent.push(stream);
}

function sendData(draft: Draft, stream: MuxStream, turnBytes: number): void {
  const room = draft.room < DATA_ROOM_MIN ? 0 : draft.room - DATA_FRAME_BYTES;
  const bytes = Math.min(room, bytesFor(stream.sendCredit), stream.queuedBytes, turnBytes);
  if (bytes > 0) {
    addPart(draft, encodeDataHead(stream.id, bytes));
    for (const piece of stream.take(bytes)) draft.parts.push(piece);
    draft.room -= bytes;
    stream.sendCredit -= creditCost(bytes);
  }
  if (stream.queuedBytes === 0 && stream.isWriteOpen) {
    stream.isWriteOpen = false;
    draft.written.push(stream);
  }
  const isBlocked = stream.queuedBytes > 0 && bytesFor(stream.sendCredit) <= 0;
  if (!isBlocked || stream.isBlockedTold || draft.room < CONTROL_ROOM) return;
  stream.isBlockedTold = true;
  add(draft, { kind: "blocked", id: stream.id });
}

function add(draft: Draft, frame: ControlFrame): void {
  addPart(draft, encodeControlFrame(frame));
}

function addPart(draft: Draft, part: Uint8Array): void {
  draft.parts.push(part);
  draft.room -= part.length;
}

function joined(parts: readonly Uint8Array[], into: Uint8Array): Uint8Array {
  let at = 0;
  for (const part of parts) {
    into.set(part, at);
    at += part.length;
  }
  return into;
}

function removeFrom(queue: MuxStream[], stream: MuxStream): void {
  const at = queue.indexOf(stream);
  if (at >= 0) queue.splice(at, 1);
}
