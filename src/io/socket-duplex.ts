import type { Server } from "node:net";
import { Duplex, type DuplexOptions } from "node:stream";
import type { Clock, Instant } from "../base/index.ts";
import { afterEmits } from "./defer.ts";
import type { Hear, ReadableEvents, WritableEvents } from "./typed-events.ts";

/** The name under which a stream's ends are shown where a socket shows an IP address. */
export interface SocketAddress {
  readonly address: string;
  readonly family: string;
  readonly port: number;
}

/** Where a socket's state machine stands, in net.Socket's words. */
export type ReadyState = "open" | "readOnly" | "writeOnly" | "closed";

/** What a stream in the place of a socket tells: the name of each event, and what comes with it. */
export interface SocketEvents extends ReadableEvents, WritableEvents {
  /** Nothing more will happen here; whether an error is why. */
  close: [hadError: boolean];
  /** After `connect` was called, for who waits for it. */
  connect: [];
  /** As `connect`. */
  ready: [];
  /** No byte has moved for as long as `setTimeout` was told. */
  timeout: [];
}

/**
 * The parts of `net.Socket` that clients of sockets (http, tls, ssh2, pg, ws, hypercore) expect
 * beyond a Duplex. What has no meaning for a stream does nothing and says so here. By its type it
 * is a `net.Socket`.
 */
export abstract class SocketDuplex extends Duplex {
  declare on: Hear<SocketEvents, this>;
  declare once: Hear<SocketEvents, this>;
  declare addListener: Hear<SocketEvents, this>;
  /** A socket that is being set up; a stream can be written to from the first moment. */
  readonly connecting: boolean = false;
  /** As `connecting`: nothing has to be waited for. */
  readonly pending: boolean = false;
  /** Where a socket has `IPv4` or `IPv6`. */
  readonly remoteFamily: string = "culvert";
  /** A stream has no ports: 0. */
  readonly remotePort: number = 0;
  /** A stream has no ports: 0. */
  readonly localPort: number = 0;
  /** Where a socket has `IPv4` or `IPv6`. */
  readonly localFamily: string = "culvert";
  /** For a server that is given the stream as a connection: http writes itself here. */
  server: Server | null = null;
  /** What `setTimeout` was told last, in ms; as of a socket, writing it does nothing. */
  timeout?: number;
  #idleMs = 0;
  #activeAt: Instant = 0;
  #cancelIdle: (() => void) | undefined;

  /** Needs {@link closing} in its `_destroy`: Node would emit a `close` that says nothing. */
  protected constructor(options: DuplexOptions) {
    super({ ...options, emitClose: false });
  }

  protected abstract get clock(): Clock;
  /** Public name of the stream as this side writes it; it reveals nothing of the secret. */
  abstract get localAddress(): string;
  /** Public name of the stream as the other side writes it. */
  abstract get remoteAddress(): string;
  /** Whether the stream's timers keep the process alive. */
  protected abstract setBackground(background: boolean): void;

  /** Which directions are still open. */
  get readyState(): ReadyState {
    const canRead = this.readable && !this.destroyed;
    if (this.writable) return canRead ? "open" : "writeOnly";
    return canRead ? "readOnly" : "closed";
  }

  /** As a socket's, which has another name for it now: `writableLength`. */
  get bufferSize(): number {
    return this.writableLength;
  }

  /** Empty: no address had to be tried. */
  get autoSelectFamilyAttemptedAddresses(): string[] {
    return [];
  }

  /** The public name of this side, in the form of a socket's address. */
  address(): SocketAddress {
    return { address: this.localAddress, family: this.localFamily, port: this.localPort };
  }

  /**
   * Emits `timeout` after `ms` without a byte in either direction, once until bytes move again; 0
   * turns it off. Nothing else happens: whoever set it decides.
   *
   * @throws TypeError for what is no number
   * @throws RangeError for a negative time
   */
  setTimeout(ms: number, listener?: () => void): this {
    if (typeof ms !== "number") throw new TypeError("the time-out must be a number");
    if (!(ms >= 0)) throw new RangeError("the time-out must not be negative");
    if (listener !== undefined) {
      if (ms === 0) this.removeListener("timeout", listener);
      else this.once("timeout", listener);
    }
    this.stopIdleTimer();
    if (this.destroyed) return this;
    this.timeout = ms;
    this.#idleMs = ms;
    this.noteActivity();
    return this;
  }

  /** Sends small writes at once instead of gathering them while another is under way. */
  abstract setNoDelay(noDelay?: boolean): this;

  /** Does nothing: a stream has no connection to keep alive. */
  setKeepAlive(_enable?: boolean | object, _initialDelayMs?: number): this {
    return this;
  }

  /** 0: a stream has no packets of its own that could be marked. */
  getTypeOfService(): number {
    return 0;
  }

  /** Does nothing: see {@link getTypeOfService}. */
  setTypeOfService(_tos: number): this {
    return this;
  }

  /**
   * Emits `connect` (and calls a listener given last): clients that dial a socket themselves find
   * the stream connected. Host and port are not used.
   */
  connect(...args: unknown[]): this {
    const listener = args.at(-1);
    if (isListener(listener)) this.once("connect", listener);
    queueMicrotask(() => {
      if (this.destroyed) return;
      this.emit("connect");
      this.emit("ready");
    });
    return this;
  }

  /** Lets the process live while the stream has something to do; the state at the start. */
  ref(): this {
    this.setBackground(false);
    return this;
  }

  /** Lets the process exit although the stream has something to do. */
  unref(): this {
    this.setBackground(true);
    return this;
  }

  /** Ends, and destroys once everything written has been taken over. */
  destroySoon(): void {
    if (this.writable) this.end();
    if (this.writableFinished) this.destroy();
    else this.once("finish", () => this.destroy());
  }

  /** Gives the stream up at once, also what is on its way after an `end`, and tells the peer. */
  abstract resetAndDestroy(): this;

  /** Settles a `_destroy`, and emits `close` as a socket does: it tells whether an error was. */
  protected closing(settle: (error?: Error | null) => void): (error?: Error | null) => void {
    return (error) => {
      settle(error);
      // Behind the `error`, which Node emits.
      afterEmits(() => this.emit("close", Boolean(error)));
    };
  }

  /** Whether silence is watched for. */
  protected get isIdleWatched(): boolean {
    return this.#idleMs > 0;
  }

  /** A byte went in or out. */
  protected noteActivity(): void {
    if (this.#idleMs === 0) return;
    this.#activeAt = this.clock.now();
    if (this.#cancelIdle === undefined) this.#watchIdle();
  }

  protected stopIdleTimer(): void {
    this.#cancelIdle?.();
    this.#cancelIdle = undefined;
    this.#idleMs = 0;
  }

  #watchIdle(): void {
    const dueAt = this.#activeAt + this.#idleMs;
    this.#cancelIdle = this.clock.schedule(dueAt, () => this.#checkIdle(), { background: true });
  }

  /** Moving the timer at every byte would cost more than to look again when it ends. */
  #checkIdle(): void {
    this.#cancelIdle = undefined;
    if (this.clock.now() < this.#activeAt + this.#idleMs) this.#watchIdle();
    else this.emit("timeout");
  }
}

function isListener(value: unknown): value is (this: SocketDuplex) => void {
  return typeof value === "function";
}
