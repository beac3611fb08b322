import {
  type Clock,
  CulvertError,
  type Random,
  requireBytes,
  requireMethods,
  requireObject,
} from "../base/index.ts";
import { NODE_ID_BYTES, type NodeId } from "../identity/index.ts";
import { systemClock } from "../io/clock.ts";
import { NO_OPTIONS, requireCallOptions } from "./call/call-options.ts";
import type { Caller, CallOptions, ItemSource } from "./call/handlers.ts";
import {
  type Middleware,
  requireMiddleware,
  runMiddleware,
  streamMiddleware,
} from "./call/middleware.ts";
import { Service } from "./call/service.ts";
import type { RequestCarrier, StreamCarrier } from "./carrier.ts";
import { type CloseOptions, requireCloseOptions } from "./close-options.ts";
import type { RequestLimits } from "./limits.ts";
import {
  type Manifest,
  type Method,
  requireManifest,
  type UnaryMethod,
} from "./message/manifest.ts";
import { encodeMeta } from "./message/meta.ts";
import type { RequestStatistics } from "./request/protocol.ts";
import { type RequestOptions, Requests } from "./request/requests.ts";
import { StreamCaller, type StreamTarget } from "./streaming/stream-caller.ts";
import { resolveStreamCallLimits, type StreamCallLimits } from "./streaming/stream-limits.ts";
import { StreamService } from "./streaming/stream-service.ts";

/** What a node of calls is made of. */
export interface RpcNodeComponents {
  readonly carrier: RequestCarrier;
  /** Without it, only unary methods can be called or served. */
  readonly streams?: StreamCarrier;
  /** What others may call here; nothing if absent. */
  readonly service?: Service;
  /** Runs around every call that is made from here, the first one outermost. */
  readonly middleware?: readonly Middleware[];
  readonly clock?: Clock;
  readonly random?: Random;
}

type StreamingMethod = Exclude<Method, { readonly kind: "unary" }>;

interface CallTarget {
  readonly peer: NodeId;
  readonly method: string;
  readonly kind: Method["kind"];
}

/** How long a close waits for what is open, if it is not told. */
const DRAIN_MS = 30_000;

/** Bounds of a node of calls; what is left out has its default. */
export interface RpcLimits {
  readonly requests?: Partial<RequestLimits>;
  readonly streams?: Partial<StreamCallLimits>;
}

/** One end of everything that is called: it calls other nodes and serves them. */
export class RpcNode implements AsyncDisposable {
  readonly #requests: Requests;
  readonly #middleware: readonly Middleware[];
  readonly #streamCaller: StreamCaller | undefined;
  readonly #streamService: StreamService | undefined;
  readonly #clock: Clock;
  #closing: Promise<void> | undefined;

  constructor(components: RpcNodeComponents, limits: RpcLimits = {}) {
    requireObject("components", components);
    requireObject("limits", limits);
    const { carrier, streams, clock = systemClock, random } = components;
    if (streams !== undefined) requireMethods("streams", streams, "openStream", "onStream");
    if (components.service !== undefined) {
      requireMethods("service", components.service, "unary", "method", "run");
    }
    requireMiddleware(components.middleware);
    const service = components.service ?? Service.of({}, {}, { clock });
    const handler = service.unary.bind(service);
    this.#clock = clock;
    this.#requests = new Requests({ carrier, handler, clock, random }, limits.requests);
    this.#middleware = components.middleware ?? [];
    if (streams === undefined) return;
    const streamLimits = resolveStreamCallLimits(limits.streams);
    const serving = new StreamService(service, clock, streamLimits);
    this.#streamCaller = new StreamCaller(streams, clock, streamLimits);
    this.#streamService = serving;
    streams.onStream((peer, stream) => void serving.serve(peer, stream));
  }

  /** The requests under unary calls: for bytes without a manifest, and for counts. */
  get requests(): Requests {
    return this.#requests;
  }

  get statistics(): Readonly<RequestStatistics> {
    return this.#requests.statistics;
  }

  /** Streaming calls that are being served. */
  get servedStreams(): number {
    return this.#streamService?.callCount ?? 0;
  }

