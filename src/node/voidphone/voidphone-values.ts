import {
  type Clock,
  CulvertError,
  equalBytes,
  isCulvertError,
  type Log,
} from "../../base/index.ts";
import type { DhtNode } from "../../dht/index.ts";
import {
  encodeRecord,
  isFault,
  type MapRecord,
  parseRecord,
  type RecordStore,
  verifyRecord,
} from "../../mapservice/index.ts";
import { RateTable } from "../../retx/index.ts";
import type { VoidphoneDht, VoidphoneEntry, VoidphonePeerNetwork } from "../../voidphone/index.ts";
import type { ReplicatedMap } from "../storage/replicated-map.ts";

/** What a node has for VoidPhone's clients and peers. */
export interface VoidphoneValuesComponents {
  readonly dht: Pick<DhtNode, "answer" | "contacts" | "get" | "put">;
  /** The Map of the whole network, and what of it is here. */
  readonly replicas: Pick<ReplicatedMap, "get">;
  readonly store: Pick<RecordStore, "get">;
  /** Bytes of a record's payload in this network. */
  readonly payloadSize: number;
  readonly clock: Clock;
  readonly log: Log;
}

/** What is put into a foreign network, and looked for there. */
type ForeignNetwork = Pick<VoidphonePeerNetwork, "get" | "store">;

/** Values of foreign peers that are carried into our network at once; more stay here only. */
const CARRIED_MAX = 32;
/** How much longer a record is looked for than a plain value, which anybody could have put. */
const RECORD_HEAD_START_MS = 1_000;

/**
 * Forged records of one source that are verified; then whatever it stores as a record is taken for
 * forged.
 */
const FORGERIES = { capacity: 64, perSecond: 4 } as const;
/** Sources whose forgeries are counted; the one that was quiet for longest is forgotten. */
const FORGERS_MAX = 256;

/**
 * VoidPhone's values over this node: plain values of the DHT, here and in foreign networks, and
 * records of the Map as the values of their addresses.
 */
export class VoidphoneValues implements VoidphoneDht {
  readonly #components: VoidphoneValuesComponents;
  readonly #networks = new Set<ForeignNetwork>();
  readonly #forgeries = new RateTable(FORGERIES, FORGERS_MAX);
  #carried = 0;

  constructor(components: VoidphoneValuesComponents) {
    this.#components = components;
  }

  /** Puts into this network too from now on, and looks there. */
  add(network: ForeignNetwork): void {
    this.#networks.add(network);
  }

