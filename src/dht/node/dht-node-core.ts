import { type Core, type Instant, NumberMap, type Random, unreachable } from "../../base/index.ts";
import { type DhtContext, estimatedNodes, seemsLarger } from "../exchange/dht-context.ts";
import { ExchangeDesk } from "../exchange/exchange-desk.ts";
import { Peers } from "../exchange/peers.ts";
import { RequestRates } from "../exchange/request-rates.ts";
import { type DhtLimits, resolveDhtLimits } from "../limits.ts";
import { OperationDesk, type RunId, type Task, type TaskOwner } from "../lookup/operation-desk.ts";
import { NetworkSize } from "../table/network-size.ts";
import { RoutingTable } from "../table/routing-table.ts";
import { TableUpkeep } from "../upkeep/table-upkeep.ts";
import { ValueUpkeep } from "../upkeep/value-upkeep.ts";
import { WaysBack } from "../upkeep/ways-back.ts";
import { StoreTokens } from "../values/store-tokens.ts";
import { resolveValueLimits, type ValueLimits } from "../values/value-limits.ts";
import { type RecordRule, ValueStore } from "../values/value-store.ts";
import type { Contact, IsWanted } from "../wire/contact.ts";
import { type KeyText, keyBeside, keyOf } from "../wire/key.ts";
import type { DhtAsker } from "../wire/message.ts";
import { requireOptions } from "./given-parts.ts";
import type { DhtEffect, DhtInput, DhtStatistics, OperationId } from "./protocol.ts";
import { RequestServer } from "./request-server.ts";

/** What a DHT core is made of. */
export interface DhtNodeCoreOptions {
  /** This node's id, 32 bytes. */
  readonly id: Uint8Array;
  readonly random: Random;
  /** Unix milliseconds at the instant 0 of the clock that the core is driven by. */
  readonly unixMsAtZero: number;
  /** How records of the Map prove themselves; without one, none are kept. */
  readonly recordRule?: RecordRule;
  /** Whether private addresses mean something now: in a private network, or on one machine. */
  readonly takesPrivate?: () => boolean;
  /**
   * The host at which the carrier hears a node in the open now, where that is proven. What a node
   * says of its addresses is not: by it alone, one machine could stand for any number of networks.
   */
  readonly hostOf?: (id: Uint8Array) => string | undefined;
  /**
   * Whether the carrier hears a node through somebody else now: then it counts for no network that
   * it names, or it would take the places, and use up the shares, of those who are there.
   */
  readonly isRelayed?: (id: Uint8Array) => boolean;
  readonly limits?: Partial<DhtLimits>;
  readonly valueLimits?: Partial<ValueLimits>;
}

/** Buckets that are looked up in after joining. */
const JOIN_LOOKUPS_MAX = 16;
/** Pause before the next attempt to join, growing by its own length each time. */
const REJOIN_MS = 2_000;
const REJOIN_MS_MAX = 300_000;

/**
 * A DHT node as a synchronous state machine: table, lookups, values, upkeep. It neither sends nor
 * knows addresses' meaning: a carrier does, which proves ids (VoidPhone's does not, and says so).
 *
 * - Every request is answered at once, exactly once. Every operation ends with `done` or `busy`,
 *   unless it was cancelled, within `operationMs`.
 * - Each `send` is for one node; the carrier answers with `response` or `failed`, or says nothing:
 *   soft timeouts then repeat it, twice at most, the hard one ends it.
 * - Nothing that a peer sends makes it throw, or hold more than its limits say.
 */
export class DhtNodeCore implements Core<DhtInput, DhtEffect> {
  readonly #context: DhtContext;
  readonly #effects: DhtEffect[] = [];
  readonly #server: RequestServer;
  readonly #operations: OperationDesk;
  readonly #tableUpkeep: TableUpkeep;
  readonly #valueUpkeep: ValueUpkeep;
  /** From the first request on. */
  #rates: RequestRates | undefined;
  readonly #runs = new NumberMap<RunId>();
  readonly #waysBack: WaysBack;
  #rejoinAt: Instant = Number.POSITIVE_INFINITY;
  #attempts = 0;
  #isJoined = false;
  #now: Instant = Number.NEGATIVE_INFINITY;

