import type { Instant } from "../../base/index.ts";
import type { Chain } from "../../crypto/index.ts";
import { ChainReader } from "../exchange/chain-reader.ts";
import type { Exchange, Request } from "../exchange/exchange.ts";
import { openFrame } from "../frame/cell.ts";
import { type Frame, NO_MARK } from "../frame/frame.ts";
import type { FrameKeys, SavedChain } from "../frame/frame-keys.ts";
import { ACK_PLACES, ACK_PLACES_SCARCE } from "./ack-writer.ts";

/** Acks that are passed over at once: the chain has to be derived over each of them. */
const PASSED_ACKS_MAX = 1_024;

/** What the ack reader needs from the core around it. */
export interface AckReaderInit {
  readonly cellBytes: number;
  readonly exchange: Exchange;
  readonly keys: FrameKeys;
  readonly quietAskMsMax: number;
  /** Indexes that are asked for beyond the last one that is known, if not as many as is usual. */
  readonly places?: number;
  /** A newer ack than any before was opened. */
  readonly onAck: (frame: Frame, now: Instant) => void;
  readonly onSpoiled: () => void;
}

/**
 * Follows the peer's ack chain while something of ours is unacknowledged. Each ack says everything,
 * so a later one makes the earlier ones worthless.
 */
export class AckReader {
  readonly #init: AckReaderInit;
  readonly #reader: ChainReader;

  constructor(init: AckReaderInit, state?: SavedChain) {
    this.#init = init;
    this.#reader = new ChainReader(init.exchange, init.keys, state?.next ?? 0, {
      purpose: "ack-get",
      aheadMin: init.places ?? (init.exchange.isPaced ? ACK_PLACES_SCARCE : ACK_PLACES),
      aheadMax: () => init.places ?? ACK_PLACES,
      aheadGrowth: 0,
      quietAskMsMax: init.quietAskMsMax,
      quietPlaces: ACK_PLACES_SCARCE,
    });
  }

  /** The index of the next ack that is looked for. */
  get next(): number {
    return this.#reader.base;
  }

  /** The peer was asked for an ack: one may be there soon, and expire before it is looked for. */
  expect(now: Instant): void {
    this.#reader.expect(now);
  }

  /** Whether anybody wants to hear of acks now. */
  set isOpen(open: boolean) {
    this.#reader.isOpen = open;
  }

  onGot(request: Request, cell: Uint8Array, now: Instant): void {
    const { index } = request;
    if (index < this.#reader.base) return;
    const opened = openFrame(cell, this.#init.keys.at(index), this.#init.cellBytes);
    if (opened.kind !== "frame" || !isAck(opened.frame)) {
      this.#init.onSpoiled();
      this.#reader.spoiled(index, now);
      return;
    }
    this.#reader.arrived(index, now);
    this.#reader.passTo(index + 1, now);
    this.#init.keys.advance(this.#reader.base);
    this.#init.onAck(opened.frame, now);
  }

  /** The peer's newest ack is at `index`: those before it are no news, if it is out of reach. */
  passTo(index: number, now: Instant): void {
    const { base } = this.#reader;
    if (index < base + ACK_PLACES) return;
    const reached = Math.min(index, base + PASSED_ACKS_MAX);
    this.#reader.passTo(reached, now);
    this.#init.keys.advance(reached);
  }

  /** Nothing is read before `index`, however far it is; `chain` is the state there, copied. */
  leapTo(index: number, chain: Chain, now: Instant): void {
    this.#reader.passTo(index, now);
    this.#init.keys.leap(index, chain);
    this.#init.keys.advance(index);
  }

  onFailed(request: Request, now: Instant): void {
    this.#reader.failed(request, now);
  }

  onLate(request: Request): void {
    this.#reader.late(request);
  }

  pump(now: Instant): void {
    this.#reader.pump(now, Number.POSITIVE_INFINITY);
  }

  deadline(now: Instant): Instant {
    return this.#reader.deadline(now, Number.POSITIVE_INFINITY);
  }

  save(): SavedChain {
    return { next: this.#reader.base, chain: this.#init.keys.baseState() };
  }
}

function isAck({ type, previous }: Frame): boolean {
  return type === "ack" && previous === NO_MARK;
}
