import { type Instant, NumberMap } from "../../base/index.ts";
import { type TimerHandle, TimerQueue } from "../../retx/index.ts";
import type { DhtLimits } from "../limits.ts";
import type { Contact } from "../wire/contact.ts";
import type { DhtRequest, DhtResponse } from "../wire/message.ts";
import type { Peers } from "./peers.ts";

/** Names one request in flight. */
export type ExchangeId = number;

/** A request is sent so often at most; the last time, the carrier is to spare no effort. */
export const ATTEMPTS_MAX = 3;

/** Soft timeouts until a request is late that a way is made for: a link takes three round trips. */
const DIALLING_PATIENCE = 4;

/** Who asked, and is told what became of it. At most one of the last two comes, as the last. */
export interface ExchangeOwner {
  /** Late; it was asked again. */
  slow?(contact: Contact, now: Instant): void;
  /** Late again. */
  silent?(contact: Contact, now: Instant): void;
  answered(contact: Contact, response: DhtResponse, now: Instant): void;
  /** No answer will come; by a limit, here or there, when `isBusy`: the node may well be there. */
  failed(contact: Contact, now: Instant, isBusy: boolean): void;
  /** There is room for a request, which it waited for. */
  resume?(now: Instant): void;
}

interface Exchange {
  readonly id: ExchangeId;
  readonly contact: Contact;
  readonly request: DhtRequest;
  /** From here on the hard timeout counts. */
  readonly begunAt: Instant;
  /** When each attempt was made; those for which a way was made first are one. */
  readonly sentAt: Instant[];
  /** A way is being made for it first. */
  isDialling: boolean;
  timer: TimerHandle | undefined;
  owner: ExchangeOwner | undefined;
}

/** How a node sends, and what it does when somebody was, or was not, heard. */
export interface ExchangePort {
  send(exchange: ExchangeId, to: Contact, request: DhtRequest, attempt: number): void;
  /** The carrier needs not wait for an answer any more. */
  forget(exchange: ExchangeId): void;
  heard(contact: Contact, now: Instant): void;
  lost(contact: Contact, now: Instant): void;
}

/**
 * Requests in flight. Each peer's own round-trip time says when an answer is late: then the request
 * is repeated, and its owner told, who asks somebody else; when it is late again, once more. A late
 * answer still counts. Only the hard timeout ends the exchange, and with it the peer's place in the
 * table: slow is not dead.
 */
export class ExchangeDesk {
  readonly #limits: Pick<DhtLimits, "exchangesMax" | "hardTimeoutMs">;
  readonly #peers: Peers;
  readonly #port: ExchangePort;
  readonly #open = new NumberMap<Exchange>();
  /** Who could not ask, in the order in which they came. */
  readonly #waiting = new Set<ExchangeOwner>();
  readonly #timers: TimerQueue<Exchange>;
  #lastId = 0;
  #sent = 0;

  constructor(
    components: { readonly peers: Peers; readonly port: ExchangePort },
    limits: Pick<DhtLimits, "exchangesMax" | "hardTimeoutMs">,
  ) {
    this.#peers = components.peers;
    this.#port = components.port;
    this.#limits = limits;
    this.#timers = new TimerQueue({ capacity: limits.exchangesMax });
  }

  /** Requests in flight. */
  get size(): number {
    return this.#open.size;
  }

  /** Requests sent so far, repetitions not counted. */
  get sent(): number {
    return this.#sent;
  }

  /** Whether no more requests may be in flight. */
  get isFull(): boolean {
    return this.#open.size >= this.#limits.exchangesMax;
  }

  /** Sends a request; false when the desk is full, and then nobody is told anything. */
  ask(contact: Contact, request: DhtRequest, owner: ExchangeOwner, now: Instant): boolean {
    if (this.isFull) return false;
    this.#waiting.delete(owner);
    this.#lastId = (this.#lastId % 2 ** 48) + 1;
    const id = this.#lastId;
    const exchange: Exchange = {
      id,
      contact,
      request,
      begunAt: now,
      sentAt: [],
      isDialling: false,
      timer: undefined,
      owner,
    };
    this.#open.set(id, exchange);
    this.#sent += 1;
    this.#send(exchange, now);
    return true;
  }

  /** The owner has something to ask, and is told once when there is room. */
  waitForRoom(owner: ExchangeOwner): void {
    this.#waiting.add(owner);
  }

