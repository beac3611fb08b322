import { SharedCalls, toHex } from "../../base/index.ts";
import type {
  CarrierGetOptions,
  CarrierPutOptions,
  MapRecord,
  RecordCarrier,
  StoredReply,
} from "../../mapservice/index.ts";

/**
 * Lets whoever asks for the same thing again while it is under way wait for the same answer. A
 * stream repeats what is late; over a road that sees to it by itself that nothing is lost on the
 * way, the repetition would only stand in line behind the first.
 */
export class SharedCarrier implements RecordCarrier {
  readonly payloadSize: number;
  readonly isVerified: boolean;
  readonly #carrier: RecordCarrier;
  readonly #puts = new SharedCalls<StoredReply>();
  readonly #gets = new SharedCalls<MapRecord>();

  constructor(carrier: RecordCarrier) {
    this.#carrier = carrier;
    this.payloadSize = carrier.payloadSize;
    this.isVerified = carrier.isVerified ?? false;
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
