import {
  type Clock,
  CulvertError,
  concatBytes,
  equalBytes,
  isCulvertError,
} from "../../base/index.ts";
import {
  type AddressesOf,
  addressesOfRoot,
  BlindedSigner,
  crypto,
  type SigningOrder,
} from "../../crypto/index.ts";
import type {
  GetOptions,
  PutOptions,
  Receipt,
  Transport,
  TransportKeys,
} from "../../transport/index.ts";
import { ReceiptVerifier, receiptEndsFrom } from "../record/receipt.ts";
import {
  type MapRecord,
  payloadLength,
  SEQUENCE,
  type Sequence,
  signedParts,
  verifyRecord,
} from "../record/record.ts";
import { Batch } from "./batch.ts";
import { FrameCache } from "./frame-cache.ts";
import type { RecordCarrier, StoredReply } from "./record-carrier.ts";
import { showsConflict } from "./shown-conflict.ts";

/** What a client has seen, over all streams that are bound to it. */
export interface MapClientStatistics {
  /** Signatures made and verified. */
  signed: number;
  verified: number;
  /** Records that were not what was asked for, or not signed by its key; or told of, not shown. */
  lies: number;
  /** Receipts that the pinned node did not sign, or not for the life that was told. */
  badReceipts: number;
}

/** What a bound client is built from. */
export interface BoundMapClientOptions {
  readonly carrier: RecordCarrier;
  readonly keys: TransportKeys;
  readonly ttlSeconds: number;
  readonly nodeKey?: Uint8Array;
  readonly clock: Pick<Clock, "unixMs">;
  /** Shared with the client that it was bound from, and counted up. */
  readonly statistics: MapClientStatistics;
}

/** What is to be stored for a frame. */
interface Draft {
  readonly frameId: Uint8Array;
  readonly payload: Uint8Array;
  readonly seq: Sequence;
}

/** The key of one frame, and the signature that it made last. */
interface Signed {
  readonly seq: Sequence;
  readonly signer: BlindedSigner;
  readonly signature: Uint8Array;
}

const TTL_SECONDS_MAX = 2 ** 32 - 1;

/** A {@link MapClient} with the keys of one stream. */
export class BoundMapClient implements Transport {
  readonly payloadSize: number;
  readonly handsOver: boolean;
  readonly putsAtOnce?: number;
  readonly #options: BoundMapClientOptions;
  readonly #signerOf: ((frameId: Uint8Array) => BlindedSigner) | undefined;
  readonly #addressesOf: AddressesOf | undefined;
  /**
   * More than a window of them, so that most repetitions find their own; 600 bytes each. They are
   * kept until the Map has the frame, and addresses until it has come: what is dropped while it is
   * young costs the collector nothing.
   */
  readonly #signed = new FrameCache<Signed>();
  readonly #signing = new Batch((drafts: readonly Draft[]) => this.#signAll(drafts));
  readonly #receipts: ReceiptVerifier | undefined;
  readonly #addresses = new FrameCache<Uint8Array>();
  readonly #finding = new Batch((frameIds: readonly Uint8Array[]) => this.#findAll(frameIds));

  constructor(options: BoundMapClientOptions) {
    this.#options = options;
    const { writeSeed } = options.keys;
    this.#signerOf = writeSeed && BlindedSigner.under(writeSeed);
    this.#addressesOf = addressesUnder(options.keys);
    this.#receipts = options.nodeKey && new ReceiptVerifier(options.nodeKey);
    this.payloadSize = options.carrier.payloadSize;
    this.handsOver = options.carrier.handsOver === true;
    const { putsAtOnce } = options.carrier;
    if (putsAtOnce !== undefined) this.putsAtOnce = putsAtOnce;
  }

  put(frameId: Uint8Array, cell: Uint8Array, options: PutOptions = {}): Promise<Receipt> {
    return this.#put(frameId, cell, SEQUENCE.cell, options);
  }

  /**
   * Ends a frame's record: the address is spent until the end of its life, and holds nothing. For
   * data that should not outlive its use; a reader then gets `CULVERT_NOT_FOUND`.
   */
  tombstone(frameId: Uint8Array, options: PutOptions = {}): Promise<Receipt> {
    return this.#put(frameId, new Uint8Array(0), SEQUENCE.tombstone, options);
  }

  async get(frameId: Uint8Array, options: GetOptions = {}): Promise<Uint8Array> {
    const { carrier, statistics } = this.#options;
    const address = await this.#readAddress(frameId);
    const record = await carrier.get(address, options);
    if (!this.#isGenuine(record, address)) {
      statistics.lies += 1;
      throw new CulvertError("CULVERT_PROTOCOL", "the Map answered with a record that is not ours");
    }
    if (record.seq === SEQUENCE.tombstone) {
      throw new CulvertError("CULVERT_NOT_FOUND", undefined, { detail: { ended: true } });
    }
    this.#addresses.delete(frameId);
    if (record.ttlSeconds > 0) options.onTtl?.(record.ttlSeconds);
    const isCopied = !this.handsOver && options.isBorrowed !== true;
    return isCopied ? concatBytes(record.payload) : record.payload;
  }

