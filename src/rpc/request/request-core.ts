import {
  type Core,
  type Instant,
  isCulvertError,
  type Random,
  unreachable,
} from "../../base/index.ts";
import type { NodeId } from "../../identity/index.ts";
import type { RequestLimits } from "../limits.ts";
import { decodeEnvelope, type Envelope } from "../message/envelope.ts";
import { CallerCore } from "./caller-core.ts";
import {
  noRequestStatistics,
  type RequestEffect,
  type RequestInput,
  type RequestParts,
  type RequestStatistics,
} from "./protocol.ts";
import { ResponderCore } from "./responder-core.ts";

/** What a request core is made of. */
export interface RequestCoreOptions {
  readonly limits: RequestLimits;
  readonly random: Random;
  /** Whether the carrier repeats what is lost while a connection lasts. */
  readonly isReliable: boolean;
}

/**
 * The requests of one node as a synchronous state machine, in both roles at once: EGTP's messages
 * over a carrier that may lose, delay, repeat and reorder them and vouches only for their sender.
 *
 * - Each request ends exactly once, in `replied` or `failed`, unless it is cancelled; `late` may
 *   come before, once.
 * - Each request of others is run at most once while this core lives; each `run` is answered by
 *   the shell with `answer`, or ends in `cutOff`.
 * - A malformed message is counted and dropped; none reaches another peer's state.
 *
 * Source: "Introduction to the EGTP version 1 Architecture", I.A, I.B and IV.A.
 */
export class RequestCore implements Core<RequestInput, RequestEffect> {
  readonly #limits: RequestLimits;
  readonly #statistics = noRequestStatistics();
  readonly #effects: RequestEffect[] = [];
  readonly #caller: CallerCore;
  readonly #responder: ResponderCore;

  constructor({ limits, random, isReliable }: RequestCoreOptions) {
    this.#limits = limits;
    const parts: RequestParts = {
      limits,
      random,
      isReliable,
      statistics: this.#statistics,
      perform: (effect) => void this.#effects.push(effect),
    };
    this.#caller = new CallerCore(parts);
    this.#responder = new ResponderCore(parts);
  }

  /** Live counts: not to be written to. */
  get statistics(): Readonly<RequestStatistics> {
    return this.#statistics;
  }

  /** Requests of this node that are open. */
  get openCount(): number {
    return this.#caller.openCount;
  }

  /** Handlers that run. */
  get runningCount(): number {
    return this.#responder.runningCount;
  }

  /** Whether a connection to `peer` is needed: it awaits a reply, or we owe it one. */
  isBusyWith(peer: NodeId): boolean {
    return this.isAwaiting(peer) || this.#responder.runningFor(peer) > 0;
  }

  /** Whether a request of this node is open at `peer`. */
  isAwaiting(peer: NodeId): boolean {
    return this.#caller.openAt(peer) > 0;
  }

  handle(input: RequestInput, now: Instant): void {
    switch (input.kind) {
      case "request":
        this.#caller.request(input.request, input, now);
        break;
      case "cancel":
        this.#caller.cancel(input.request, now);
        break;
      case "receive":
        this.#receive(input.peer, input.bytes, now);
        break;
      case "unsent":
        this.#caller.unsent(input, now);
        break;
      case "disturbed":
        this.#caller.disturbed(input.peer, now);
        break;
      case "answer":
        this.#responder.answer(input.call, input);
        break;
      case "drain":
        this.#responder.drain();
        break;
      default:
        unreachable(input);
    }
  }

  timeout(now: Instant): void {
    this.#caller.timeout(now);
    this.#responder.timeout(now);
  }

  poll(): RequestEffect | undefined {
    return this.#effects.shift();
  }

  deadline(): Instant {
    return Math.min(this.#caller.deadline(), this.#responder.deadline());
  }

  #receive(peer: NodeId, bytes: Uint8Array, now: Instant): void {
    let envelope: Envelope;
    try {
      envelope = decodeEnvelope(bytes, this.#limits.bodyBytesMax);
    } catch (error) {
      if (!isCulvertError(error)) throw error;
      this.#statistics.malformed += 1;
      return;
    }
    switch (envelope.kind) {
      case "hello":
        this.#responder.hello(peer, bytes);
        break;
      case "session":
        this.#caller.session(peer, envelope.reference, envelope.session, now);
        break;
      case "request":
        this.#responder.request(peer, envelope, bytes, now);
        break;
      case "reply":
        this.#caller.reply(peer, envelope, now);
        break;
      case "lost":
        this.#caller.lost(peer, envelope.reference, now);
        break;
      case "settled":
        this.#responder.settled(peer, envelope, now);
        break;
      default:
        unreachable(envelope);
    }
  }
}