  /**
   * The methods of `manifest` at `peer`, as functions. Nothing is sent before one is called.
   *
   * @example
   * ```ts
   * const manifest = { greet: unary({ request: TEXT, reply: TEXT }) };
   * const greeting = await node.caller(manifest, peer).greet("Ada");
   * ```
   */
  caller<M extends Manifest>(manifest: M, peer: NodeId): Caller<M> {
    requireManifest(manifest);
    requireBytes("peer", peer, NODE_ID_BYTES);
    const calls = Object.entries(manifest).map(([name, method]) => {
      return [name, this.#callOf(name, method, peer)] as const;
    });
    return Object.fromEntries(calls) as Caller<M>;
  }

  /**
   * Takes no more calls and resolves when those that are open have ended; what goes on after
   * `drainMs` is aborted, with 0 at once. Idempotent.
   */
  async close(options: CloseOptions = {}): Promise<void> {
    requireCloseOptions(options);
    this.#closing ??= this.#close(options);
    if (options.drainMs === 0) this.#endStreams();
    if (options.drainMs === 0) await this.#requests.close(options);
    await this.#closing;
  }

  /** As `close`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(options: CloseOptions): Promise<void> {
    const drained = [this.#streamService?.drain(), this.#streamCaller?.drain()];
    this.#requests.stopServing();
    const drainMs = options.drainMs ?? DRAIN_MS;
    const at = this.#clock.now() + drainMs;
    const cancel = this.#clock.schedule(at, () => this.#endStreams(), { background: true });
    await Promise.all(drained);
    cancel();
    // The carrier goes last: it ends with the requests.
    await this.#requests.close({ drainMs: Math.max(0, at - this.#clock.now()) });
    this.#endStreams();
  }

  #endStreams(): void {
    this.#streamCaller?.abandonAll();
    this.#streamService?.abandonAll();
  }

  #callOf(name: string, method: Method, peer: NodeId): unknown {
    if (method.kind === "unary") {
      return (request: unknown, options: CallOptions = NO_OPTIONS) =>
        this.#unary({ name, method, peer }, request, options);
    }
    return this.#streamingCallOf(method, { peer, method: name, kind: method.kind });
  }

  /** What goes wrong is told where the call is waited for: by its promise, or by its items. */
  #streamingCallOf(method: StreamingMethod, target: StreamTarget): unknown {
    switch (method.kind) {
      case "serverStream": {
        const { request, down } = method;
        return (given: unknown, options: CallOptions = NO_OPTIONS) =>
          this.#around(target, options, (inner) => {
            return this.#calls.receive(target, { request: request.encode(given), down }, inner);
          });
      }
      case "duplex": {
        const { up, down } = method;
        return (items: ItemSource<unknown>, options: CallOptions = NO_OPTIONS) =>
          this.#around(target, options, (inner) => {
            return this.#calls.exchange(target, { items, up, down }, inner);
          });
      }
      case "clientStream": {
        const { up, reply } = method;
        return async (items: ItemSource<unknown>, options: CallOptions = NO_OPTIONS) =>
          await this.#within(target, options, (inner) => {
            return this.#calls.send(target, { items, up, reply }, inner);
          });
      }
      default: {
        const { request } = method;
        return async (given: unknown, options: CallOptions = NO_OPTIONS) =>
          await this.#within(target, options, (inner) => {
            return this.#calls.connect(target, request.encode(given), inner);
          });
      }
    }
  }

  get #calls(): StreamCaller {
    if (this.#streamCaller !== undefined) return this.#streamCaller;
    throw new CulvertError("CULVERT_UNREACHABLE", "there is no carrier of streams here");
  }

  async #unary(
    target: { name: string; method: UnaryMethod<unknown, unknown>; peer: NodeId },
    request: unknown,
    options: CallOptions,
  ): Promise<unknown> {
    // While streams are let end, requests are not closed yet.
    if (this.#closing !== undefined) throw new CulvertError("CULVERT_CLOSED");
    const { name, method, peer } = target;
    const body = method.request.encode(request);
    return await this.#within({ peer, method: name, kind: "unary" }, options, async (inner) => {
      const asked = requestOptions(inner, method.isIdempotent);
      return method.reply.decode(await this.#requests.request(peer, name, body, asked));
    });
  }

  #within(
    target: CallTarget,
    options: CallOptions,
    run: (options: CallOptions) => Promise<unknown>,
  ): Promise<unknown> {
    requireCallOptions(options);
    if (this.#middleware.length === 0) return run(options);
    const call = { ...target, signal: options.signal, meta: { ...options.meta } };
    const { meta } = call;
    return runMiddleware(this.#middleware, call, () => run({ ...options, meta }));
  }

  async *#around(
    target: CallTarget,
    options: CallOptions,
    run: (options: CallOptions) => AsyncIterable<unknown>,
  ): AsyncGenerator<unknown, void, undefined> {
    requireCallOptions(options);
    if (this.#middleware.length === 0) {
      yield* run(options);
      return;
    }
    const call = { ...target, signal: options.signal, meta: { ...options.meta } };
    const { meta } = call;
    yield* streamMiddleware(this.#middleware, call, () => run({ ...options, meta }));
  }
}

function requestOptions(options: CallOptions, isIdempotent: boolean): RequestOptions {
  const { signal, totalMs: hardMs, onLate, meta } = options;
  return { signal, hardMs, onLate, isIdempotent, meta: meta && encodeMeta(meta) };
}
