import { type Clock, CulvertError, requireMachine, requireObject } from "../../base/index.ts";
import type { NodeId } from "../../identity/index.ts";
import { systemClock } from "../../io/clock.ts";
import { type Manifest, type Method, requireManifest } from "../message/manifest.ts";
import { decodeMeta, type Meta } from "../message/meta.ts";
import type { IncomingRequest } from "../request/handler-run.ts";
import { Deadline } from "./deadline.ts";
import type { CallContext, Handlers } from "./handlers.ts";
import { type Middleware, requireMiddleware, runMiddleware } from "./middleware.ts";

/** How handlers are served. */
export interface ServiceOptions {
  /** Runs around every handler, the first one outermost. */
  readonly middleware?: readonly Middleware[];
  readonly clock?: Clock;
}

/** A handler whose types the manifest has checked. */
type AnyHandler = (...given: readonly unknown[]) => unknown;

interface Served {
  readonly method: Method;
  readonly handler: AnyHandler;
}

/** Handlers for the methods of one manifest. What a peer names or sends is checked here. */
export class Service {
  readonly #served: ReadonlyMap<string, Served>;
  readonly #middleware: readonly Middleware[];
  readonly #clock: Clock;

  private constructor(served: ReadonlyMap<string, Served>, options: ServiceOptions) {
    this.#served = served;
    this.#middleware = options.middleware ?? [];
    this.#clock = options.clock ?? systemClock;
  }

  /**
   * Handlers for all methods of `manifest`.
   *
   * @throws RangeError when a name cannot cross, or a handler is missing; TypeError for what is no
   *   manifest, and no options
   */
  static of<M extends Manifest>(
    manifest: M,
    handlers: Handlers<M>,
    options: ServiceOptions = {},
  ): Service {
    requireManifest(manifest);
    requireObject("handlers", handlers);
    requireObject("options", options);
    requireMiddleware(options.middleware);
    requireMachine(options);
    const served = new Map<string, Served>();
    for (const [name, method] of Object.entries(manifest)) {
      const handler: unknown = handlers[name];
      if (typeof handler !== "function") throw new RangeError(`"${name}" has no handler`);
      served.set(name, { method, handler: handler.bind(handlers) });
    }
    return new Service(served, options);
  }

  /**
   * Answers a unary call.
   *
   * @throws CulvertError `CULVERT_UNKNOWN_METHOD`, `CULVERT_PROTOCOL`; and what the handler throws
   */
  async unary(incoming: IncomingRequest): Promise<Uint8Array> {
    const { type, body } = incoming;
    const method = this.#served.get(type)?.method;
    if (method?.kind !== "unary") throw unknownMethod(type);
    const deadline = new Deadline(this.#clock, incoming.deadlineAt);
    const meta = decodeMeta(incoming.meta);
    const request = method.request.decode(body);
    const context = new UnaryContext(incoming, deadline, meta);
    const reply = await this.run(method, context, [request]);
    return method.reply.encode(reply);
  }

  /**
   * The method of that name, if it is of one of these kinds.
   *
   * @throws CulvertError `CULVERT_UNKNOWN_METHOD`
   */
  method(name: string, kinds: readonly Method["kind"][]): Method {
    const method = this.#served.get(name)?.method;
    if (method === undefined || !kinds.includes(method.kind)) throw unknownMethod(name);
    return method;
  }

  /**
   * Runs a handler inside all middleware. What is `given` stands before its context, and `finish`
   * is done with what it returns before the call counts as over.
   */
  run(
    method: Method,
    context: CallContext,
    given: readonly unknown[],
    finish?: (result: unknown) => Promise<void>,
  ): Promise<unknown> {
    const handler = this.#served.get(context.method)?.handler;
    if (handler === undefined) throw unknownMethod(context.method);
    const through = async (inner: CallContext): Promise<unknown> => {
      const result = await handler(...given, inner);
      return finish === undefined ? result : await finish(result);
    };
    if (this.#middleware.length === 0) return through(context);
    const { peer, signal, deadline, meta } = context;
    const call = { peer, method: context.method, kind: method.kind, signal, meta: { ...meta } };
    return runMiddleware(this.#middleware, call, () => {
      const { method } = call;
      return through({ peer, method, signal, deadline, meta: { ...call.meta } });
    });
  }
}

/** What the handler of a unary call knows; its signal is made when it is asked for. */
class UnaryContext implements CallContext {
  readonly peer: NodeId;
  readonly method: string;
  readonly deadline: Deadline;
  readonly meta: Meta;
  readonly #incoming: IncomingRequest;

  constructor(incoming: IncomingRequest, deadline: Deadline, meta: Meta) {
    this.peer = incoming.peer;
    this.method = incoming.type;
    this.deadline = deadline;
    this.meta = meta;
    this.#incoming = incoming;
  }

  get signal(): AbortSignal {
    return this.#incoming.signal;
  }
}

function unknownMethod(name: string): CulvertError {
  return new CulvertError("CULVERT_UNKNOWN_METHOD", `there is no method "${name}" of this kind`);
}
