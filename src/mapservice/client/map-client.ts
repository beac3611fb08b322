import { type Clock, CulvertError, requireMethods } from "../../base/index.ts";
import { systemClock } from "../../io/clock.ts";
import type { Receipt, Transport, TransportKeys } from "../../transport/index.ts";
import { BoundMapClient, type MapClientStatistics } from "./bound-map-client.ts";
import type { RecordCarrier } from "./record-carrier.ts";

/** How a client behaves. */
export interface MapClientOptions {
  /**
   * Pins the node: a put counts only with a receipt that this key (32 bytes) has signed for the
   * life that is told, as far as clocks agree: within two hours.
   */
  readonly nodeKey?: Uint8Array;
  /** The machine's own, unless told otherwise. */
  readonly clock?: Pick<Clock, "unixMs">;
  /** Asked for when a put says nothing; the node grants less if it has to. */
  readonly ttlSeconds?: number;
}

const TTL_SECONDS = 7 * 24 * 3_600;

/**
 * The Map as a {@link Transport}: turns a frame id into an address that tells nothing of the
 * stream, signs what is put, and verifies what is got, whatever the carrier.
 *
 * Until it is bound to a stream's keys it refuses `put` and `get` with `CULVERT_NOT_BOUND`. A Map
 * that answers a get with anything but the record of that address, signed by its key, is refused
 * with `CULVERT_PROTOCOL`, and counted; so is a receipt that the pinned node did not sign, or not
 * for the life that is told.
 *
 * @example
 * ```ts
 * const client = new MapClient(carrier);
 * const stream = client.bind({ writeSeed, readRoot });
 * await stream.put(frameId, cell);
 * ```
 */
export class MapClient implements Transport {
  readonly payloadSize: number;
  readonly putsAtOnce?: number;
  readonly #carrier: RecordCarrier;
  readonly #options: Required<Pick<MapClientOptions, "ttlSeconds" | "clock">> & MapClientOptions;
  readonly #statistics: MapClientStatistics = { signed: 0, verified: 0, lies: 0, badReceipts: 0 };

  /** @throws TypeError for what is no carrier */
  constructor(carrier: RecordCarrier, options: MapClientOptions = {}) {
    requireMethods("carrier", carrier, "put", "get");
    this.#carrier = carrier;
    const { ttlSeconds = TTL_SECONDS, clock = systemClock } = options;
    this.#options = { ...options, ttlSeconds, clock };
    this.payloadSize = carrier.payloadSize;
    if (carrier.putsAtOnce !== undefined) this.putsAtOnce = carrier.putsAtOnce;
  }

  get statistics(): Readonly<MapClientStatistics> {
    return { ...this.#statistics };
  }

  /** Refuses: it has no keys. */
  async put(): Promise<Receipt> {
    throw new CulvertError("CULVERT_NOT_BOUND");
  }

  /** Refuses: it has no keys. */
  async get(): Promise<Uint8Array> {
    throw new CulvertError("CULVERT_NOT_BOUND");
  }

  /** A view that reads and writes one stream. The keys are copied. */
  bind(keys: TransportKeys): BoundMapClient {
    return new BoundMapClient({
      ...this.#options,
      carrier: this.#carrier,
      keys,
      statistics: this.#statistics,
    });
  }
}
