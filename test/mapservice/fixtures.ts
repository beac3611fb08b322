import { SeededRandom } from "../../src/base/index.ts";
import { BlindedSigner, SigningKey } from "../../src/crypto/index.ts";
import {
  encodeRecord,
  MAP_LIMITS,
  type MapAnswer,
  type MapLimits,
  type MapRecord,
  MapService,
  MemoryRecordStore,
  type RecordStore,
  type RequesterEvents,
  type RequestId,
  SEQUENCE,
  type Sequence,
  signedBytes,
} from "../../src/mapservice/index.ts";
import { copyOf } from "../../src/mapservice/record/record.ts";
import { NO_STAMP } from "../../src/mapservice/record/work-stamp.ts";
import { VirtualClock } from "../../src/testing/index.ts";

/** The network of these tests: small cells, so that a run is about the protocol. */
export const PAYLOAD_SIZE = 48;

/** The key of the node under test. */
export const NODE = new SigningKey(new Uint8Array(32).fill(42));

/** A genuine record: `frame` fixes the address, `content` the bytes. */
export function recordOf(
  frame: number,
  options: {
    readonly content?: number;
    readonly seq?: Sequence;
    readonly ttlSeconds?: number;
    readonly payloadSize?: number;
  } = {},
): MapRecord {
  const { content = 0, seq = SEQUENCE.cell, ttlSeconds = 3_600 } = options;
  const size = seq === SEQUENCE.tombstone ? 0 : (options.payloadSize ?? PAYLOAD_SIZE);
  const signer = BlindedSigner.of(new Uint8Array(32).fill(7), new SeededRandom(frame).bytes(32));
  const payload = new SeededRandom(content).bytes(size);
  const signature = signer.sign(signedBytes(seq, payload));
  return { address: signer.address, signature, seq, ttlSeconds, payload };
}

const addresses = new Map<number, Uint8Array>();

/** The address of a frame; made once, since that costs curve arithmetic. */
export function addressOf(frame: number): Uint8Array {
  const address = addresses.get(frame) ?? recordOf(frame).address;
  addresses.set(frame, address);
  return address.slice();
}

/** The tombstone of a frame. */
export function tombstoneOf(frame: number, ttlSeconds = 3_600): MapRecord {
  return recordOf(frame, { seq: SEQUENCE.tombstone, ttlSeconds });
}

/** A service on a virtual clock and a store in memory. */
export interface ServiceRig {
  readonly clock: VirtualClock;
  readonly store: RecordStore;
  readonly service: MapService;
}

export function serviceRig(
  options: {
    readonly limits?: Partial<MapLimits>;
    readonly store?: RecordStore;
    readonly entriesMax?: number;
  } = {},
): ServiceRig {
  const clock = new VirtualClock();
  const store =
    options.store ??
    new MemoryRecordStore({
      payloadSize: PAYLOAD_SIZE,
      entriesMax: options.entriesMax ?? 1_000,
      bytesMax: 10_000_000,
    });
  const limits = { ...MAP_LIMITS, ...options.limits };
  const service = new MapService({ store, clock, signer: NODE, defer: queueMicrotask }, limits);
  return { clock, store, service };
}

/** Remembers what a requester was told. */
export class Witness implements RequesterEvents {
  readonly answers = new Map<RequestId, MapAnswer>();
  /** In the order in which they came. */
  readonly order: RequestId[] = [];
  readies = 0;
  isClosed = false;

  answer(request: RequestId, answer: MapAnswer): void {
    if (this.answers.has(request)) throw new Error(`request ${request} is answered twice`);
    const isBorrowed = answer.kind === "found" && answer.isBorrowed === true;
    this.answers.set(request, isBorrowed ? { ...answer, record: copyOf(answer.record) } : answer);
    this.order.push(request);
  }

  ready(): void {
    this.readies += 1;
  }

  closed(): void {
    this.isClosed = true;
  }

  kindOf(request: RequestId): MapAnswer["kind"] | undefined {
    return this.answers.get(request)?.kind;
  }
}

/** One asker of a service, whose requests are numbered as they come. */
export function requesterAt(
  rig: ServiceRig,
  source = "a",
  options: { needsNoReceipts?: boolean } = {},
) {
  const witness = Object.assign(new Witness(), options);
  const requester = rig.service.open(source, witness);
  if (requester === undefined) throw new Error("the service lets nobody else ask");
  let count = 0;
  /** Lets the service work off what was asked; time stands still. */
  const settled = (): Promise<void> => rig.clock.runUntil(rig.clock.now());
  const putBytes = async (bytes: Uint8Array) => {
    const request = ++count;
    requester.put(request, bytes, NO_STAMP);
    await settled();
    return witness.answers.get(request);
  };
  return {
    requester,
    witness,
    put: (record: MapRecord) => putBytes(encodeRecord(record)),
    putBytes,
    async get(frame: number, waitMs = 0) {
      const request = ++count;
      requester.get(request, recordOf(frame).address, waitMs);
      await settled();
      return { request, answer: witness.answers.get(request) };
    },
  };
}
