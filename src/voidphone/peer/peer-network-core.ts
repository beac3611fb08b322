import { type Core, equalBytes, type Instant, unreachable } from "../../base/index.ts";
import { parseIp } from "../../identity/index.ts";
import { CallQueue, type QueuedCall } from "./call-queue.ts";
import { PeerLookup } from "./peer-lookup.ts";
import type { PeerAddress, PeerReply, VoidphoneContact } from "./peer-messages.ts";
import { addressOf, isNameless, PeerTable } from "./peer-table.ts";

/** Bounds of a client of a foreign network. */
export interface PeerNetworkLimits {
  /** Calls under way at once. */
  readonly callsMax: number;
  /** Peers that one lookup asks at once: Kademlia's α. */
  readonly parallel: number;
  /** Time for a call, from its dial to its answer. */
  readonly callMs: number;
  /** Time for a whole operation. */
  readonly operationMs: number;
  /** Operations at once. */
  readonly operationsMax: number;
}

/** Tuned for peers that answer within a second or not at all. */
export const VOIDPHONE_NETWORK_LIMITS: PeerNetworkLimits = Object.freeze({
  callsMax: 16,
  parallel: 3,
  callMs: 1_500,
  operationMs: 15_000,
  operationsMax: 64,
});

/** Of the time of a store, what may pass before it sends the value to whoever has answered. */
const LOOKUP_PART = 0.8;

/** What is said to one peer; the dialect adds ids. */
export type PeerCall =
  | { readonly kind: "ping" }
  | {
      readonly kind: "store";
      readonly key: Uint8Array;
      readonly value: Uint8Array;
      readonly ttlSeconds: number;
      readonly replication: number;
    }
  | { readonly kind: "find-node"; readonly target: Uint8Array }
  | { readonly kind: "find-value"; readonly key: Uint8Array };

/** What a foreign network is asked for. */
export type PeerTask =
  /** Meets the network through whoever is there. */
  | ({ readonly kind: "join" } & PeerAddress)
  | ({ readonly kind: "ping" } & PeerAddress)
  | { readonly kind: "find"; readonly target: Uint8Array }
  | { readonly kind: "get"; readonly key: Uint8Array }
  | (PeerCall & { readonly kind: "store" });

/** How a task ended. */
export type PeerOutcome =
  | { readonly kind: "contacts"; readonly contacts: readonly VoidphoneContact[] }
  | { readonly kind: "value"; readonly value: Uint8Array }
  /** So many peers were sent the value, and did not refuse it. */
  | { readonly kind: "stored"; readonly copies: number }
  | { readonly kind: "alive" }
  | { readonly kind: "unreachable" }
  | { readonly kind: "busy" };

/** What a network is told. */
export type PeerNetworkInput =
  | { readonly kind: "start"; readonly operation: number; readonly task: PeerTask }
  | { readonly kind: "cancel"; readonly operation: number }
  /** A call was answered; a store that has no answer, without one. */
  | { readonly kind: "replied"; readonly rpc: number; readonly reply: PeerReply | undefined }
  | { readonly kind: "failed"; readonly rpc: number }
  /** A peer has said, from the host in its contact, that it is there. */
  | { readonly kind: "learn"; readonly contact: VoidphoneContact };

/** What a network wants done. */
export type PeerNetworkEffect =
  | ({ readonly kind: "call"; readonly rpc: number; readonly call: PeerCall } & PeerAddress)
  /** The answer to this call is not wanted any more. */
  | { readonly kind: "hang-up"; readonly rpc: number }
  | { readonly kind: "done"; readonly operation: number; readonly outcome: PeerOutcome };

interface Call extends QueuedCall {
  readonly operation: number;
  readonly call: PeerCall;
  /** Its id, as far as anybody has told. */
  readonly contact: VoidphoneContact | undefined;
}

/** An answer to a call. */
interface Answer {
  /** Who gave it; `undefined` when nobody can tell, and when it is we. */
  readonly who: VoidphoneContact | undefined;
  readonly isRefusal: boolean;
}

interface Operation {
  readonly task: PeerTask;
  until: Instant;
  /** That of a join begins when the peer that it was given has answered. */
  lookup: PeerLookup | undefined;
  /** The second half of a store: copies on their way, and those that arrived. */
  copies: { open: number; sent: number } | undefined;
}

/**
 * A client of a network of VoidPhone peers: iterative lookups, stores and gets over one dialect or
 * the other, one call at a time to each peer. Nothing that peers answer is proven; a value is the
 * first that anybody names under its key.
 */
export class PeerNetworkCore implements Core<PeerNetworkInput, PeerNetworkEffect> {
  readonly #self: { readonly id: Uint8Array; readonly addresses: readonly string[] };
  readonly #limits: PeerNetworkLimits;
  readonly #table = new PeerTable();
  readonly #calls: CallQueue<Call>;
  readonly #operations = new Map<number, Operation>();
  readonly #effects: PeerNetworkEffect[] = [];
  #rpcCount = 0;