  isWaiting(owner: ExchangeOwner): boolean {
    return this.#waiting.has(owner);
  }

  /** Lets those who wait ask, as far as there is room; to be called after every input. */
  resume(now: Instant): void {
    for (const owner of this.#waiting) {
      if (this.isFull) return;
      this.#waiting.delete(owner);
      owner.resume?.(now);
    }
  }

  /** The owner asks no more and has no use for answers; they still tell who is alive. */
  release(owner: ExchangeOwner): void {
    this.#waiting.delete(owner);
    for (const exchange of this.#open.values()) {
      if (exchange.owner === owner) exchange.owner = undefined;
    }
  }

  /** @param attempt which of them was answered, 1 for the first */
  answered(id: ExchangeId, response: DhtResponse, attempt: number, now: Instant): void {
    const exchange = this.#close(id);
    if (exchange === undefined) return;
    const { contact, owner, sentAt, isDialling } = exchange;
    // What the carrier repeats itself, or makes a way for, takes more than one round trip.
    const isMeasured = attempt < ATTEMPTS_MAX && !isDialling;
    const at = isMeasured ? sentAt[attempt - 1] : undefined;
    this.#peers.answered(contact.key, at === undefined ? undefined : now - at);
    this.#port.heard(contact, now);
    owner?.answered(contact, response, now);
  }

  /** The carrier makes a way to the peer first: it is not late before it could be asked. */
  dialling(id: ExchangeId, now: Instant): void {
    const exchange = this.#open.get(id);
    if (exchange === undefined || exchange.isDialling) return;
    exchange.isDialling = true;
    this.#lateAfter(exchange, DIALLING_PATIENCE, now);
  }

  /** The way is there, and the request has left only now. */
  dialled(id: ExchangeId, now: Instant): void {
    const exchange = this.#open.get(id);
    if (exchange?.isDialling !== true) return;
    exchange.isDialling = false;
    exchange.sentAt.splice(0, Infinity, now);
    this.#lateAfter(exchange, 1, now);
  }

  /**
   * The carrier says that no answer will come: the peer is gone, or not who it was said to be; or,
   * when `isBusy`, there was no room for the request.
   */
  failed(id: ExchangeId, now: Instant, isBusy: boolean = false): void {
    const exchange = this.#close(id);
    if (exchange === undefined) return;
    if (!isBusy) this.#port.lost(exchange.contact, now);
    exchange.owner?.failed(exchange.contact, now, isBusy);
  }

  timeout(now: Instant): void {
    for (let due = this.#timers.due(now); due !== undefined; due = this.#timers.due(now)) {
      due.timer = undefined;
      this.#expired(due, now);
    }
  }

  deadline(): Instant {
    return this.#timers.deadline();
  }

  #expired(exchange: Exchange, now: Instant): void {
    const { contact, owner, id, sentAt } = exchange;
    if (now >= this.#hardAt(exchange)) {
      this.#port.forget(id);
      this.failed(id, now);
      return;
    }
    this.#peers.late(contact.key);
    const isFirst = sentAt.length === 1;
    this.#send(exchange, now);
    if (isFirst) owner?.slow?.(contact, now);
    else owner?.silent?.(contact, now);
  }

  #send(exchange: Exchange, now: Instant): void {
    const { id, contact, request, sentAt } = exchange;
    sentAt.push(now);
    const attempt = sentAt.length;
    if (attempt < ATTEMPTS_MAX) this.#lateAfter(exchange, 1, now);
    else this.#arm(exchange, this.#hardAt(exchange));
    this.#port.send(id, contact, request, attempt);
  }

  #lateAfter(exchange: Exchange, patience: number, now: Instant): void {
    if (exchange.timer !== undefined) this.#timers.cancel(exchange.timer);
    const softMs = this.#peers.softTimeoutMs(exchange.contact.key);
    this.#arm(exchange, Math.min(now + patience * softMs, this.#hardAt(exchange)));
  }

  #hardAt({ begunAt }: Exchange): Instant {
    return begunAt + this.#limits.hardTimeoutMs;
  }

  #arm(exchange: Exchange, at: Instant): void {
    exchange.timer = this.#timers.push(at, exchange);
  }

  #close(id: ExchangeId): Exchange | undefined {
    const exchange = this.#open.get(id);
    if (exchange === undefined) return undefined;
    this.#open.delete(id);
    if (exchange.timer !== undefined) this.#timers.cancel(exchange.timer);
    return exchange;
  }
}
