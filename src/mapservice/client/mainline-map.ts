import {
  type Cancel,
  type Clock,
  CulvertError,
  equalBytes,
  onAbort,
  throwIfAborted,
} from "../../base/index.ts";
import { crypto } from "../../crypto/index.ts";
import { systemClock } from "../../io/clock.ts";
import { joinMainline, type MainlineDht } from "../../io/mainline.ts";
import { addressKey } from "../record/address-key.ts";
import { type MapRecord, payloadLength, SEQUENCE } from "../record/record.ts";
import type {
  CarrierGetOptions,
  CarrierPutOptions,
  RecordCarrier,
  StoredReply,
} from "./record-carrier.ts";

/** How the Mainline DHT is used as a Map. */
export interface MainlineMapOptions {
  /** `HOST:PORT` of nodes to begin with; the well-known ones when there are none. */
  readonly bootstrap?: readonly string[];
  /** Payload of every cell, up to {@link MAINLINE_PAYLOAD_BYTES}. */
  readonly payloadSize?: number;
  /** Ends the wait for the first nodes. */
  readonly signal?: AbortSignal | undefined;
}

/** The largest value that a mutable item may have, less its own encoding. */
export const MAINLINE_PAYLOAD_BYTES = 992;

/** Nodes keep an item for about two hours. */
const TTL_SECONDS = 7_200;

/** A node of that DHT lets no get wait: it is asked again, at gaps from the first to the last. */
const ASK_AGAIN_MS = { first: 1_000, last: 20_000 } as const;

/**
 * The BitTorrent Mainline DHT as a Map: no node of ours is needed, and none of ours helps. Every
 * node that is asked sees the asker's IP address; no receipt is signed; an item lives some two
 * hours. A record travels as the mutable item (BEP 44) that its signature is made for.
 */
export class MainlineMap implements RecordCarrier, AsyncDisposable {
  readonly payloadSize: number;
  /** Every item is verified by the client of the DHT, in this process. */
  readonly isVerified = true;
  readonly #dht: MainlineDht;
  readonly #clock: Clock;
  /** Ends of what is under way. */
  readonly #open = new Set<(error: Error) => void>();
  #isClosed = false;
  /** The last put of each address that is being put. */
  readonly #lines = new Map<string, Promise<void>>();

  private constructor(dht: MainlineDht, payloadSize: number, clock: Clock) {
    this.#dht = dht;
    this.#clock = clock;
    this.payloadSize = payloadSize;
  }

  /**
   * @throws CulvertError `CULVERT_UNREACHABLE` when no node answers, `CULVERT_UNSUPPORTED` without
   *   the package `bittorrent-dht`
   * @throws Error `AbortError`
   */
  static async join(options: MainlineMapOptions = {}): Promise<MainlineMap> {
    const { bootstrap = [], payloadSize = MAINLINE_PAYLOAD_BYTES, signal } = options;
    if (!(payloadSize > 0 && payloadSize <= MAINLINE_PAYLOAD_BYTES)) {
      throw new RangeError(`payloadSize must be from 1 to ${MAINLINE_PAYLOAD_BYTES}`);
    }
    const verify = (key: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean =>
      crypto().ed25519Verify(key, message, signature);
    const dht = await joinMainline({ bootstrap, verify, signal });
    return new MainlineMap(dht, payloadSize, systemClock);
  }

  async put(record: MapRecord, options: CarrierPutOptions = {}): Promise<StoredReply> {
    // Of two puts of one address here, the second finds what the first has put.
    const key = addressKey(record.address);
    const turn = (this.#lines.get(key) ?? Promise.resolve()).then(() => this.#put(record, options));
    const leave = (): void => {
      if (this.#lines.get(key) === line) this.#lines.delete(key);
    };
    const line: Promise<void> = turn.then(leave, leave);
    this.#lines.set(key, line);
    return await this.#until(turn, options.signal);
  }

  async #put(record: MapRecord, options: CarrierPutOptions): Promise<StoredReply> {
    const { address, signature, seq, payload } = record;
    const held = await this.#until(this.#find(address), options.signal);
    if (held !== undefined && held.seq >= seq) {
      const isSame = held.seq === seq && equalBytes(held.payload, payload);
      if (!isSame) throw new CulvertError("CULVERT_CONFLICT", undefined, { remote: true });
    }
    const item = { publicKey: address, signature, seq, value: payload };
    const count = await this.#until(this.#dht.put(item), options.signal);
    // Some nodes take no item a second time: then it is enough that this very one is there.
    if (count === 0 && held?.seq !== seq) throw new CulvertError("CULVERT_UNREACHABLE");
    return { ttlSeconds: Math.min(record.ttlSeconds, TTL_SECONDS) };
  }

  async get(address: Uint8Array, options: CarrierGetOptions = {}): Promise<MapRecord> {
    const deadline = this.#clock.now() + (options.waitMs ?? 0);
    for (let gapMs: number = ASK_AGAIN_MS.first; ; gapMs = Math.min(2 * gapMs, ASK_AGAIN_MS.last)) {
      const found = await this.#until(this.#find(address), options.signal);
      if (found !== undefined) return found;
      if (this.#clock.now() + gapMs > deadline) {
        throw new CulvertError("CULVERT_NOT_FOUND", undefined, { remote: true });
      }
      await this.#pause(gapMs, options.signal);
    }
  }

  /** Leaves the DHT; everything that is open fails with `CULVERT_CLOSED`. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const end of this.#open) end(new CulvertError("CULVERT_CLOSED"));
    await this.#dht.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #find(address: Uint8Array): Promise<MapRecord | undefined> {
    const item = await this.#dht.get(address);
    if (item === undefined || !equalBytes(item.publicKey, address)) return undefined;
    const { seq, signature, value: payload } = item;
    if (seq !== SEQUENCE.cell && seq !== SEQUENCE.tombstone) return undefined;
    if (payload.length !== payloadLength(seq, this.payloadSize)) return undefined;
    // Its nodes do not tell when they got the item.
    return { address: item.publicKey, signature, seq, ttlSeconds: 0, payload };
  }

  /** Its timer ends with the wait: it would keep the process for as long. */
  async #pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
    let cancel: Cancel = () => {};
    const over = new Promise<void>((resolve) => {
      cancel = this.#clock.schedule(this.#clock.now() + ms, resolve);
    });
    try {
      await this.#until(over, signal);
    } finally {
      cancel();
    }
  }

  /** What `work` gives, unless the caller or the closing is sooner. */
  async #until<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    throwIfAborted(signal);
    let end: (error: Error) => void = () => {};
    const ended = new Promise<never>((_, reject) => {
      end = reject;
    });
    this.#open.add(end);
    const forget = onAbort(signal, end);
    if (this.#isClosed) end(new CulvertError("CULVERT_CLOSED"));
    try {
      return await Promise.race([work, ended]);
    } finally {
      forget();
      this.#open.delete(end);
    }
  }
}