  constructor(
    self: { readonly id: Uint8Array; readonly host?: string; readonly port?: number },
    limits: PeerNetworkLimits = VOIDPHONE_NETWORK_LIMITS,
  ) {
    const { id, host, port } = self;
    const isReachable = host !== undefined && port !== undefined;
    this.#self = { id, addresses: isReachable ? [addressOf({ host, port })] : [] };
    this.#limits = limits;
    this.#calls = new CallQueue({ parallelMax: limits.callsMax, callMs: limits.callMs });
  }

  /** Up to `count` known peers, the closest to `target` first. */
  closest(target: Uint8Array, count: number): VoidphoneContact[] {
    return this.#table.closest(target, count);
  }

  handle(input: PeerNetworkInput, now: Instant): void {
    switch (input.kind) {
      case "start":
        this.#start(input.operation, input.task, now);
        break;
      case "cancel":
        this.#forget(input.operation);
        break;
      case "replied":
        this.#replied(input.rpc, input.reply);
        break;
      case "failed":
        this.#failed(this.#calls.settle(input.rpc));
        break;
      case "learn":
        if (this.#isStranger(input.contact)) this.#table.spoke(input.contact);
        break;
      default:
        unreachable(input);
    }
    this.#callNext(now);
  }

  timeout(now: Instant): void {
    for (let call = this.#calls.due(now); call !== undefined; call = this.#calls.due(now)) {
      this.#effects.push({ kind: "hang-up", rpc: call.rpc });
      this.#failed(this.#calls.settle(call.rpc));
    }
    for (const [operation, state] of this.#operations) {
      if (state.until <= now) this.#late(operation, state);
    }
    this.#callNext(now);
  }

  poll(): PeerNetworkEffect | undefined {
    return this.#effects.shift();
  }

  deadline(): Instant {
    let at = this.#calls.deadline();
    for (const { until } of this.#operations.values()) at = Math.min(at, until);
    return at;
  }

  #start(operation: number, task: PeerTask, now: Instant): void {
    if (this.#operations.size >= this.#limits.operationsMax) {
      this.#effects.push({ kind: "done", operation, outcome: { kind: "busy" } });
      return;
    }
    const { operationMs } = this.#limits;
    const until = now + (task.kind === "store" ? LOOKUP_PART * operationMs : operationMs);
    const state: Operation = { task, until, lookup: undefined, copies: undefined };
    this.#operations.set(operation, state);
    if (task.kind === "ping") this.#call(operation, task, { kind: "ping" });
    else if (task.kind === "join") {
      this.#call(operation, task, { kind: "find-node", target: this.#self.id });
    } else {
      state.lookup = this.#lookupOf(task);
      this.#goOn(operation, state);
    }
  }

  #lookupOf(task: PeerTask): PeerLookup {
    const target = this.#targetOf(task);
    const lookup = new PeerLookup(target, { parallel: this.#limits.parallel });
    lookup.add(this.#table.askable(target));
    return lookup;
  }

  #targetOf(task: PeerTask): Uint8Array {
    if (task.kind === "join" || task.kind === "ping") return this.#self.id;
    return task.kind === "find" ? task.target : task.key;
  }

  /** Asks on, stores what is to be stored, or is done. */
  #goOn(operation: number, state: Operation): void {
    const { lookup, task } = state;
    if (lookup === undefined || state.copies !== undefined) return;
    const call: PeerCall =
      task.kind === "get"
        ? { kind: "find-value", key: task.key }
        : { kind: "find-node", target: this.#targetOf(task) };
    for (let next = lookup.next(); next !== undefined; next = lookup.next()) {
      this.#call(operation, next, call, next);
    }
    if (!lookup.isDone) return;
    if (task.kind === "store") this.#storeCopies(operation, state, lookup.found());
    else this.#done(operation, this.#bestOutcome(state));
  }

  /** Its time is up; a store has a rest of it, in which those who were found are sent the value. */
  #late(operation: number, state: Operation): void {
    if (state.task.kind !== "store" || state.copies !== undefined) {
      this.#done(operation, this.#bestOutcome(state));
      return;
    }
    state.until += (1 - LOOKUP_PART) * this.#limits.operationMs;
    this.#hangUp(operation);
    this.#storeCopies(operation, state, state.lookup?.found() ?? []);
  }

  #storeCopies(operation: number, state: Operation, found: readonly VoidphoneContact[]): void {
    const { task } = state;
    if (task.kind !== "store") return;
    const keepers = found.slice(0, task.replication);
    state.copies = { open: keepers.length, sent: 0 };
    for (const keeper of keepers) this.#call(operation, keeper, task, keeper);
    if (keepers.length === 0) this.#done(operation, this.#bestOutcome(state));
  }

