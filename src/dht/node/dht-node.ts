import {
  type Clock,
  CulvertError,
  Driver,
  isCulvertError,
  NumberMap,
  onAbort,
  type Random,
  requireCallback,
  requireMethods,
  requireObject,
  throwIfAborted,
  unreachable,
} from "../../base/index.ts";
import type {
  Discovery,
  Lookup,
  LookupOptions,
  NodeDescriptor,
  NodeId,
} from "../../identity/index.ts";
import { DHT_LIMITS } from "../limits.ts";
import type { DhtResult } from "../lookup/operation.ts";
import { saveContacts } from "../table/table-state.ts";
import { readDescriptor } from "../values/value-store.ts";
import { type Contact, type IsWanted, requireContact } from "../wire/contact.ts";
import type {
  DhtAsker,
  DhtRequest,
  DhtResponse,
  DhtValue,
  StoreRefusal,
  ValueKind,
} from "../wire/message.ts";
import { refusal } from "../wire/refusal.ts";
import {
  decodeDhtRequest,
  encodeDhtResponse,
  requireRequest,
  requireValue,
  TTL_SECONDS_MAX,
  VALUE_BYTES_MAX,
} from "../wire/wire.ts";
import type { DhtNetwork } from "./dht-network.ts";
import { DhtNodeCore, type DhtNodeCoreOptions } from "./dht-node-core.ts";
import { requireAsked, requireContacts, requireCount, requireParts } from "./given-parts.ts";
import type { DhtEffect, DhtInput, DhtStatistics, OperationId } from "./protocol.ts";
import { SentRequests } from "./sent-requests.ts";

/** What a DHT node runs on. */
export interface DhtNodeComponents {
  readonly network: DhtNetwork;
  readonly clock: Clock;
  readonly random: Random;
}

/** Options of a {@link DhtNode}. */
export type DhtNodeOptions = Omit<DhtNodeCoreOptions, "random" | "unixMsAtZero">;

/** How a put went. */
export interface DhtPutReply {
  /** Nodes that keep the value by now. */
  readonly stored: number;
  /** The shortest life that one of them granted. */
  readonly ttlSeconds: number;
  /** Why others have refused it so far, the most frequent reason first. */
  readonly refusals: readonly StoreRefusal[];
}

/** A wall clock that differs by so much from what it was has been set. */
const CLOCK_SET_MS = 1_000;
/** Descriptors that are asked for at once by `discover`. */
const DISCOVER_AT_ONCE = 8;

/**
 * A node of the DHT on a clock and a network: the shell of {@link DhtNodeCore}. It is where
 * descriptors are looked up (EGTP's Lookup Service) and unknown nodes are met (Discovery).
 *
 * Nothing happens before `start`; after `close` nothing is left running, and whoever waits is told
 * `CULVERT_CLOSED`. All waits take an `AbortSignal`.
 */
export class DhtNode implements Lookup, Discovery {
  readonly #core: DhtNodeCore;
  readonly #driver: Driver<DhtInput, DhtEffect>;
  readonly #components: DhtNodeComponents;
  readonly #waits = new NumberMap<Wait<DhtResult>>();
  readonly #sent: SentRequests;
  readonly #answers = new NumberMap<DhtResponse>();
  readonly #joinings: Omit<Wait<number>, "onLate">[] = [];
  #unixMsAtZero: number;
  #lastId = 0;
  #isClosed = false;

  constructor(components: DhtNodeComponents, options: DhtNodeOptions) {
    requireParts(components);
    requireObject("options", options);
    const { clock, random } = components;
    this.#components = components;
    this.#unixMsAtZero = clock.unixMs() - clock.now();
    this.#core = new DhtNodeCore({ ...options, random, unixMsAtZero: this.#unixMsAtZero });
    this.#driver = new Driver(this.#core, clock, (effect) => this.#perform(effect));
    this.#sent = new SentRequests(components.network, (input) => this.#handle(input));
  }

  get statistics(): DhtStatistics {
    return this.#core.statistics;
  }

  /** Who this node knows; shared, not to be written to. */
  get contacts(): readonly Contact[] {
    return this.#core.contacts;
  }

