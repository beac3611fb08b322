import type { Instant } from "../../base/index.ts";
import type { Request } from "../exchange/exchange.ts";
import type { WriterInit } from "../exchange/writer-init.ts";
import { FRAME_ID_BYTES, sealFrame } from "../frame/cell.ts";
import { NO_MARK } from "../frame/frame.ts";
import type { AckWriterState } from "../state.ts";

/**
 * How many ack indexes beyond the last stored one may be used, and so how many beyond the highest
 * seen one the writer of the data has to ask for. Where puts are rationed, fewer are used.
 */
export const ACK_PLACES = 16;
export const ACK_PLACES_SCARCE = 4;

/** What the ack writer needs from the core around it. */
export interface AckWriterInit extends WriterInit {
  /** Indexes that may be used beyond the last stored one, if not as many as above. */
  readonly places?: number;
}

interface PendingAck {
  /** In memory unless a restart left it in the journal. */
  sealed: Uint8Array | undefined;
  state: "sealing" | "flying" | "suspect" | "recalling";
}

/** Acks are journalled under this name until a later one is stored. */
export function ackName(index: number): string {
  return `a${index}`;
}

const NOTHING = new Uint8Array(0);

/**
 * Puts ack frames on our ack chain: each one says everything, so only the newest one matters, and
 * none is acknowledged. At most {@link ACK_PLACES} indexes are used beyond the last one that the
 * Map gave a receipt for: a reader of acks that asks for so many places never loses the trail.
 */
export class AckWriter {
  readonly #init: AckWriterInit;
  readonly #pending = new Map<number, PendingAck>();
  /** Acks that the journal was asked for: each of them holds a place of the window. */
  readonly #recalling = new Set<number>();
  #next: number;
  #stored: number;
  #dueAt: Instant = Number.POSITIVE_INFINITY;

  constructor(init: AckWriterInit, state?: AckWriterState) {
    this.#init = init;
    this.#next = state?.next ?? 0;
    this.#stored = state?.stored ?? -1;
    for (const index of state?.pending ?? []) {
      this.#pending.set(index, { sealed: undefined, state: "suspect" });
    }
  }

  /** The index of the next ack. */
  get next(): number {
    return this.#next;
  }

  /** Whether something was to be said and no receipt for it has come. */
  get isSettled(): boolean {
    return this.#dueAt === Number.POSITIVE_INFINITY && this.#pending.size === 0;
  }

  /** An ack has to be put by `at`; an earlier wish stands. */
  want(at: Instant): void {
    this.#dueAt = Math.min(this.#dueAt, at);
  }

  /** A data frame has said it all. */
  satisfied(): void {
    this.#dueAt = Number.POSITIVE_INFINITY;
  }

  pump(now: Instant): void {
    if (!this.#init.exchange.mayPut(now)) return;
    if (now >= this.#dueAt && this.#next <= this.#lastPlace()) this.#seal(now);
    else this.#repeat(now);
  }

  deadline(now: Instant): Instant {
    const ready = this.#init.exchange.readyAt("put", now);
    if (this.#suspectIndex() !== undefined) return ready;
    if (this.#next > this.#lastPlace()) return Number.POSITIVE_INFINITY;
    return Math.max(this.#dueAt, ready);
  }

  onStored(request: Request): void {
    if (request.index <= this.#stored) return;
    this.#stored = request.index;
    for (const index of [...this.#pending.keys()]) {
      if (index > request.index) continue;
      this.#pending.delete(index);
      this.#init.commits.remove(ackName(index));
    }
  }

  onLate(request: Request): void {
    const pending = this.#pending.get(request.index);
    if (pending?.state === "flying") pending.state = "suspect";
  }

  /** False when the journal has lost what it confirmed. */
  onRecalled(index: number, sealed: Uint8Array | undefined, now: Instant): boolean {
    if (!this.#recalling.delete(index)) return true;
    this.#init.exchange.releasePut();
    const pending = this.#pending.get(index);
    // A newer ack was stored in the meantime: this one is no news.
    if (pending === undefined) return true;
    if (sealed?.length !== FRAME_ID_BYTES + this.#init.cellBytes) return false;
    pending.sealed = sealed;
    this.#init.exchange.reservePut(now);
    this.#put(index, pending, sealed, now);
    return true;
  }

  save(): AckWriterState {
    return {
      next: this.#next,
      stored: this.#stored,
      pending: [...this.#pending.keys()],
      chain: this.#init.keys.baseState(),
    };
  }

  /** Sealed acks that are in memory, by name. */
  residentByName(): Map<string, Uint8Array> {
    const byName = new Map<string, Uint8Array>();
    for (const [index, { sealed }] of this.#pending) {
      if (sealed !== undefined) byName.set(ackName(index), sealed);
    }
    return byName;
  }

  #lastPlace(): number {
    const { exchange, places } = this.#init;
    return this.#stored + (places ?? (exchange.isPaced ? ACK_PLACES_SCARCE : ACK_PLACES));
  }

  #seal(now: Instant): void {
    const { acknowledge, exchange, keys, cellBytes, random, commits } = this.#init;
    this.#dueAt = Number.POSITIVE_INFINITY;
    const index = this.#next;
    this.#next += 1;
    exchange.reservePut(now);
    const { acknowledgement, flags } = acknowledge();
    const sealed = sealFrame(
      { type: "ack", previous: NO_MARK, acknowledgement, flags, payload: NOTHING },
      { keys: keys.at(index), cellBytes, random },
    );
    keys.advance(index + 1);
    const pending: PendingAck = { sealed, state: "sealing" };
    this.#pending.set(index, pending);
    commits.stage(ackName(index), sealed, (later) => {
      if (this.#pending.get(index) === pending) this.#put(index, pending, sealed, later);
      else exchange.releasePut();
    });
  }

  /** Puts the newest ack again that has no receipt; the older ones are no longer news. */
  #repeat(now: Instant): void {
    const index = this.#suspectIndex();
    if (index === undefined) return;
    const pending = this.#pending.get(index) as PendingAck;
    this.#init.exchange.reservePut(now);
    if (pending.sealed !== undefined) {
      this.#put(index, pending, pending.sealed, now);
    } else {
      pending.state = "recalling";
      this.#recalling.add(index);
      this.#init.effects.push({ kind: "recall", name: ackName(index) });
    }
  }

  #suspectIndex(): number | undefined {
    const newest = this.#next - 1;
    return this.#pending.get(newest)?.state === "suspect" ? newest : undefined;
  }

  #put(index: number, pending: PendingAck, sealed: Uint8Array, now: Instant): void {
    pending.state = "flying";
    this.#init.exchange.put("ack-put", index, sealed, now);
  }
}
