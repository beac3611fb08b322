import {
  type Cancel,
  type Clock,
  CulvertError,
  concatBytes,
  Driver,
  type ErrorCode,
  NumberMap,
  onAbort,
  type Random,
  requireBytes,
  requireCallback,
  requireFunction,
  requireMachine,
  requireMethods,
  requireObject,
  requireSignal,
  requireTime,
  throwIfAborted,
  unreachable,
} from "../../base/index.ts";
import { NODE_ID_BYTES, type NodeId } from "../../identity/index.ts";
import { systemClock } from "../../io/clock.ts";
import { systemRandom } from "../../io/random.ts";
import type { RequestCarrier } from "../carrier.ts";
import { type CloseOptions, requireCloseOptions } from "../close-options.ts";
import { type RequestLimits, resolveRequestLimits } from "../limits.ts";
import { isTypeName, META_BYTES_MAX } from "../message/envelope.ts";
import { encodeFailure, failureOf, readFailure } from "./failure.ts";
import { HandlerRun, type IncomingRequest } from "./handler-run.ts";
import type {
  AbortReason,
  Answer,
  RequestEffect,
  RequestId,
  RequestInput,
  RequestStatistics,
  RunEffect,
} from "./protocol.ts";
import { RequestCore } from "./request-core.ts";

/** How one request is made. */
export interface RequestOptions {
  readonly signal?: AbortSignal | undefined;
  /** Its whole life; the limits' `hardMs` if absent, `hardMsMax` at most. */
  readonly hardMs?: number | undefined;
  /** When `onLate` is called; by the times measured before if absent. */
  readonly softMs?: number;
  /** Called once when the answer is late; it still counts when it comes. */
  readonly onLate?: (() => void) | undefined;
  /** True when running it twice does no harm: it survives a restart of the peer. */
  readonly isIdempotent?: boolean;
  /** What middleware passes on, at most 1,024 bytes. */
  readonly meta?: Uint8Array | undefined;
}

/**
 * Answers a request with bytes that are handed over, or throws: a {@link CulvertError} reaches the
 * caller with its code.
 */
export type RequestHandler = (request: IncomingRequest) => Promise<Uint8Array> | Uint8Array;

/** What requests are made of. */
export interface RequestsComponents {
  readonly carrier: RequestCarrier;
  readonly handler: RequestHandler;
  readonly clock?: Clock;
  readonly random?: Random | undefined;
}

interface OpenRequest {
  resolve(body: Uint8Array): void;
  reject(error: Error): void;
  readonly onLate: (() => void) | undefined;
  readonly forget: Cancel;
}

const NO_META = new Uint8Array(0);

/**
 * Requests to other nodes and from them, over one carrier: the shell of a {@link RequestCore}. Both
 * ends of a connection may ask and answer.
 */
export class Requests {
  readonly #carrier: RequestCarrier;
  readonly #handler: RequestHandler;
  readonly #clock: Clock;
  readonly #limits: RequestLimits;
  readonly #core: RequestCore;
  readonly #driver: Driver<RequestInput, RequestEffect>;
  readonly #open = new NumberMap<OpenRequest>();
  readonly #running = new NumberMap<HandlerRun>();
  #nextRequest: RequestId = 1;
  #isClosed = false;
  #closing: Promise<void> | undefined;
  #idle: (() => void) | undefined;