  /**
   * Stores in our DHT, here, and in every foreign network.
   *
   * @throws CulvertError `CULVERT_REFUSED` for a record of its key that does not verify
   */
  async put(entry: VoidphoneEntry): Promise<void> {
    if (this.#isForged(entry)) throw new CulvertError("CULVERT_REFUSED", "a forged record");
    this.#keep(entry);
    const foreign = [...this.#networks].map((network) => network.store(entry));
    const outcomes = await Promise.allSettled([this.#putInDht(entry), ...foreign]);
    for (const outcome of outcomes) {
      if (outcome.status === "rejected") this.#tell("value-not-stored", outcome.reason);
    }
  }

  /** A record if there is one, since it alone proves itself; else the plain value. */
  async get(
    key: Uint8Array,
    { signal }: { readonly signal: AbortSignal },
  ): Promise<Uint8Array | undefined> {
    const late = new AbortController();
    const ended = AbortSignal.any([signal, late.signal]);
    const record = this.#record(key, ended);
    const plain = this.#plain(key, ended);
    try {
      // A foreign network may look for its whole time, when the record has long been here.
      const first = await Promise.race([orNothing(record), plain]).catch(() => plain);
      if (first === undefined) return await record;
      return (await this.#soon(record)) ?? first;
    } finally {
      late.abort();
    }
  }

  /** Keeps a foreign peer's value here, and carries it into our DHT. */
  async store(entry: VoidphoneEntry): Promise<"stored" | "not-acceptable"> {
    if (this.#isForged(entry) || !this.#keep(entry)) return "not-acceptable";
    if (this.#carried < CARRIED_MAX) {
      this.#carried += 1;
      this.#putInDht(entry)
        .catch((error: unknown) => this.#tell("value-not-carried", error))
        .finally(() => {
          this.#carried -= 1;
        });
    }
    return "stored";
  }

  /** What is here: a record of the Map before a plain value. */
  async find(key: Uint8Array): Promise<Uint8Array | undefined> {
    const { store, clock } = this.#components;
    const unixMs = clock.unixMs();
    const held = await store.get(key, unixMs);
    if (held === undefined) return this.#kept(key);
    const ttlSeconds = Math.floor((held.expiresMs - unixMs) / 1_000);
    return encodeRecord({ ...held.record, ttlSeconds });
  }

  async #plain(key: Uint8Array, signal: AbortSignal): Promise<Uint8Array | undefined> {
    const here = this.#kept(key);
    if (here !== undefined) return here;
    const { dht } = this.#components;
    const ours = dht.get(key, { valueKind: "plain", signal }).then((value) => value?.bytes);
    const foreign = [...this.#networks].map((network) => network.get(key, { signal }));
    try {
      return await Promise.any([ours, ...foreign].map(orNothing));
    } catch {
      return undefined;
    }
  }

  async #record(key: Uint8Array, signal: AbortSignal): Promise<Uint8Array | undefined> {
    try {
      const record: MapRecord = await this.#components.replicas.get(key, { signal });
      return encodeRecord(record);
    } catch {
      // Not there, or nobody to ask: it makes no difference to a client of VoidPhone.
      return undefined;
    }
  }

  /** What comes within the head start. */
  async #soon(record: Promise<Uint8Array | undefined>): Promise<Uint8Array | undefined> {
    const { clock } = this.#components;
    let cancel = (): void => {};
    const over = new Promise<undefined>((done) => {
      cancel = clock.schedule(clock.now() + RECORD_HEAD_START_MS, () => done(undefined));
    });
    const first = await Promise.race([record, over]);
    cancel();
    return first;
  }

  /** Whether it says that it is the record of its key, and is not. */
  #isForged({ key, value, source }: VoidphoneEntry): boolean {
    const { payloadSize, clock } = this.#components;
    const record = parseRecord(value, payloadSize);
    if (isFault(record) || !equalBytes(record.address, key)) return false;
    const now = clock.now();
    if (this.#forgeries.mayTake(source, now) && verifyRecord(record)) return false;
    this.#forgeries.take(source, now);
    return true;
  }

  #kept(key: Uint8Array): Uint8Array | undefined {
    const request = { kind: "find-value", key, near: key, valueKind: "plain" } as const;
    const answer = this.#components.dht.answer(request, { source: "", isAddressProven: true });
    return answer.kind === "value" ? answer.value.bytes : undefined;
  }

  #keep({ key, value, ttlSeconds, source }: VoidphoneEntry): boolean {
    const plain = { kind: "plain", ttlSeconds, bytes: value } as const;
    const request = { kind: "store", key, value: plain, isCopy: false } as const;
    const answer = this.#components.dht.answer(request, { source, isAddressProven: true });
    return answer.kind === "stored";
  }

  async #putInDht({ key, value, ttlSeconds, replication }: VoidphoneEntry): Promise<void> {
    const { dht } = this.#components;
    if (dht.contacts.length === 0) return;
    const plain = { kind: "plain", ttlSeconds, bytes: value.slice() } as const;
    await dht.put(key.slice(), plain, { replicas: replication });
  }

  #tell(event: string, error: unknown): void {
    const code = isCulvertError(error) ? error.code : "CULVERT_INTERNAL";
    this.#components.log("debug", event, { code });
  }
}

/** Lets the first one win that has something. */
async function orNothing(value: Promise<Uint8Array | undefined>): Promise<Uint8Array> {
  const found = await value;
  if (found === undefined) throw new CulvertError("CULVERT_NOT_FOUND");
  return found;
}
