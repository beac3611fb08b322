import { type Cancel, type Clock, onAbort, throwIfAborted } from "../../base/index.ts";
import type {
  CarrierGetOptions,
  CarrierPutOptions,
  MapRecord,
  RecordCarrier,
  StoredReply,
} from "../../mapservice/index.ts";

/** Gets that may leave when the stream begins, and as many more with each step. */
const STEP_GETS = 4;

/** A step is an answer, or so much time without one. */
const STEP_MS = 100;

/** After so many gets the beginning is over: a window of a stream. */
const BEGINNING_GETS = 64;

/**
 * Lets the first frames of a stream go ahead: a slow start. A stream leaves gets for frames that
 * may come much later, and through circuits each of them costs all parties as much as a frame. So a
 * few leave when the stream begins, and a few more with each answer, or every tenth of a second.
 * Puts, and gets that do not wait, are never held.
 */
export class GentleStart implements RecordCarrier {
  readonly payloadSize: number;
  readonly isVerified: boolean;
  readonly handsOver: boolean;
  readonly #carrier: RecordCarrier;
  readonly #clock: Clock;
  /** Gets that wait for a step, the oldest first. */
  readonly #held = new Set<() => void>();
  /** Gets that may leave, and those that have left. */
  #allowed = STEP_GETS;
  #left = 0;
  #cancel: Cancel | undefined;

  constructor(carrier: RecordCarrier, clock: Clock) {
    this.#carrier = carrier;
    this.#clock = clock;
    this.payloadSize = carrier.payloadSize;
    this.isVerified = carrier.isVerified ?? false;
    this.handsOver = carrier.handsOver ?? false;
  }

  async put(record: MapRecord, options: CarrierPutOptions = {}): Promise<StoredReply> {
    const reply = await this.#carrier.put(record, options);
    this.#step();
    return reply;
  }

  async get(address: Uint8Array, options: CarrierGetOptions = {}): Promise<MapRecord> {
    if ((options.waitMs ?? 0) > 0 && !this.#mayLeave()) await this.#hold(options.signal);
    const record = await this.#carrier.get(address, options);
    this.#step();
    return record;
  }

  #mayLeave(): boolean {
    if (this.#allowed >= BEGINNING_GETS) return true;
    if (this.#left >= this.#allowed) return false;
    this.#left += 1;
    return true;
  }

  #hold(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      throwIfAborted(signal);
      let forget: Cancel = () => {};
      const leave = (): void => {
        this.#held.delete(leave);
        forget();
        resolve();
      };
      this.#held.add(leave);
      forget = onAbort(signal, (error) => {
        this.#held.delete(leave);
        reject(error);
      });
      this.#stepLater();
    });
  }

  #step(): void {
    if (this.#allowed >= BEGINNING_GETS) return;
    this.#allowed += STEP_GETS;
    for (const leave of [...this.#held]) {
      if (!this.#mayLeave()) break;
      leave();
    }
    this.#cancel?.();
    this.#cancel = undefined;
    this.#stepLater();
  }

  #stepLater(): void {
    if (this.#held.size === 0) return;
    const step = (): void => this.#step();
    const at = this.#clock.now() + STEP_MS;
    this.#cancel ??= this.#clock.schedule(at, step, { background: true });
  }
}
