import {
  Canceller,
  type Clock,
  CulvertError,
  Driver,
  type ErrorCode,
  isCulvertError,
  NumberMap,
  onAbort,
  type Random,
  requireAmount,
  requireBytes,
  requireMethods,
  requireObject,
  throwIfAborted,
  unreachable,
} from "../../base/index.ts";
import type { NodeId } from "../../identity/index.ts";
import type { Contact, IsWanted } from "../wire/contact.ts";
import { KEY_BYTES } from "../wire/key.ts";
import { PlacementCore } from "./placement-core.ts";
import type { PlacementLimits } from "./placement-limits.ts";
import type {
  NodeAnswer,
  NodeRequestId,
  PlacementEffect,
  PlacementId,
  PlacementInput,
  PlacementOutcome,
} from "./placement-protocol.ts";

/** A record as far as it matters here: what it is found by. */
export interface PlacedRecord {
  /** 32 bytes. */
  readonly address: Uint8Array;
}

/** What a node answers to a put. */
export interface PlacedReply {
  readonly ttlSeconds: number;
}

/** The Map of one node: `RecordCarrier` of the Map service is one, and {@link PlacedMap} too. */
export interface NodeMap<Entry extends PlacedRecord, Reply extends PlacedReply> {
  put(record: Entry, options?: { readonly signal?: AbortSignal | undefined }): Promise<Reply>;
  get(
    address: Uint8Array,
    options?: { readonly waitMs?: number; readonly signal?: AbortSignal | undefined },
  ): Promise<Entry>;
}

/** What a {@link PlacedMap} needs of the DHT: `DhtNode` is one. */
export interface PlacementDht {
  /** Whether the table has everybody. */
  readonly knowsAll: boolean;
  readonly statistics: { readonly nodesEstimated: number };
  closestKnown(address: Uint8Array, count: number, isWanted?: IsWanted): readonly Contact[];
  /** Closest first; where ids crowd, more than `count`: others beyond them. */
  closest(
    address: Uint8Array,
    options?: { readonly count?: number; readonly signal?: AbortSignal | undefined },
  ): Promise<readonly Contact[]>;
  isDemoted(id: NodeId): boolean;
  blame(id: NodeId): void;
}

/** What a {@link PlacedMap} is built from. */
export interface PlacedMapComponents<Entry extends PlacedRecord, Reply extends PlacedReply> {
  readonly dht: PlacementDht;
  readonly clock: Clock;
  readonly random: Random;
  /** The Map of a node, over a link to it; rejects when there is no way to it. */
  readonly mapOf: (node: Contact, signal: AbortSignal) => Promise<NodeMap<Entry, Reply>>;
  /** Whether a record is one of this address; arithmetic, so it is done once for each record. */
  readonly isRecord: (address: Uint8Array, record: Entry) => boolean;
  /** Whether a receipt is this node's, for this record. */
  readonly isReceipt: (node: Contact, record: Entry, reply: Reply) => boolean;
}

interface Wait<Entry, Reply> {
  /** Of a put. */
  readonly record: Entry | undefined;
  /** Absent once it is settled, while replicas beyond the quorum are finished. */
  settle: ((outcome: PlacementOutcome) => void) | undefined;
  readonly replies: Map<NodeRequestId, Entry | Reply>;
}

/**
 * The Map kept by the nodes of a DHT, as one carrier of records: the shell of
 * {@link PlacementCore}. A put resolves with a receipt once a quorum of the closest nodes has given
 * one, and with the life that most of them have granted; a get with the first record that verifies.
 *
 * Rejects as a carrier of one node does: `CULVERT_NOT_FOUND`, `CULVERT_CONFLICT`,
 * `CULVERT_REFUSED`, `CULVERT_FULL`, `CULVERT_BUSY`, `CULVERT_WORK_REQUIRED`, `CULVERT_TIMEOUT`,
 * `CULVERT_UNREACHABLE`, `CULVERT_CLOSED`; with the name `AbortError` when a signal is aborted.
 * Records are borrowed until the put and its late replicas have ended.
 */