  async #put(
    frameId: Uint8Array,
    payload: Uint8Array,
    seq: Sequence,
    options: PutOptions,
  ): Promise<Receipt> {
    if (payload.length !== payloadLength(seq, this.payloadSize)) {
      const detail = { length: payload.length, expected: this.payloadSize };
      throw new CulvertError("CULVERT_REFUSED", "a cell of another size", { detail });
    }
    const { signer, signature } = await this.#signing.add({ frameId, payload, seq });
    const ttlSeconds = wholeSeconds(options.ttlSeconds ?? this.#options.ttlSeconds);
    const record = { address: signer.address, signature, seq, ttlSeconds, payload };
    const { carrier } = this.#options;
    let reply: StoredReply;
    try {
      reply = await carrier.put(record, options);
    } catch (error) {
      const isSaid = isCulvertError(error, "CULVERT_CONFLICT") && carrier.isVerified !== true;
      if (isSaid) await this.#requireConflict(record, options);
      throw error;
    }
    this.#checkReceipt(reply, record);
    this.#signed.delete(frameId);
    return { ttlSeconds: reply.ttlSeconds };
  }

  async #requireConflict(record: MapRecord, { signal }: PutOptions): Promise<void> {
    const { carrier, statistics } = this.#options;
    const isGenuine = (shown: MapRecord): boolean => this.#isGenuine(shown, record.address);
    if (await showsConflict(carrier, record, { isGenuine, signal })) return;
    statistics.lies += 1;
    throw new CulvertError("CULVERT_PROTOCOL", "the Map tells of other bytes, and shows none");
  }

  #isGenuine(record: MapRecord, address: Uint8Array): boolean {
    if (!equalBytes(record.address, address)) return false;
    if (this.#options.carrier.isVerified === true) return true;
    this.#options.statistics.verified += 1;
    return verifyRecord(record);
  }

  #signAll(drafts: readonly Draft[]): Signed[] {
    const signerOf = this.#signerOf;
    if (signerOf === undefined) {
      throw new CulvertError("CULVERT_BAD_CAPABILITY", "these keys do not allow to write");
    }
    const known = drafts.map(({ frameId }) => this.#signed.get(frameId));
    const orders = drafts.map(({ frameId, payload, seq }, i) => ({
      signer: known[i]?.signer ?? signerOf(frameId),
      message: signedParts(seq, payload),
    }));
    // Costs a hash for what is the payload of the last time.
    const signatures = BlindedSigner.signAll(orders);
    return drafts.map(({ frameId, seq }, i) => {
      const [last, signature] = [known[i], signatures[i] as Uint8Array];
      const isSame = last?.seq === seq && equalBytes(last.signature, signature);
      if (last !== undefined && isSame) return last;
      const signed = { seq, signer: (orders[i] as SigningOrder).signer, signature };
      this.#options.statistics.signed += 1;
      this.#signed.set(frameId, signed);
      return signed;
    });
  }

  #readAddress(frameId: Uint8Array): Uint8Array | Promise<Uint8Array> {
    return this.#addresses.get(frameId) ?? this.#finding.add(frameId);
  }

  #findAll(frameIds: readonly Uint8Array[]): readonly Uint8Array[] {
    if (this.#addressesOf === undefined) {
      throw new CulvertError("CULVERT_BAD_CAPABILITY", "these keys do not allow to read");
    }
    const addresses = this.#addressesOf(frameIds);
    for (const [i, frameId] of frameIds.entries()) {
      this.#addresses.set(frameId, addresses[i] as Uint8Array);
    }
    return addresses;
  }

  #checkReceipt(reply: StoredReply, { address, seq, payload }: MapRecord): void {
    if (this.#receipts === undefined) return;
    const payloadHash = crypto().sha256(payload);
    const claim = { address, seq, payloadHash };
    const isItsOwn = reply.receipt !== undefined && this.#receipts.verify(reply.receipt, claim);
    const endsFrom = receiptEndsFrom(reply.ttlSeconds, this.#options.clock.unixMs());
    // One of an earlier put is the node's own too, and says that the record is gone sooner.
    if (isItsOwn && reply.receipt.expiresMs >= endsFrom) return;
    this.#options.statistics.badReceipts += 1;
    const why = isItsOwn ? "is for a shorter life than was told" : "is not the pinned node's";
    throw new CulvertError("CULVERT_PROTOCOL", `the receipt ${why}`);
  }
}

function addressesUnder({ readRoot, addressesOf }: TransportKeys): AddressesOf | undefined {
  if (readRoot === undefined) return undefined;
  return addressesOf ?? addressesOfRoot(readRoot.slice());
}

function wholeSeconds(seconds: number): number {
  return Math.min(Math.max(Math.floor(seconds), 1), TTL_SECONDS_MAX);
}