  constructor(components: RequestsComponents, limits: Partial<RequestLimits> = {}) {
    requireComponents(components);
    const { carrier, handler, clock = systemClock, random = systemRandom } = components;
    this.#carrier = carrier;
    this.#handler = handler;
    this.#clock = clock;
    this.#limits = resolveRequestLimits(limits);
    const { isReliable } = carrier;
    this.#core = new RequestCore({ limits: this.#limits, random, isReliable });
    this.#driver = new Driver(this.#core, clock, (effect) => this.#perform(effect));
    this.#driver.setBackground(true);
    carrier.start({
      received: (peer, bytes) => this.#driver.handle({ kind: "receive", peer, bytes }),
      disturbed: (peer) => this.#driver.handle({ kind: "disturbed", peer }),
    });
    const isBusy = (peer: NodeId): boolean => this.#core.isBusyWith(peer);
    carrier.setBusy?.(isBusy, (peer) => this.#core.isAwaiting(peer));
  }

  /** Live counts. */
  get statistics(): Readonly<RequestStatistics> {
    return this.#core.statistics;
  }

  /**
   * Asks `peer`. Resolves to the reply's bytes, which belong to the caller; `body` is borrowed.
   *
   * @throws CulvertError with `remote` set and the code of the peer's failure; `CULVERT_TIMEOUT`,
   *   `CULVERT_UNREACHABLE`, `CULVERT_SESSION_LOST`, `CULVERT_BUSY`, `CULVERT_TOO_LARGE`,
   *   `CULVERT_CLOSED`
   */
  request(
    peer: NodeId,
    type: string,
    body: Uint8Array,
    options: RequestOptions = {},
  ): Promise<Uint8Array> {
    return new Promise<Uint8Array>((resolve, reject) => {
      requireOptions(options);
      requireBytes("peer", peer, NODE_ID_BYTES);
      requireBytes("body", body);
      const { signal, onLate, softMs, isIdempotent = false, meta = NO_META } = options;
      const hardMs = options.hardMs ?? this.#limits.hardMs;
      if (!isTypeName(type)) {
        throw new RangeError("a type is a short name: letters, digits, . and -");
      }
      if (meta.length > META_BYTES_MAX) throw new RangeError("meta is too long");
      throwIfAborted(signal);
      if (this.#isClosed || this.#closing !== undefined) throw new CulvertError("CULVERT_CLOSED");
      const request = this.#nextRequest;
      this.#nextRequest += 1;
      const forget = onAbort(signal, (error) => this.#turnAway(request, error));
      this.#open.set(request, { resolve, reject, onLate, forget });
      this.#driver.setBackground(false);
      this.#driver.handle({
        kind: "request",
        request,
        peer,
        type,
        // A slice of a Buffer would be a view, and copies are written for as long as it is open.
        meta: meta.length === 0 ? NO_META : concatBytes(meta),
        body: concatBytes(body),
        hardMs,
        // Most answers take less than a timer: none is set whose end nobody wants to know.
        softMs: onLate === undefined ? Number.POSITIVE_INFINITY : softMs,
        isIdempotent,
      });
    });
  }

  /** Refuses new requests of others from now on, with `CULVERT_CLOSED`. */
  stopServing(): void {
    this.#driver.handle({ kind: "drain" });
  }

  /**
   * Takes no more requests, and resolves when those that are open, either way, have ended; what
   * goes on after `drainMs` is aborted. With 0 everything ends at once. Calling it again waits for
   * the same end.
   */
  async close(options: CloseOptions = {}): Promise<void> {
    requireCloseOptions(options);
    this.#closing ??= this.#drain(options.drainMs ?? this.#limits.hardMs);
    if (options.drainMs === 0) this.#idle?.();
    await this.#closing;
  }

  #perform(effect: RequestEffect): void {
    switch (effect.kind) {
      case "send": {
        const { peer, bytes, copyOf } = effect;
        const unsent = (isBusy = false): void =>
          this.#driver.handle({ kind: "unsent", peer, copyOf, isBusy });
        // Whoever has turned away holds up nobody: what waits for room is not sent any more.
        if (copyOf.kind !== "request") this.#carrier.send(peer, bytes, unsent);
        else this.#carrier.send(peer, bytes, unsent, () => this.#open.has(copyOf.request));
        break;
      }
      case "late":
        this.#late(effect.request);
        break;
      case "replied": {
        const open = this.#take(effect.request);
        if (effect.isFailure) open?.reject(readFailure(effect.body));
        else open?.resolve(effect.body);
        break;
      }
      case "failed":
        this.#take(effect.request)?.reject(new CulvertError(effect.code));
        break;
      case "run":
        void this.#run(effect);
        break;
      case "abort":
        this.#running.get(effect.call)?.abort(abortReason(effect.reason));
        break;
      case "cutOff":
        this.#running.delete(effect.call);
        this.#settleIdle();
        break;
      default:
        unreachable(effect);
    }
  }

  #late(request: RequestId): void {
    const onLate = this.#open.get(request)?.onLate;
    if (onLate !== undefined) queueMicrotask(onLate);
  }

  async #run(effect: RunEffect): Promise<void> {
    const { call } = effect;
    const run = new HandlerRun(effect);
    this.#running.set(call, run);
    let answer: Answer;
    try {
      const reply = await this.#handler(run);
      answer = this.#fits(reply) ? { isFailure: false, body: reply } : refusal("CULVERT_TOO_LARGE");
    } catch (error) {
      answer = { isFailure: true, body: encodeFailure(failureOf(error)) };
    }
    this.#running.delete(call);
    const { isFailure, body } = answer;
    this.#driver.handle({ kind: "answer", call, isFailure, body });
    this.#settleIdle();
  }

  #fits(reply: Uint8Array): boolean {
    return reply.length <= this.#limits.bodyBytesMax;
  }

  #turnAway(request: RequestId, error: Error): void {
    const open = this.#take(request);
    if (open === undefined) return;
    this.#driver.handle({ kind: "cancel", request });
    open.reject(error);
  }

  #take(request: RequestId): OpenRequest | undefined {
    const open = this.#open.get(request);
    if (open === undefined) return undefined;
    this.#open.delete(request);
    open.forget();
    this.#driver.setBackground(this.#open.size === 0);
    this.#settleIdle();
    return open;
  }

  #settleIdle(): void {
    if (this.#open.size === 0 && this.#running.size === 0) this.#idle?.();
  }

  async #drain(drainMs: number): Promise<void> {
    this.stopServing();
    await new Promise<void>((resolve) => {
      const cancel = this.#clock.schedule(this.#clock.now() + drainMs, () => this.#idle?.());
      this.#idle = (): void => {
        cancel();
        this.#idle = undefined;
        resolve();
      };
      this.#settleIdle();
    });
    this.#isClosed = true;
    for (const request of this.#open.keys()) {
      this.#turnAway(request, new CulvertError("CULVERT_CLOSED"));
    }
    for (const run of this.#running.values()) run.abort(abortReason("cancelled"));
    this.#driver.stop();
    await this.#carrier.close();
  }
}

function requireComponents(components: RequestsComponents): void {
  requireObject("components", components);
  requireMethods("carrier", components.carrier, "start", "send", "close");
  requireFunction("handler", components.handler);
  requireMachine(components);
}

function requireOptions(options: RequestOptions): void {
  requireObject("options", options);
  const { signal, hardMs, softMs, onLate, meta } = options;
  requireSignal(signal);
  requireTime("hardMs", hardMs);
  requireTime("softMs", softMs);
  requireCallback("onLate", onLate);
  if (meta !== undefined) requireBytes("meta", meta);
}

function abortReason(reason: AbortReason): CulvertError {
  switch (reason) {
    case "deadline":
      return new CulvertError("CULVERT_TIMEOUT", "the request's time is over");
    case "cancelled":
      return new CulvertError("CULVERT_PEER_ABORTED", "the caller has turned away");
    case "displaced":
      return new CulvertError("CULVERT_BUSY", "the caller had more handlers than others");
    default:
      return unreachable(reason);
  }
}

function refusal(code: ErrorCode): Answer {
  return { isFailure: true, body: encodeFailure({ code }) };
}
