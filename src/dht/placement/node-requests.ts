import { type Instant, NumberMap, type Random } from "../../base/index.ts";
import { type TimerHandle, TimerQueue } from "../../retx/index.ts";
import { Peers } from "../exchange/peers.ts";
import type { Contact } from "../wire/contact.ts";
import type { PlacementLimits } from "./placement-limits.ts";
import type { NodeAnswer, NodeRequestId, PlacementEffect } from "./placement-protocol.ts";

/** Who asked a node, and is told what became of it. */
export interface RequestOwner {
  /** It takes longer than such a request should; once. */
  late(request: NodeRequestId, node: Contact, now: Instant): void;
  answered(request: NodeRequestId, node: Contact, answer: NodeAnswer, now: Instant): void;
}

interface Open {
  readonly node: Contact;
  readonly owner: RequestOwner;
  readonly sentAt: Instant;
  readonly hardAt: Instant;
  /** A get that may wait for its put says nothing of how fast the node is. */
  readonly isWaiting: boolean;
  timer: TimerHandle;
}

/** Requests per operation that may be open: every replica, and two spares for each. */
export const OPEN_PER_OPERATION = 16;

/**
 * Requests to the Maps of nodes that are under way: when they are late, and when they have failed.
 */
export class NodeRequests {
  readonly #limits: PlacementLimits;
  readonly #push: (effect: PlacementEffect) => void;
  readonly #peers: Peers;
  readonly #open = new NumberMap<Open>();
  readonly #timers: TimerQueue<NodeRequestId>;
  #lastId = 0;

  constructor(
    components: { readonly random: Random; readonly push: (effect: PlacementEffect) => void },
    limits: PlacementLimits,
  ) {
    this.#limits = limits;
    this.#push = components.push;
    const { peersMax, rttInitialMs, answerMs } = limits;
    const hardTimeoutMs = answerMs;
    this.#peers = new Peers(components.random, { peersMax, rttInitialMs, hardTimeoutMs });
    const { operationsMax, auditsMax } = limits;
    this.#timers = new TimerQueue({ capacity: OPEN_PER_OPERATION * operationsMax + auditsMax });
  }

  get size(): number {
    return this.#open.size;
  }

  /** Whether another operation could ask everybody it has to. */
  get hasRoom(): boolean {
    return this.size + OPEN_PER_OPERATION < OPEN_PER_OPERATION * this.#limits.operationsMax;
  }

  /** Asks a node, which is late after `patience` soft timeouts; `effect` is told the number. */
  ask(
    node: Contact,
    options: {
      readonly owner: RequestOwner;
      readonly waitMs?: number;
      readonly patience?: number;
      readonly now: Instant;
    },
    effect: (request: NodeRequestId) => PlacementEffect,
  ): NodeRequestId {
    const { owner, now, waitMs = 0, patience = 1 } = options;
    this.#lastId += 1;
    const request = this.#lastId;
    const hardAt = now + waitMs + this.#limits.answerMs;
    const lateAt = now + patience * this.#peers.softTimeoutMs(node.key);
    const timer = this.#timers.push(Math.min(lateAt, hardAt), request);
    this.#open.set(request, { node, owner, sentAt: now, hardAt, isWaiting: waitMs > 0, timer });
    this.#push(effect(request));
    return request;
  }

  answered(request: NodeRequestId, answer: NodeAnswer, now: Instant): void {
    const open = this.#close(request);
    if (open === undefined) return;
    const isMeasured = answer.kind !== "failed" && !open.isWaiting;
    if (isMeasured) this.#peers.answered(open.node.key, now - open.sentAt);
    open.owner.answered(request, open.node, answer, now);
  }

  /** The answer is of no more use. */
  abandon(request: NodeRequestId): void {
    if (this.#close(request) !== undefined) this.#push({ kind: "abandon", request });
  }

  timeout(now: Instant): void {
    for (let due = this.#timers.due(now); due !== undefined; due = this.#timers.due(now)) {
      const open = this.#open.get(due);
      if (open === undefined) continue;
      if (now >= open.hardAt) {
        this.#push({ kind: "abandon", request: due });
        this.answered(due, { kind: "failed", code: "CULVERT_TIMEOUT" }, now);
      } else {
        open.timer = this.#timers.push(open.hardAt, due);
        open.owner.late(due, open.node, now);
      }
    }
  }

  deadline(): Instant {
    return this.#timers.deadline();
  }

  #close(request: NodeRequestId): Open | undefined {
    const open = this.#open.get(request);
    if (open === undefined) return undefined;
    this.#open.delete(request);
    this.#timers.cancel(open.timer);
    return open;
  }
}
