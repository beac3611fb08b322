import { type Clock, SharedCalls, toHex } from "../../base/index.ts";
import type {
  CarrierGetOptions,
  CarrierPutOptions,
  MapRecord,
  RecordCarrier,
  StoredReply,
} from "../../mapservice/index.ts";

/**
 * What is asked for again after so long is asked once more: whoever was asked first may say nothing
 * on purpose. Answers that do not wait for anybody are there by then.
 */
const PATIENCE_MS = 5_000;

/**
 * Lets whoever asks for the same thing again while it is under way wait for the same answer. A
 * stream repeats what is late; over a road that sees to it by itself that nothing is lost on the
 * way, the repetition would only stand in line behind the first. With a clock, what is repeated
 * later is carried a second time, and no more.
 */
export class SharedCarrier implements RecordCarrier {
  readonly payloadSize: number;
  readonly isVerified: boolean;
  readonly #carrier: RecordCarrier;
  readonly #puts: RepeatedCalls<StoredReply>;
  readonly #gets: RepeatedCalls<MapRecord>;

  constructor(carrier: RecordCarrier, clock?: Pick<Clock, "now">) {
    this.#carrier = carrier;
    this.payloadSize = carrier.payloadSize;
    this.isVerified = carrier.isVerified ?? false;
    this.#puts = new RepeatedCalls(clock);
    this.#gets = new RepeatedCalls(clock);
  }

  async put(record: MapRecord, options: CarrierPutOptions = {}): Promise<StoredReply> {
    // The signature tells records of one address apart.
    const key = toHex(record.address) + toHex(record.signature);
    return await this.#puts.join(key, options.signal, (signal) => {
      // It may go on when the first who asked has turned away and uses its bytes again.
      const copy = { ...record, payload: record.payload.slice() };
      return this.#carrier.put(copy, { signal });
    });
  }

  /** Waits as long as the first who asked wanted to; who wants to wait longer asks again. */
  async get(address: Uint8Array, options: CarrierGetOptions = {}): Promise<MapRecord> {
    const { waitMs = 0 } = options;
    return await this.#gets.join(toHex(address), options.signal, (signal) =>
      this.#carrier.get(address, { waitMs, signal }),
    );
  }
}

/** Calls that are shared; a second one is begun for whoever joins one that is late. */
class RepeatedCalls<T> {
  readonly #clock: Pick<Clock, "now"> | undefined;
  readonly #first = new SharedCalls<T>();
  readonly #second = new SharedCalls<T>();
  /** When each of the first was begun. */
  readonly #begunAt = new Map<string, { readonly at: number }>();

  constructor(clock: Pick<Clock, "now"> | undefined) {
    this.#clock = clock;
  }

  async join(
    key: string,
    signal: AbortSignal | undefined,
    begin: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const now = this.#clock?.now() ?? 0;
    const { at = now } = this.#begunAt.get(key) ?? {};
    if (now - at >= PATIENCE_MS) return await this.#second.join(key, signal, begin);
    return await this.#first.join(key, signal, async (limit) => {
      const begun = { at: now };
      this.#begunAt.set(key, begun);
      try {
        return await begin(limit);
      } finally {
        if (this.#begunAt.get(key) === begun) this.#begunAt.delete(key);
      }
    });
  }
}
