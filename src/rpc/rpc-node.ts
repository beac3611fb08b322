import { type Clock, CulvertError, type Random } from "../base/index.ts";
import type { NodeId } from "../identity/index.ts";
import { systemClock } from "../io/clock.ts";
import type { RequestCarrier } from "./carrier.ts";
import type { Caller, CallOptions } from "./handlers.ts";
import type { RequestLimits } from "./limits.ts";
import { type Manifest, type Method, requireNames, type UnaryMethod } from "./manifest.ts";
import { encodeMeta } from "./meta.ts";
import { type Middleware, runMiddleware } from "./middleware.ts";
import type { RequestStatistics } from "./protocol.ts";
import { Requests } from "./requests.ts";
import { Service } from "./service.ts";

/** What a node of calls is made of. */
export interface RpcNodeComponents {
  readonly carrier: RequestCarrier;
  /** What others may call here; nothing if absent. */
  readonly service?: Service;
  /** Runs around every call that is made from here, the first one outermost. */
  readonly middleware?: readonly Middleware[];
  readonly clock?: Clock;
  readonly random?: Random;
}

/** One end of everything that is called: it calls other nodes and serves them. */
export class RpcNode {
  readonly #requests: Requests;
  readonly #middleware: readonly Middleware[];

  constructor(components: RpcNodeComponents, limits: Partial<RequestLimits> = {}) {
    const { carrier, clock = systemClock, random } = components;
    const service = components.service ?? Service.of({}, {}, { clock });
    const handler = service.unary.bind(service);
    const given = random === undefined ? {} : { random };
    this.#requests = new Requests({ carrier, handler, clock, ...given }, limits);
    this.#middleware = components.middleware ?? [];
  }

  /** The requests under unary calls: for bytes without a manifest, and for counts. */
  get requests(): Requests {
    return this.#requests;
  }

  get statistics(): Readonly<RequestStatistics> {
    return this.#requests.statistics;
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
    requireNames(manifest);
    const calls = Object.entries(manifest).map(([name, method]) => {
      return [name, this.#callOf(name, method, peer)] as const;
    });
    return Object.fromEntries(calls) as Caller<M>;
  }

  /**
   * Takes no more calls and resolves when those that are open have ended; what goes on after
   * `drainMs` is aborted, with 0 at once. Idempotent.
   */
  async close(options: { readonly drainMs?: number } = {}): Promise<void> {
    await this.#requests.close(options);
  }

  #callOf(name: string, method: Method, peer: NodeId): unknown {
    if (method.kind !== "unary") {
      throw new CulvertError("CULVERT_UNREACHABLE", "there is no carrier of streams here");
    }
    return async (request: unknown, options: CallOptions = {}) =>
      await this.#unary({ name, method, peer }, request, options);
  }

  async #unary(
    target: { name: string; method: UnaryMethod<unknown, unknown>; peer: NodeId },
    request: unknown,
    options: CallOptions,
  ): Promise<unknown> {
    const { name, method, peer } = target;
    const { signal, totalMs, onLate } = options;
    const body = method.request.encode(request);
    const meta = { ...options.meta };
    const call = { peer, method: name, kind: method.kind, signal, meta };
    return await runMiddleware(this.#middleware, call, async () => {
      const reply = await this.#requests.request(peer, name, body, {
        ...{ meta: encodeMeta(meta), isIdempotent: method.isIdempotent },
        ...(signal === undefined ? {} : { signal }),
        ...(totalMs === undefined ? {} : { hardMs: totalMs }),
        ...(onLate === undefined ? {} : { onLate }),
      });
      return method.reply.decode(reply);
    });
  }
}
