import {
  assert,
  type Cancel,
  type Clock,
  CulvertError,
  onAbort,
  type Random,
} from "../../base/index.ts";
import type { NodeId } from "../../identity/index.ts";
import type { PathConnection } from "../carrier/carrier.ts";
import type { LinkIdentity } from "../channel/handshake.ts";
import { SecurePath } from "../channel/secure-path.ts";
import type { LinkLimits } from "../limits.ts";
import { encodeControl, type Farewell, type Hello } from "../mux/link-records.ts";
import { type Greeted, Greeting, type Wish } from "./greeting.ts";

/** What every path of a host is set up with. */
export interface PathContext {
  readonly identity: LinkIdentity;
  readonly network: string;
  readonly limits: LinkLimits;
  readonly clock: Clock;
  readonly random: Random;
}

/** What one path is set up for. */
export interface PathSetupOptions {
  readonly isInitiator: boolean;
  readonly expectedId?: NodeId | undefined;
  readonly peerKey?: Uint8Array | undefined;
  /** The peer has proved its key; an initiator may {@link PathSetup.greet} now. */
  readonly onReady?: (setup: PathSetup) => void;
  /**
   * The initiator has said what it wants of this responder. The path has to be taken over, or
   * refused, before this returns.
   */
  readonly onAsked?: (setup: PathSetup, greeted: Greeted & { readonly kind: "asked" }) => void;
  /** It came to nothing. */
  readonly onFailed: (error: Error) => void;
  /** Whatever came of it: the time of the setup is over. */
  readonly onOver: () => void;
}

/** How a greeting of the initiator went. */
export interface GreetEvents {
  /** The path has to be taken over, or aborted, before this returns. */
  greeted(greeted: Exclude<Greeted, { readonly kind: "asked" }>): void;
  failed(error: Error): void;
}

/** A connection on its way to become the path of a link: handshake, greeting, and their time. */
export class PathSetup {
  readonly path: SecurePath;
  readonly #context: PathContext;
  readonly #options: PathSetupOptions;
  readonly #greeting: Greeting;
  readonly #cancelTimer: Cancel;
  #peerKey: Uint8Array | undefined;
  #greet: GreetEvents | undefined;
  #forgetSignal: Cancel = () => {};
  #isOver = false;

  /** The connection is handed over. */
  constructor(context: PathContext, connection: PathConnection, options: PathSetupOptions) {
    const { clock, limits, identity, network, random } = context;
    const { isInitiator, expectedId, peerKey } = options;
    this.#context = context;
    this.#options = options;
    this.#greeting = new Greeting(isInitiator);
    const late = (): void =>
      this.fail(new CulvertError("CULVERT_TIMEOUT", "the handshake took too long"));
    this.#cancelTimer = clock.schedule(clock.now() + limits.handshakeMs, late, {
      background: true,
    });
    this.path = new SecurePath(connection, {
      identity,
      network,
      random,
      isInitiator,
      expectedId,
      peerKey,
      clock,
      events: {
        ready: (key) => this.#ready(key),
        message: (payload) => this.#receive(payload),
        datagram: () => {},
        drained: () => {},
        closed: (error) => this.#closed(error),
      },
    });
  }

  /** Whether anything may still come of it. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** Begins; call once. */
  begin(): void {
    this.path.begin();
  }

  /** The peer's ed25519 key; only once it is proved. */
  get provenKey(): Uint8Array {
    assert(this.#peerKey !== undefined, "the handshake is over");
    return this.#peerKey;
  }

  /** What the peer has said of itself. */
  get peerHello(): Hello | undefined {
    return this.#greeting.hello;
  }

  /** The initiator says what it wants; with an aborted `signal` it does not wait for the answer. */
  greet(wish: Wish, events: GreetEvents, signal?: AbortSignal): void {
    this.#greet = events;
    if (this.#isOver) {
      events.failed(new CulvertError("CULVERT_UNREACHABLE", "the connection was cut"));
      return;
    }
    for (const payload of this.#greeting.ask(this.#hello(), wish)) this.path.send(payload);
    const { outcome } = this.#greeting;
    if (outcome !== undefined) this.#greeted(outcome);
    else if (!this.#isOver) this.#forgetSignal = onAbort(signal, (error) => this.fail(error));
  }

  /** The responder says how far a link that goes on has come. */
  confirm(received: number): void {
    this.path.send(encodeControl({ kind: "resumed", received }));
  }

  /** Says why there will be no link, and closes the path. */
  refuse(why: Farewell): void {
    this.path.send(encodeControl({ kind: "goodbye", why }));
    this.#stop();
    this.path.close(false);
  }

  /** Gives the path up, and tells whoever waits for it why. */
  fail(error: Error): void {
    if (this.#isOver) return;
    this.#stop();
    this.path.close(true);
    if (this.#greet === undefined) this.#options.onFailed(error);
    else this.#greet.failed(error);
  }

  /** Gives the path up; nothing is told. */
  abort(): void {
    if (this.#isOver) return;
    this.#stop();
    this.path.close(true);
  }

  #hello(): Hello {
    const { limits } = this.#context;
    return {
      streams: limits.streamsInMax,
      streamWindow: limits.streamWindowBytes,
      observed: this.path.connection.remote,
    };
  }

  #ready(peerKey: Uint8Array): void {
    this.#peerKey = peerKey;
    if (!this.#options.isInitiator) {
      this.path.send(encodeControl({ kind: "hello", ...this.#hello() }));
    }
    this.#options.onReady?.(this);
  }

  #receive(payload: Uint8Array): void {
    // Behind what was refused more may have come at once.
    if (this.#isOver) return;
    let greeted: Greeted | undefined;
    try {
      greeted = this.#greeting.receive(payload);
    } catch (error) {
      this.fail(error instanceof Error ? error : new CulvertError("CULVERT_INTERNAL"));
      return;
    }
    if (greeted !== undefined) this.#greeted(greeted);
  }

  #greeted(greeted: Greeted): void {
    this.#stop();
    if (greeted.kind === "asked") this.#options.onAsked?.(this, greeted);
    else this.#greet?.greeted(greeted);
  }

  #closed(error: Error | undefined): void {
    const failure =
      error ?? new CulvertError("CULVERT_UNREACHABLE", "the connection was cut in the handshake");
    this.fail(failure);
  }

  #stop(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#cancelTimer();
    this.#forgetSignal();
    this.#options.onOver();
  }
}