  constructor(options: DhtNodeCoreOptions) {
    requireOptions(options);
    const limits = resolveDhtLimits(options.limits);
    const { random, hostOf = () => undefined } = options;
    const { isRelayed = () => false, takesPrivate = () => false } = options;
    const isElsewhere: IsWanted = (contact) => {
      return contact.isMisplaced || (contact.isLocal && !takesPrivate());
    };
    const self = keyOf(options.id);
    const peers = new Peers(random, limits);
    const store = new ValueStore({
      limits: resolveValueLimits(options.valueLimits),
      recordRule: options.recordRule ?? (() => undefined),
      unixMsAtZero: options.unixMsAtZero,
    });
    const port = {
      send: (exchange: number, to: Contact, request: SendRequest, attempt: number) =>
        this.#effects.push({ kind: "send", exchange, attempt, to, request }),
      forget: (exchange: number) => this.#effects.push({ kind: "forget", exchange }),
      // Where it was asked says less than what it has said itself meanwhile.
      heard: (contact: Contact, now: Instant) =>
        this.#heard(this.#context.table.asKnown(contact), now),
      lost: (contact: Contact, now: Instant) => this.#lost(contact, now),
    };
    this.#context = {
      self,
      limits,
      random,
      peers,
      store,
      table: new RoutingTable({ self, secret: random.bytes(16), isElsewhere, limits }),
      networkSize: new NetworkSize(),
      exchanges: new ExchangeDesk({ peers, port }, limits),
      knowsAll: () => this.knowsAll,
      hostOf,
      placed: (contact) => {
        if (!contact.isProvable) return contact;
        const host = hostOf(contact.id);
        if (host !== undefined) return contact.heardAt(host);
        return isRelayed(contact.id) ? contact.heardThroughRelay() : contact;
      },
      meet: (hearsay) => this.#tableUpkeep.meet(hearsay, this.#now),
    };
    const tokens = new StoreTokens(random.bytes(32), limits.tokenMs);
    this.#server = new RequestServer(this.#context, tokens);
    this.#operations = new OperationDesk(this.#context);
    this.#waysBack = new WaysBack(random);
    this.#tableUpkeep = new TableUpkeep(this.#context, (target) => {
      // A part of the network may have been out of reach until now, and know nobody of this one.
      const isOwn = target === this.#context.self;
      this.#refresh(target, isOwn ? this.#waysBack.some(limits.pathsMax) : []);
    });
    this.#valueUpkeep = new ValueUpkeep(this.#context, (key, value, isCopy, done = () => {}) => {
      const { replicas } = limits;
      const task = { kind: "put", key, value, replicas, quorum: replicas, isCopy } as const;
      return this.#later(task, {
        // Of those that stored it, one is this node, if it is among the closest.
        done: (result, now) => done(result.kind === "put" && result.stored > 1, now),
        busy: () => done(false, this.#now),
      });
    });
  }

  /** Who this node knows: shared, not to be written to. */
  get contacts(): readonly Contact[] {
    return this.#context.table.contacts;
  }

  /** What may be told of a node that runs. */
  get statistics(): DhtStatistics {
    const { table, store, exchanges, peers } = this.#context;
    return {
      contacts: table.size,
      nodesEstimated: estimatedNodes(this.#context),
      values: store.size,
      exchangesOpen: exchanges.size,
      exchangesSent: exchanges.sent,
      operations: this.#operations.size,
      peers: peers.size,
    };
  }

  /** Whether, as far as anybody can tell, every node of the network is in the table. */
  get knowsAll(): boolean {
    const { table } = this.#context;
    // Whoever began a network has nobody to join through: others come.
    const isJoined = this.#isJoined || (this.#waysBack.named.length === 0 && table.size > 0);
    if (!(isJoined && table.isWhole) || this.#tableUpkeep.isMeeting) return false;
    return !seemsLarger(this.#context);
  }

  /** The closest known nodes to a key, without asking anybody. */
  closestKnown(key: Uint8Array, count: number, isWanted?: IsWanted): Contact[] {
    return this.#context.table.closest(keyOf(key), count, isWanted);
  }

  /** Whether the node broke its word too often to be given anything new. */
  isDemoted(id: Uint8Array, now: Instant): boolean {
    return this.#context.peers.isDemoted(keyOf(id), now);
  }

  /** Whether another node may ask now: to be called before each of its requests is read. */
  admits(asker: DhtAsker, now: Instant): boolean {
    this.#rates ??= new RequestRates();
    return this.#rates.admits(asker, asker.id && this.#context.hostOf(asker.id), now);
  }

  handle(input: DhtInput, now: Instant): void {
    this.#now = now;
    switch (input.kind) {
      case "start":
        this.#start(input.bootstrap, now);
        break;
      case "request":
        this.#serve(input, now);
        break;
      case "response":
        this.#context.exchanges.answered(input.exchange, input.response, input.attempt, now);
        break;
      case "failed":
        this.#context.exchanges.failed(input.exchange, now, input.isBusy);
        break;
      case "dialling":
        this.#context.exchanges.dialling(input.exchange, now);
        break;
      case "dialled":
        this.#context.exchanges.dialled(input.exchange, now);
        break;
      case "calendar":
        this.#context.store.setCalendar(input.unixMsAtZero);
        break;
      case "met":
        this.#heard(input.contact, now);
        break;
      case "get":
      case "put":
      case "find":
        this.#begin(input, now);
        break;
      case "cancel":
        this.#cancel(input.operation);
        break;
      case "publish": {
        const value = { ...input.value, bytes: input.value.bytes.slice() };
        this.#valueUpkeep.publish(keyOf(input.key), value, now);
        break;
      }
      case "withdraw":
        this.#valueUpkeep.withdraw(keyOf(input.key), input.valueKind);
        break;
      case "blame":
        this.#context.peers.blame(keyOf(input.id), now);
        break;
      default:
        unreachable(input);
    }
    this.#context.exchanges.resume(now);
    this.#operations.resume(now);
  }

  timeout(now: Instant): void {
    this.#now = now;
    this.#context.exchanges.timeout(now);
    this.#operations.timeout(now);
    this.#tableUpkeep.timeout(now);
    this.#valueUpkeep.timeout(now);
    this.#context.store.timeout(now);
    if (now >= this.#rejoinAt) this.#join(now);
    this.#context.exchanges.resume(now);
    this.#operations.resume(now);
  }

  poll(): DhtEffect | undefined {
    return this.#effects.shift();
  }

  deadline(): Instant {
    return Math.min(
      this.#context.exchanges.deadline(),
      this.#operations.deadline(),
      this.#tableUpkeep.deadline(),
      this.#valueUpkeep.deadline(),
      this.#context.store.deadline(),
      this.#rejoinAt,
    );
  }

  #start(bootstrap: readonly Contact[], now: Instant): void {
    this.#waysBack.name(bootstrap.filter(({ key }) => key !== this.#context.self));
    this.#tableUpkeep.start(now, bootstrap);
    this.#valueUpkeep.start(now);
    this.#join(now);
  }

  /** Looks for itself, and so meets its neighbours; then for some of every distance. */
  #join(now: Instant): void {
    const { self, limits, table } = this.#context;
    this.#attempts += 1;
    this.#rejoinAt = Number.POSITIVE_INFINITY;
    const known = this.#waysBack.all; // those that it began with may be gone for good
    // The first node of a network, or one that has met others already: there is nobody to ask.
    if (known.length === 0) {
      this.#isJoined = table.size > 0;
      this.#effects.push({ kind: "joined", nodes: table.size });
      return;
    }
    const count = limits.bucketSize;
    const task: Task = { kind: "find", target: self, count, known };
    const joined = (): void => this.#joined();
    const isBegun = this.#operations.startLater(task, { done: joined, busy: joined }, now);
    if (!isBegun) this.#rejoinAt = now + REJOIN_MS;
  }

  #joined(): void {
    const { table } = this.#context;
    this.#effects.push({ kind: "joined", nodes: table.size });
    if (table.size === 0) {
      this.#rejoinAt = this.#now + Math.min(REJOIN_MS * this.#attempts, REJOIN_MS_MAX);
      return;
    }
    this.#attempts = 0;
    this.#isJoined = true;
    const depth = Math.min(table.depth(), JOIN_LOOKUPS_MAX);
    for (let at = depth - 1; at >= 0; at--) {
      if (table.sizeAt(at) >= this.#context.limits.bucketSize && !table.isWhole) continue;
      const target = keyBeside(this.#context.self, at, this.#context.random.bytes(32));
      this.#refresh(target, this.#waysBack.named);
    }
    this.#tableUpkeep.survey(this.#now);
  }

  #refresh(target: KeyText, known: readonly Contact[] = []): void {
    this.#tableUpkeep.used(target, this.#now);
    this.#later({ kind: "find", target, count: this.#context.limits.bucketSize, known });
  }

  /** False when too many wait. */
  #later(task: Task, owner: TaskOwner = {}): boolean {
    return this.#operations.startLater(task, owner, this.#now);
  }

  #serve(input: DhtInput & { readonly kind: "request" }, now: Instant): void {
    const { asker, request, exchange } = input;
    // Answered first: a node that asks for its own neighbourhood is not told of itself.
    const response = this.#server.answer(request, asker, now);
    this.#effects.push({ kind: "answer", exchange, response });
    if (asker.contact === undefined) return;
    // Whoever has not shown that it receives what is sent there is asked first.
    if (asker.isAddressProven) this.#heard(asker.contact, now);
    else this.#tableUpkeep.meet([asker.contact], now);
  }

  #heard(contact: Contact, now: Instant): void {
    const { table, placed } = this.#context;
    const known = table.find(contact.key);
    // Who came through a relay may be heard where it is by now.
    const isNews = known === undefined || known.isRelayed || !known.equals(contact);
    const admission = table.observe(isNews ? placed(contact) : contact, now);
    if (admission === "added") this.#valueUpkeep.joined(contact, now);
    else if (admission === "full") this.#tableUpkeep.challenge(contact, now);
  }

  #lost(contact: Contact, now: Instant): void {
    const { table } = this.#context;
    const known = table.find(contact.key);
    // Who is not where it was asked may be where it is known to be by now.
    if (known !== undefined && known.reach !== contact.reach) return;
    table.remove(contact.key, now);
    if (known === undefined) this.#waysBack.miss(contact);
    else if (known.isProvable) this.#waysBack.lose(known);
    const isAlone = table.size === 0 && this.#waysBack.all.length > 0;
    if (isAlone) this.#rejoinAt = Math.min(this.#rejoinAt, now + REJOIN_MS);
  }

  #begin(input: BeginInput, now: Instant): void {
    const { operation } = input;
    const task = this.#task(input);
    this.#tableUpkeep.used(task.kind === "find" ? task.target : task.key, now);
    let isDone = false;
    const end = (effect: DhtEffect): void => {
      isDone = true;
      this.#runs.delete(operation);
      this.#effects.push(effect);
    };
    const run = this.#operations.start(
      task,
      {
        late: () => this.#effects.push({ kind: "late", operation }),
        done: (result) => end({ kind: "done", operation, result }),
        busy: () => end({ kind: "busy", operation }),
      },
      now,
    );
    if (run === undefined) end({ kind: "busy", operation });
    else if (!isDone) this.#runs.set(operation, run);
  }

  #task(input: BeginInput): Task {
    const { replicas } = this.#context.limits;
    if (input.kind === "find") {
      return { kind: "find", target: keyOf(input.target), count: input.count };
    }
    const key = keyOf(input.key);
    if (input.kind === "get") return { kind: "get", key, valueKind: input.valueKind };
    const wanted = input.replicas ?? replicas;
    const quorum = input.quorum ?? Math.ceil(wanted / 2);
    return { kind: "put", key, value: input.value, replicas: wanted, quorum, isCopy: false };
  }

  #cancel(operation: OperationId): void {
    const run = this.#runs.get(operation);
    if (run === undefined) return;
    this.#runs.delete(operation);
    this.#operations.cancel(run);
  }
}

type BeginInput = DhtInput & { readonly kind: "get" | "put" | "find" };
type SendRequest = (DhtEffect & { readonly kind: "send" })["request"];
