import {
  assert,
  type Cancel,
  type Clock,
  CulvertError,
  type Instant,
  isCulvertError,
  onAbort,
  requireMethods,
} from "../../base/index.ts";
import type { ByteConnection, ByteConnectionEvents } from "../../io/byte-connection.ts";
import type { MapGreeting, RequesterEvents } from "../service/requester.ts";
import { WireRequester } from "./wire-requester.ts";

/** What happens on a connection once the node has greeted. */
export interface NodeConnectionEvents extends Pick<RequesterEvents, "answer" | "ready"> {
  /** The connection is gone, why ever; nothing follows. */
  lost(error: CulvertError): void;
}

/**
 * Begins to connect to a node, and tells `events` what becomes of it: a socket, a stream of a link.
 * Whoever answers is the node that was meant, as far as the way there proves it.
 */
export type DialNode = (
  events: ByteConnectionEvents & { readonly connected: () => void },
) => Pick<ByteConnection, "write" | "unsentBytes" | "close">;

/** How long a connection may take to be made, and by which clock. */
export interface NodeConnectionLimits {
  readonly clock: Clock;
  readonly connectMs: number;
  /** Aborted when nobody wants it any more, unless it is made by then. */
  readonly signal?: AbortSignal | undefined;
}

/** How the promise of a connection ends. */
interface Outcome {
  resolve(connection: NodeConnection): void;
  reject(error: CulvertError): void;
}

/** One connection to a node, from its greeting to its loss. */
export class NodeConnection {
  readonly #connection: ReturnType<DialNode>;
  readonly #outcome: Outcome;
  readonly #cancelPatience: Cancel;
  #forgetSignal: Cancel = () => {};
  #requester: WireRequester | undefined;
  #greeting: MapGreeting | undefined;
  #events: NodeConnectionEvents | undefined;
  #lostBy: CulvertError | undefined;
  #heardAt: Instant;

  private constructor(dial: DialNode, limits: NodeConnectionLimits, outcome: Outcome) {
    const { clock, connectMs, signal } = limits;
    this.#outcome = outcome;
    this.#heardAt = clock.now();
    // Told before the dial has returned: there is nothing to speak over yet, and nothing to close.
    const early: (() => void)[] = [];
    let hasReturned = false;
    const take = (event: () => void): void => {
      if (hasReturned) event();
      else early.push(event);
    };
    const receive = (bytes: Uint8Array): void => {
      this.#heardAt = clock.now();
      this.#requester?.receive(bytes);
    };
    this.#connection = dial({
      connected: () => take(() => this.#speak()),
      receive: (bytes) => (hasReturned ? receive(bytes) : early.push(() => receive(bytes))),
      drained: () => this.#requester?.drained(),
      closed: (cause) => take(() => this.drop(lossOf(cause))),
    });
    requireMethods("what a dial returns", this.#connection, "write", "close");
    const giveUp = (): void => this.drop(new CulvertError("CULVERT_UNREACHABLE"));
    this.#cancelPatience = clock.schedule(clock.now() + connectMs, giveUp);
    this.#forgetSignal = onAbort(signal, () => this.drop(new CulvertError("CULVERT_CLOSED")));
    hasReturned = true;
    for (const event of early) event();
  }

  /**
   * Dials a node and waits for its greeting.
   *
   * @throws CulvertError `CULVERT_UNREACHABLE`, `CULVERT_BUSY` or `CULVERT_PROTOCOL`
   */
  static make(dial: DialNode, limits: NodeConnectionLimits): Promise<NodeConnection> {
    return new Promise((resolve, reject) => {
      new NodeConnection(dial, limits, { resolve, reject });
    });
  }

  get greeting(): MapGreeting {
    assert(this.#greeting !== undefined, "a connection is made when it is greeted");
    return this.#greeting;
  }

  get requester(): WireRequester {
    assert(this.#requester !== undefined, "a connection is made when it is greeted");
    return this.#requester;
  }

  /** When the last byte came in. */
  get heardAt(): Instant {
    return this.#heardAt;
  }

  /** Tells `events` from now on. */
  use(events: NodeConnectionEvents): void {
    this.#events = events;
    if (this.#lostBy !== undefined) events.lost(this.#lostBy);
  }

  /** Cuts the connection. */
  drop(error: CulvertError): void {
    if (this.#lostBy !== undefined) return;
    this.#lostBy = error;
    this.#made();
    this.#connection.close(true);
    this.#outcome.reject(error);
    this.#events?.lost(error);
  }

  /** Or not: nobody waits for it any more. */
  #made(): void {
    this.#cancelPatience();
    this.#forgetSignal();
  }

  #speak(): void {
    const connection = this.#connection;
    const port = {
      write: (bytes: Uint8Array): void => connection.write(bytes),
      get unsentBytes(): number {
        return connection.unsentBytes;
      },
      close: (): void => connection.close(false),
    };
    this.#requester = new WireRequester(port, {
      answer: (request, answer) => this.#events?.answer(request, answer),
      ready: () => this.#events?.ready(),
      greeted: (greeting) => {
        this.#greeting = greeting;
        this.#made();
        this.#outcome.resolve(this);
      },
      broken: (error) => this.drop(error),
    });
  }
}

/** Where a limit, here or there, left no room, nobody knows that the node is gone. */
function lossOf(cause: Error | undefined): CulvertError {
  if (isCulvertError(cause, "CULVERT_BUSY")) return cause;
  return new CulvertError("CULVERT_UNREACHABLE", undefined, { cause });
}
