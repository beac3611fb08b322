import {
  type Clock,
  Driver,
  isCulvertError,
  type Log,
  requireMethods,
  requireObject,
  unreachable,
} from "../base/index.ts";
import type { SessionLimits } from "./limits.ts";
import {
  type ServerDialect,
  SessionCore,
  type SessionEffect,
  type SessionEnd,
  type SessionInput,
} from "./session-core.ts";

/** A byte connection as a session sees it: a socket, or anything like one. */
export interface SessionPort {
  /** Sends bytes, which are handed over; after `close` it does nothing. */
  write(bytes: Uint8Array): void;
  /** Bytes that were written and are not on their way yet. */
  readonly unsentBytes: number;
  /** Stops and restarts reading. */
  setReading(isReading: boolean): void;
  /** Ends the connection, after what was written; with `isAbrupt` at once. */
  close(isAbrupt: boolean): void;
}

/** Who serves the requests of one connection. */
export interface Servant<Request> {
  /**
   * Serves one request; resolves to what is said, or to `undefined` when there is nothing to say.
   * A rejection is the failure that the protocol has; with `CULVERT_PROTOCOL` the connection
   * closes. `signal` aborts when the answer is not wanted any more.
   */
  serve(request: Request, signal: AbortSignal): Promise<Uint8Array | undefined>;
  /** The connection is over. */
  closed?(): void;
}

/** What a servant may do with its connection. */
export interface SessionHandle {
  /** The unit of fairness that the client counts for. */
  readonly source: string;
  /** The client's IP address. */
  readonly remoteHost: string;
  /** Says something that nobody asked for; with `mayBeLost` only if the client keeps up. */
  push(bytes: Uint8Array, options: { readonly mayBeLost: boolean }): void;
}

/** A protocol, and who serves it. */
export interface Gateway<Request> {
  readonly dialect: ServerDialect<Request>;
  readonly limits: SessionLimits;
  open(session: SessionHandle): Servant<Request>;
}

/** What a session is built from. */
export interface SessionComponents<Request> {
  readonly gateway: Gateway<Request>;
  readonly port: SessionPort;
  readonly clock: Clock;
  readonly log: Log;
  /** Called once, last of all. */
  readonly onEnd: (reason: SessionEnd) => void;
}

/** Runs one {@link SessionCore} on a connection. Nothing that a client sends makes it throw. */
export class Session<Request> implements SessionHandle {
  readonly source: string;
  readonly remoteHost: string;
  readonly #components: SessionComponents<Request>;
  readonly #core: SessionCore<Request>;
  readonly #driver: Driver<SessionInput, SessionEffect<Request>>;
  readonly #servant: Servant<Request>;
  readonly #serving = new Map<number, AbortController>();

  constructor(
    components: SessionComponents<Request>,
    from: { readonly source: string; readonly remoteHost: string },
  ) {
    requireObject("components", components);
    const { gateway, clock, port } = components;
    requireMethods("gateway", gateway, "open");
    requireMethods("port", port, "write", "setReading", "close");
    requireMethods("clock", clock, "now", "schedule");
    this.#components = components;
    this.source = from.source;
    this.remoteHost = from.remoteHost;
    this.#core = new SessionCore<Request>(gateway.dialect, gateway.limits, clock.now());
    this.#driver = new Driver(this.#core, clock, (effect) => this.#perform(effect));
    this.#driver.setBackground(true);
    this.#servant = gateway.open(this);
  }

  /** Whether the client has asked for anything yet. */
  get hasSpoken(): boolean {
    return this.#core.hasSpoken;
  }

  /** Whether anything that it asked for is being served. */
  get isServing(): boolean {
    return this.#core.isServing;
  }

  /** Bytes from the client, handed over. */
  receive(bytes: Uint8Array): void {
    this.#tell({ kind: "received", bytes });
  }

  /** Everything that was written is on its way. */
  drained(): void {
    this.#tell();
  }

  /** The connection is over. */
  closed(): void {
    this.#tell({ kind: "ended" });
  }

  push(bytes: Uint8Array, options: { readonly mayBeLost: boolean }): void {
    this.#tell({ kind: "push", bytes, mayBeLost: options.mayBeLost });
  }

  /** Ends the connection after what was said. */
  finish(): void {
    this.#tell({ kind: "finish" });
  }

  /** Cuts the connection: another client needs its place. */
  displace(): void {
    this.#tell({ kind: "displaced" });
  }

  #tell(input?: SessionInput): void {
    this.#driver.handle({ kind: "unsent", unsentBytes: this.#components.port.unsentBytes });
    if (input !== undefined) this.#driver.handle(input);
  }

  #perform(effect: SessionEffect<Request>): void {
    const { port, log } = this.#components;
    switch (effect.kind) {
      case "serve":
        void this.#serve(effect.request, effect.message);
        break;
      case "cancel":
        this.#serving.get(effect.request)?.abort();
        break;
      case "send":
        port.write(effect.bytes);
        break;
      case "reading":
        port.setReading(effect.isReading);
        break;
      case "close":
        if (effect.reason !== "gone") port.close(effect.isAbrupt);
        log("debug", "voidphone-session-end", { reason: effect.reason });
        this.#driver.stop();
        this.#servant.closed?.();
        this.#components.onEnd(effect.reason);
        break;
      default:
        unreachable(effect);
    }
  }

  async #serve(request: number, message: Request): Promise<void> {
    const controller = new AbortController();
    this.#serving.set(request, controller);
    try {
      const bytes = await this.#servant.serve(message, controller.signal);
      this.#tell({ kind: "answered", request, bytes });
    } catch (error) {
      const isViolation = isCulvertError(error, "CULVERT_PROTOCOL");
      if (!isViolation) this.#components.log("debug", "voidphone-request-failed", causeOf(error));
      this.#tell(isViolation ? { kind: "violated" } : { kind: "failed", request });
    } finally {
      this.#serving.delete(request);
    }
  }
}

function causeOf(error: unknown): Record<string, string> {
  return { code: isCulvertError(error) ? error.code : "unknown" };
}