  /**
   * Joins the network through `bootstrap`, the nodes of `restoreContacts` among them.
   *
   * @returns how many nodes are known then; 0 when nobody answered, and it goes on trying
   */
  start(
    bootstrap: readonly Contact[],
    options: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<number> {
    return this.#guard<number>(options, (done, fail) => {
      requireContacts("bootstrap", bootstrap);
      this.#joinings.push({ done, fail });
      this.#handle({ kind: "start", bootstrap });
    });
  }

  /** The table, for the next life of this node: `restoreContacts` reads it. */
  save(): Uint8Array {
    return saveContacts(this.#core.contacts);
  }

  /**
   * Stores a value, which is borrowed until the promise settles and some seconds beyond.
   *
   * @throws CulvertError `CULVERT_CONFLICT` when the key holds other bytes or a newer descriptor,
   * `CULVERT_REFUSED`, `CULVERT_TOO_LARGE`, `CULVERT_FULL` when the nodes say so,
   * `CULVERT_UNREACHABLE` when nobody said anything, `CULVERT_BUSY`, `CULVERT_CLOSED`
   * @throws TypeError and RangeError for what is no key, no value, or no whole number
   */
  async put(
    key: Uint8Array,
    value: DhtValue,
    options: LookupOptions & { readonly replicas?: number; readonly quorum?: number } = {},
  ): Promise<DhtPutReply> {
    // What cannot be sent is not the fault of those whom it would be sent to.
    requireAsked(key, options);
    requireValue(value);
    if (value.bytes.length > VALUE_BYTES_MAX) throw new CulvertError("CULVERT_TOO_LARGE");
    const { replicas, quorum } = options;
    const size = { ...(replicas && { replicas }), ...(quorum && { quorum }) };
    const result = await this.#operate(options, (operation) => {
      return { kind: "put", operation, key, value, ...size };
    });
    if (result.kind !== "put") throw new CulvertError("CULVERT_INTERNAL");
    const { stored, refusals } = result;
    if (stored === 0) throw refusal(refusals[0]);
    return { stored, ttlSeconds: result.ttlSeconds, refusals };
  }

  /** The value of `key`, verified as its kind can be, or `undefined`. */
  async get(
    key: Uint8Array,
    options: LookupOptions & { readonly valueKind?: ValueKind } = {},
  ): Promise<DhtValue | undefined> {
    requireAsked(key, options);
    const { valueKind } = options;
    const result = await this.#operate(options, (operation) => {
      return { kind: "get", operation, key, ...(valueKind && { valueKind }) };
    });
    return result.kind === "found" ? result.value : undefined;
  }

  async lookup(id: NodeId, options: LookupOptions = {}): Promise<NodeDescriptor | undefined> {
    const value = await this.get(id, { ...options, valueKind: "descriptor" });
    const descriptor = value && readDescriptor(value.bytes);
    return descriptor?.isExpired(this.#components.clock.unixMs()) ? undefined : descriptor;
  }

  async discover(count: number, options: LookupOptions = {}): Promise<readonly NodeDescriptor[]> {
    requireCount("count", count);
    const known = this.#core.contacts.filter(({ isProvable }) => isProvable);
    const found: NodeDescriptor[] = [];
    let busy: unknown;
    // One that cannot be looked up for now says nothing of the others.
    const leaveOut = (error: unknown): undefined => {
      if (!isCulvertError(error, "CULVERT_BUSY")) throw error;
      busy = error;
    };
    while (found.length < count && known.length > 0) {
      const some = Math.min(DISCOVER_AT_ONCE, count - found.length);
      const asked = Array.from({ length: Math.min(some, known.length) }, () => {
        const at = Math.floor(this.#components.random.unit() * known.length);
        return known.splice(at, 1)[0];
      });
      const answers = await Promise.all(
        asked.map((contact) => contact && this.lookup(contact.id, options).catch(leaveOut)),
      );
      found.push(...answers.filter((answer) => answer !== undefined));
    }
    if (found.length === 0 && busy !== undefined) throw busy;
    return found;
  }

  /**
   * The closest live nodes to a key, closest first: a closest set, if not told how many. Where ids
   * crowd, others beyond them, too.
   */
  async closest(
    key: Uint8Array,
    options: LookupOptions & { readonly count?: number } = {},
  ): Promise<readonly Contact[]> {
    requireAsked(key, options);
    const { count = DHT_LIMITS.bucketSize } = options;
    const result = await this.#operate(options, (operation) => {
      return { kind: "find", operation, target: key, count };
    });
    return result.kind === "nodes" ? result.contacts : [];
  }

  /** Whether everybody is known: then `closestKnown` needs no lookup. */
  get knowsAll(): boolean {
    return this.#core.knowsAll;
  }

  /** The closest nodes to a key that are known at once; they may be gone. */
  closestKnown(key: Uint8Array, count: number, isWanted?: IsWanted): readonly Contact[] {
    requireCount("count", count);
    requireCallback("isWanted", isWanted);
    return this.#core.closestKnown(key, count, isWanted);
  }

  /** Keeps a node's descriptor in the network, its own as a rule, until it is withdrawn. */
  publish(descriptor: NodeDescriptor): void {
    requireMethods("descriptor", descriptor, "toBytes");
    const leftMs = descriptor.claims.expiresAtUnixS * 1_000 - this.#components.clock.unixMs();
    const ttlSeconds = Math.min(Math.max(Math.floor(leftMs / 1_000), 1), TTL_SECONDS_MAX);
    const value = { kind: "descriptor", ttlSeconds, bytes: descriptor.toBytes() } as const;
    this.#handle({ kind: "publish", key: descriptor.id, value });
  }

  /** Lets a published descriptor expire. */
  withdraw(id: NodeId): void {
    this.#handle({ kind: "withdraw", key: id, valueKind: "descriptor" });
  }

  /** The carrier has spoken to a node, and proven its id. */
  met(contact: Contact): void {
    requireContact("contact", contact);
    this.#handle({ kind: "met", contact });
  }

  /** A node broke its word. */
  blame(id: NodeId): void {
    this.#handle({ kind: "blame", id });
  }

  /** Whether a node broke its word too often to be given anything new. */
  isDemoted(id: NodeId): boolean {
    return this.#core.isDemoted(id, this.#components.clock.now());
  }

  /**
   * Answers the bytes of a request that came over a carrier of bytes.
   *
   * @throws CulvertError `CULVERT_BUSY` when the asker, or its network, asks too often;
   *   `CULVERT_PROTOCOL` when they are none, `CULVERT_CLOSED`
   */
  serve(message: Uint8Array, asker: Omit<DhtAsker, "contact">): Uint8Array {
    requireObject("asker", asker);
    if (!this.#core.admits(asker, this.#components.clock.now())) {
      throw new CulvertError("CULVERT_BUSY", "too many questions of the DHT");
    }
    const { request, sender } = decodeDhtRequest(message, asker.id);
    return encodeDhtResponse(this.answer(request, sender ? { ...asker, contact: sender } : asker));
  }

  /**
   * Answers a request; what it gives is shared, not to be written to. Not from inside a call of the
   * network.
   *
   * @throws CulvertError `CULVERT_CLOSED`
   */
  answer(request: DhtRequest, asker: DhtAsker): DhtResponse {
    if (this.#isClosed) throw new CulvertError("CULVERT_CLOSED");
    requireRequest(request);
    requireObject("asker", asker);
    const exchange = this.#nextId();
    this.#handle({ kind: "request", exchange, asker, request });
    const answer = this.#answers.get(exchange);
    this.#answers.delete(exchange);
    if (answer === undefined) throw new CulvertError("CULVERT_INTERNAL", "entered twice");
    return answer;
  }

  /** Ends all that waits and runs. Repeating it does nothing. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#driver.stop();
    this.#sent.close();
    const waits = [...this.#waits.values(), ...this.#joinings.splice(0)];
    for (const wait of waits) wait.fail(new CulvertError("CULVERT_CLOSED"));
  }

  /** The calendar may have been set since the last time: a machine begins with a wrong clock. */
  #handle(input: DhtInput): void {
    const { clock } = this.#components;
    const unixMsAtZero = clock.unixMs() - clock.now();
    if (Math.abs(unixMsAtZero - this.#unixMsAtZero) >= CLOCK_SET_MS) {
      this.#unixMsAtZero = unixMsAtZero;
      this.#driver.handle({ kind: "calendar", unixMsAtZero });
    }
    this.#driver.handle(input);
  }

  #perform(effect: DhtEffect): void {
    switch (effect.kind) {
      case "send":
        this.#sent.send(effect);
        break;
      case "forget":
        this.#sent.forget(effect.exchange);
        break;
      case "answer":
        this.#answers.set(effect.exchange, effect.response);
        break;
      case "late":
        this.#waits.get(effect.operation)?.onLate?.();
        break;
      case "done":
        this.#waits.get(effect.operation)?.done(effect.result);
        break;
      case "busy":
        this.#waits.get(effect.operation)?.fail(new CulvertError("CULVERT_BUSY"));
        break;
      case "joined":
        for (const { done } of this.#joinings.splice(0)) done(effect.nodes);
        break;
      default:
        unreachable(effect);
    }
  }

  async #operate(
    options: LookupOptions,
    input: (operation: OperationId) => DhtInput,
  ): Promise<DhtResult> {
    const operation = this.#nextId();
    try {
      return await this.#guard<DhtResult>(options, (resolve, reject) => {
        const { onLate } = options;
        requireCallback("onLate", onLate);
        this.#waits.set(operation, { done: resolve, onLate, fail: reject });
        this.#handle(input(operation));
      });
    } catch (error) {
      this.#handle({ kind: "cancel", operation });
      throw error;
    } finally {
      this.#waits.delete(operation);
    }
  }

  #guard<T>(
    options: LookupOptions,
    begin: (resolve: (value: T) => void, reject: (error: Error) => void) => void,
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      requireObject("options", options);
      const { signal } = options;
      throwIfAborted(signal);
      if (this.#isClosed) throw new CulvertError("CULVERT_CLOSED");
      const leave = onAbort(signal, reject);
      const settled = (run: () => void) => {
        leave();
        run();
      };
      begin(
        (value) => settled(() => resolve(value)),
        (error) => settled(() => reject(error)),
      );
    });
  }

  #nextId(): number {
    this.#lastId += 1;
    return this.#lastId;
  }
}

interface Wait<Result> {
  done(result: Result): void;
  readonly onLate: (() => void) | undefined;
  fail(error: Error): void;
}