export class PlacedMap<Entry extends PlacedRecord, Reply extends PlacedReply>
  implements NodeMap<Entry, Reply>
{
  readonly #components: PlacedMapComponents<Entry, Reply>;
  readonly #driver: Driver<PlacementInput, PlacementEffect>;
  readonly #core: PlacementCore;
  readonly #waits = new NumberMap<Wait<Entry, Reply>>();
  readonly #requests = new NumberMap<Canceller>();
  #lastId = 0;
  #isClosed = false;

  constructor(
    components: PlacedMapComponents<Entry, Reply>,
    limits: Partial<PlacementLimits> = {},
  ) {
    requireMethods("components", components, "mapOf", "isRecord", "isReceipt");
    this.#components = components;
    const { dht, clock, random } = components;
    requireMethods("dht", dht, "closest", "closestKnown", "isDemoted", "blame");
    requireMethods("clock", clock, "now", "schedule");
    requireMethods("random", random, "bytes", "unit");
    const neighbourhood = {
      get knowsAll() {
        return dht.knowsAll;
      },
      get nodesEstimated() {
        return dht.statistics.nodesEstimated;
      },
      closestKnown: (address: Uint8Array, count: number, isWanted?: IsWanted) =>
        dht.closestKnown(address, count, isWanted),
      isDemoted: (node: Contact) => dht.isDemoted(node.id),
    };
    this.#core = new PlacementCore({ neighbourhood, random, limits });
    this.#driver = new Driver(this.#core, clock, (effect) => this.#perform(effect));
    // Audits and late replicas do not keep a process that has nothing else to do.
    this.#driver.setBackground(true);
  }

  async put(
    record: Entry,
    options: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<Reply> {
    requireObject("a record", record);
    const { address } = record;
    requireBytes("an address", address, KEY_BYTES);
    requireObject("options", options);
    const done = await this.#operate(options.signal, record, (operation) => {
      return { kind: "put", operation, address };
    });
    return done as Reply;
  }

  async get(
    address: Uint8Array,
    options: { readonly waitMs?: number; readonly signal?: AbortSignal | undefined } = {},
  ): Promise<Entry> {
    requireBytes("an address", address, KEY_BYTES);
    requireObject("options", options);
    const { waitMs = 0 } = options;
    // Without an end, too: the caller's signal is one.
    if (waitMs !== Number.POSITIVE_INFINITY) requireAmount("waitMs", waitMs);
    const done = await this.#operate(options.signal, undefined, (operation) => {
      return { kind: "get", operation, address, waitMs };
    });
    return done as Entry;
  }

  /** Ends everything; whoever waits is told `CULVERT_CLOSED`. Repeating it does nothing. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#driver.stop();
    for (const controller of this.#requests.values()) controller.abort();
    const closed = { kind: "failed", code: "CULVERT_CLOSED" } as const;
    for (const wait of this.#waits.values()) wait.settle?.(closed);
    this.#waits.clear();
  }

  #operate(
    signal: AbortSignal | undefined,
    record: Entry | undefined,
    input: (operation: PlacementId) => PlacementInput,
  ): Promise<Entry | Reply> {
    return new Promise((resolve, reject) => {
      throwIfAborted(signal);
      if (this.#isClosed) throw new CulvertError("CULVERT_CLOSED");
      this.#lastId += 1;
      const operation = this.#lastId;
      const leave = onAbort(signal, (error) => {
        wait.settle = undefined;
        reject(error);
        this.#driver.handle({ kind: "cancel", operation });
      });
      const wait: Wait<Entry, Reply> = {
        record,
        replies: new Map(),
        settle: (outcome) => {
          wait.settle = undefined;
          leave();
          if (outcome.kind === "failed") {
            reject(new CulvertError(outcome.code, undefined, { remote: true }));
            return;
          }
          const reply = wait.replies.get(outcome.request);
          if (reply === undefined) reject(new CulvertError("CULVERT_INTERNAL"));
          else if (outcome.kind === "found") resolve(reply);
          else resolve({ ...reply, ttlSeconds: outcome.ttlSeconds });
        },
      };
      this.#waits.set(operation, wait);
      this.#driver.handle(input(operation));
    });
  }

  #perform(effect: PlacementEffect): void {
    const { dht } = this.#components;
    switch (effect.kind) {
      case "find":
        this.#find(effect.operation, effect.address);
        break;
      case "put-at":
        this.#put(effect);
        break;
      case "get-from":
        this.#get(effect);
        break;
      case "abandon":
        this.#requests.get(effect.request)?.abort();
        this.#requests.delete(effect.request);
        break;
      case "done":
        this.#waits.get(effect.operation)?.settle?.(effect.outcome);
        break;
      case "ended":
        this.#waits.delete(effect.operation);
        break;
      case "blame":
        dht.blame(effect.node.id);
        break;
      default:
        unreachable(effect);
    }
  }

  #find(operation: PlacementId, address: Uint8Array): void {
    const tell = (nodes: readonly Contact[]): void => {
      this.#driver.handle({ kind: "closest", operation, nodes });
    };
    this.#components.dht.closest(address).then(tell, () => tell([]));
  }

  #put({ operation, request, node }: PlacementEffect & { readonly kind: "put-at" }): void {
    const record = this.#waits.get(operation)?.record;
    if (record === undefined) return;
    const { mapOf, isReceipt } = this.#components;
    this.#ask(request, async (signal) => {
      const map = await mapOf(node, signal);
      const reply = await map.put(record, { signal });
      if (!isReceipt(node, record, reply)) return { kind: "lied" };
      this.#waits.get(operation)?.replies.set(request, reply);
      return { kind: "stored", ttlSeconds: reply.ttlSeconds };
    });
  }

  #get(effect: PlacementEffect & { readonly kind: "get-from" }): void {
    const { operation, request, node, address, waitMs } = effect;
    const { mapOf, isRecord } = this.#components;
    this.#ask(request, async (signal) => {
      const map = await mapOf(node, signal);
      const record = await map.get(address, { waitMs, signal });
      // Somebody else's answer may have come meanwhile: then this one needs no proof.
      if (signal.aborted) return { kind: "found" };
      if (!isRecord(address, record)) return { kind: "lied" };
      if (operation !== undefined) this.#waits.get(operation)?.replies.set(request, record);
      return { kind: "found" };
    });
  }

  #ask(request: NodeRequestId, ask: (signal: AbortSignal) => Promise<NodeAnswer>): void {
    const controller = new Canceller();
    this.#requests.set(request, controller);
    const tell = (answer: NodeAnswer): void => {
      if (!this.#requests.delete(request)) return;
      this.#driver.handle({ kind: "answer", request, answer });
    };
    ask(controller.signal).then(tell, (error) => tell({ kind: "failed", code: codeOf(error) }));
  }
}

function codeOf(error: unknown): ErrorCode {
  return isCulvertError(error) ? error.code : "CULVERT_UNREACHABLE";
}