  #call(operation: number, peer: PeerAddress, call: PeerCall, contact?: VoidphoneContact): void {
    this.#rpcCount += 1;
    const { host, port } = peer;
    this.#calls.push({ rpc: this.#rpcCount, host, port, operation, call, contact });
  }

  #callNext(now: Instant): void {
    for (let call = this.#calls.next(now); call !== undefined; call = this.#calls.next(now)) {
      const { rpc, host, port } = call;
      this.#effects.push({ kind: "call", rpc, host, port, call: call.call });
    }
  }

  #replied(rpc: number, reply: PeerReply | undefined): void {
    const call = this.#calls.settle(rpc);
    if (call === undefined) return;
    if (reply !== undefined && !answers(reply, call.call)) {
      this.#failed(call);
      return;
    }
    let who = this.#whoAnswered(call, reply);
    const hasShown = reply !== undefined && reply.kind !== "error";
    if (who !== undefined && hasShown) this.#table.answered(who);
    const state = this.#operations.get(call.operation);
    if (state === undefined) return;
    if (reply?.kind === "value") {
      this.#done(call.operation, { kind: "value", value: reply.value.slice() });
      return;
    }
    if (state.task.kind === "join") state.lookup ??= this.#lookupOf(state.task);
    if (reply?.kind === "nodes") this.#hear(reply.contacts, state.lookup);
    const isEntrance = state.task.kind === "join" && call.contact === undefined;
    if (who === undefined && hasShown && isEntrance) who = this.#entrance(call);
    this.#settleIn(call, { who, isRefusal: reply?.kind === "error" });
  }

  /**
   * Whoever answers is there: in one of the dialects under the id that it says, but in an error
   * nobody says any.
   */
  #whoAnswered(call: Call, reply: PeerReply | undefined): VoidphoneContact | undefined {
    const sender = reply === undefined || reply.kind === "error" ? undefined : reply.sender;
    const { host, port } = call;
    const id = sender?.id ?? call.contact?.id;
    if (id === undefined || !this.#isStranger({ id, host, port })) return undefined;
    return { id: id.slice(), host, port };
  }

  /** The peer that a join was given, by its address: its id may be told by nobody. */
  #entrance({ host, port }: Call): VoidphoneContact | undefined {
    const isStranger = this.#isStranger({ id: new Uint8Array(0), host, port });
    return isStranger ? this.#table.answeredNameless({ host, port }) : undefined;
  }

  #hear(contacts: readonly VoidphoneContact[], lookup: PeerLookup | undefined): void {
    const strangers = contacts.filter((contact) => this.#isStranger(contact));
    for (const contact of strangers) this.#table.heardOf(contact);
    lookup?.add(strangers.map((contact) => ({ ...contact, id: contact.id.slice() })));
  }

  /** Not ourselves, and somebody that can be dialled. */
  #isStranger(contact: VoidphoneContact): boolean {
    if (contact.port === 0 || equalBytes(contact.id, this.#self.id)) return false;
    // A name is not told on, and would be another place for a peer that has an address too.
    if (parseIp(contact.host)?.some((byte) => byte !== 0) !== true) return false;
    return !this.#self.addresses.includes(addressOf(contact));
  }

  #failed(call: Call | undefined): void {
    if (call === undefined) return;
    this.#table.failed(call);
    this.#settleIn(call, undefined);
  }

  /** What the end of a call means for the operation that made it. */
  #settleIn(call: Call, answer: Answer | undefined): void {
    const { operation, contact } = call;
    const state = this.#operations.get(operation);
    if (state === undefined) return;
    const { lookup, copies } = state;
    if (lookup === undefined) {
      this.#done(operation, { kind: answer === undefined ? "unreachable" : "alive" });
    } else if (copies !== undefined) {
      copies.open -= 1;
      if (answer?.isRefusal === false) copies.sent += 1;
      if (copies.open === 0) this.#done(operation, this.#bestOutcome(state));
    } else {
      if (answer?.who !== undefined) lookup.answered(answer.who);
      else if (contact !== undefined) lookup.failed(contact);
      this.#goOn(operation, state);
    }
  }

  /** What there is to say for an operation that found no value. */
  #bestOutcome({ task, lookup, copies }: Operation): PeerOutcome {
    if (task.kind === "store") return { kind: "stored", copies: copies?.sent ?? 0 };
    if (lookup === undefined) return { kind: "unreachable" };
    const found = lookup.found();
    // Of who was asked to find others, nobody wants to hear ids of our making.
    const named = found.filter((contact) => !isNameless(contact));
    return { kind: "contacts", contacts: task.kind === "find" ? named : found };
  }

  #done(operation: number, outcome: PeerOutcome): void {
    this.#effects.push({ kind: "done", operation, outcome });
    this.#forget(operation);
  }

  #forget(operation: number): void {
    this.#operations.delete(operation);
    this.#hangUp(operation);
  }

  /** Nothing that was asked for this operation is wanted any more. */
  #hangUp(operation: number): void {
    for (const { rpc } of this.#calls.drop((call) => call.operation === operation)) {
      this.#calls.settle(rpc);
      this.#effects.push({ kind: "hang-up", rpc });
    }
  }
}

/** Whether a peer has said something that answers what it was asked. */
function answers(reply: PeerReply, call: PeerCall): boolean {
  switch (reply.kind) {
    case "error":
      return true;
    case "pong":
      return call.kind === "ping";
    case "nodes":
      return call.kind === "find-node" || call.kind === "find-value";
    case "stored":
      return call.kind === "store" && equalBytes(reply.key, call.key);
    case "value":
      return call.kind === "find-value" && equalBytes(reply.key, call.key);
    default:
      return unreachable(reply);
  }
}
