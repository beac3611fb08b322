import {
  CulvertError,
  type ErrorCode,
  onAbort,
  throwIfAborted,
  withSignals,
} from "../../base/index.ts";
import type { NodeAddress, NodeId } from "../../identity/index.ts";
import { sourceOf } from "../../io/endpoint.ts";
import type {
  HostPort,
  PathConnection,
  TcpListener,
  TcpNetwork,
  UdpSocket,
} from "../carrier/carrier.ts";
import { UdpCarrier } from "../carrier/udp-carrier.ts";
import type { LinkPath, ProbePort } from "../contract.ts";
import { type Attempt, dialOrder, race } from "./dial-race.ts";
import type { Greeted } from "./greeting.ts";
import { type PathContext, PathSetup } from "./path-setup.ts";
import { SourceGuard } from "./source-guard.ts";

/** How a connection came here. */
export type Way = Pick<LinkPath, "carrier" | "isRelayed" | "via" | "viaRemote" | "remote">;

/** Somebody has asked for a link, or for another path of one. */
export interface Asked {
  readonly setup: PathSetup;
  readonly greeted: Greeted & { readonly kind: "asked" };
  readonly way: Way;
  /** The unit of fairness that it counts for; none for a connection that was attached here. */
  readonly source: string | undefined;
}

/** A path whose peer has proved its key, and that may be greeted. */
export interface ReadyPath {
  readonly setup: PathSetup;
  readonly way: Way;
}

/** Whom a path has to lead to. */
export interface PathTarget {
  readonly id: NodeId | undefined;
  readonly publicKey: Uint8Array | undefined;
}

/** What a desk is made from. */
export interface PathDeskParts {
  readonly context: PathContext;
  readonly tcp: TcpNetwork | undefined;
  /** Has to answer at once: see {@link PathSetup}. */
  readonly onAsked: (asked: Asked) => void;
}

/**
 * Connections over TCP beyond those of all links and handshakes: the one that comes has to be there
 * before another one gives way to it, and those that gave way have a last word.
 */
const GOING_MAX = 64;

/**
 * Where paths begin: the UDP socket, the TCP port, connections that were attached; the races of
 * dialling, and the handshakes of both sides within their limits.
 */
export class PathDesk {
  readonly #parts: PathDeskParts;
  readonly #guard: SourceGuard;
  readonly #setups = new Set<PathSetup>();
  /** Handshakes that others began, the oldest first. */
  readonly #accepted = new Set<PathSetup>();
  #udp: UdpCarrier | undefined;
  #listener: TcpListener | undefined;

  constructor(parts: PathDeskParts) {
    this.#parts = parts;
    this.#guard = new SourceGuard(parts.context.limits);
  }

  get probes(): ProbePort | undefined {
    return this.#udp;
  }

  /** Where the desk listens. */
  get addresses(): readonly NodeAddress[] {
    return [this.#udp?.address, this.#listener?.address].filter((found) => found !== undefined);
  }

  /** Handshakes under way, of both sides. */
  get setups(): number {
    return this.#setups.size;
  }

  /** Sources that handshakes under way are counted for. */
  get sources(): number {
    return this.#guard.sources;
  }

  /** Uses a UDP socket from now on. */
  useUdp(socket: UdpSocket): void {
    const { clock, random } = this.#parts.context;
    this.#udp = new UdpCarrier({
      socket,
      clock,
      random,
      admits: ({ host }) => this.admits(sourceOf(host)),
      onConnection: (connection) => {
        this.#accept(connection, way("udp", connection), sourceOf(connection.remote?.host));
      },
    });
  }

  /** @throws CulvertError `CULVERT_UNREACHABLE` when the port cannot be bound */
  async listenTcp(at: HostPort): Promise<void> {
    const { tcp, context } = this.#parts;
    const { linksMax, handshakesMax } = context.limits;
    this.#listener = await tcp?.listen({
      at,
      connectionsMax: linksMax + handshakesMax + GOING_MAX,
      onConnection: (connection) => {
        const source = sourceOf(connection.remote?.host);
        if (this.admits(source)) {
          this.#accept(connection, way("tcp", connection), source);
        } else connection.close(true);
      },
    });
  }

  /** Races over the addresses that can be dialled here. */
  async dial(
    target: PathTarget & {
      readonly addresses: readonly NodeAddress[];
      readonly remembered: NodeAddress | undefined;
    },
    signal: AbortSignal,
  ): Promise<ReadyPath & { readonly address: NodeAddress }> {
    const { clock, limits } = this.#parts.context;
    const addresses = dialOrder(target.addresses, target.remembered).filter((address) =>
      address.carrier === "udp" ? this.#udp !== undefined : this.#parts.tcp !== undefined,
    );
    const attempts = addresses.map((address): Attempt<PathSetup> => {
      return {
        address,
        run: (others) => this.#attempt(address, target, others),
        discard: (setup) => setup.abort(),
      };
    });
    const { won, address } = await race(attempts, { clock, staggerMs: limits.staggerMs, signal });
    return { setup: won, way: way(address.carrier, won.path.connection), address };
  }

  /** Begins the handshake on a connection, which is handed over. */
  open(
    connection: PathConnection,
    target: PathTarget,
    signal: AbortSignal | undefined,
  ): Promise<PathSetup> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) connection.close(true);
      throwIfAborted(signal);
      const setup = new PathSetup(this.#parts.context, connection, {
        isInitiator: true,
        expectedId: target.id,
        peerKey: target.publicKey,
        onReady: (ready) => {
          forget();
          resolve(ready);
        },
        onFailed: (error) => {
          forget();
          reject(error);
        },
        onOver: () => this.#setups.delete(setup),
      });
      this.#setups.add(setup);
      const forget = onAbort(signal, (error) => {
        setup.abort();
        reject(error);
      });
      setup.begin();
    });
  }

  /**
   * Whether `source` may begin a handshake. When all places are taken the oldest gives way: an
   * honest one is over in a few round trips, and those that only hold places must not be the ones
   * that keep them. One that may is counted until it is over: it has to be answered.
   */
  admits(source: string): boolean {
    return this.#guard.enter(source, this.#parts.context.clock.now(), () => {
      const [oldest] = this.#accepted;
      oldest?.fail(new CulvertError("CULVERT_BUSY"));
    });
  }

  /** Waits for the handshake on a connection, which is handed over. */
  answer(
    connection: PathConnection,
    options: {
      readonly expectedId: NodeId | undefined;
      readonly way: Way;
      readonly source?: string | undefined;
      readonly onAsked: (asked: Asked) => void;
      readonly onFailed: (error: Error) => void;
    },
  ): PathSetup {
    const { source } = options;
    const setup = new PathSetup(this.#parts.context, connection, {
      isInitiator: false,
      expectedId: options.expectedId,
      onAsked: (asking, greeted) =>
        options.onAsked({ setup: asking, greeted, way: options.way, source }),
      onFailed: options.onFailed,
      onOver: () => {
        this.#setups.delete(setup);
        this.#accepted.delete(setup);
        if (source !== undefined) this.#guard.leave(source);
      },
    });
    this.#setups.add(setup);
    if (source !== undefined) this.#accepted.add(setup);
    setup.begin();
    return setup;
  }

  async close(): Promise<void> {
    for (const setup of this.#setups) setup.fail(new CulvertError("CULVERT_CLOSED"));
    await Promise.all([this.#udp?.close(), this.#listener?.close()]);
  }

  /** A handshake that somebody else began; `source` has been counted. */
  #accept(connection: PathConnection, from: Way, source: string): void {
    this.answer(connection, {
      expectedId: undefined,
      way: from,
      source,
      onAsked: this.#parts.onAsked,
      onFailed: () => {},
    });
  }

  /** One way, in the time that a connection and its handshake have together. */
  async #attempt(
    address: NodeAddress,
    target: PathTarget,
    signal: AbortSignal,
  ): Promise<PathSetup> {
    const carrier = address.carrier === "udp" ? this.#udp : this.#parts.tcp;
    if (carrier === undefined) throw new CulvertError("CULVERT_UNREACHABLE");
    const { clock, limits } = this.#parts.context;
    const late = new AbortController();
    const at = clock.now() + limits.handshakeMs;
    const cancel = clock.schedule(at, () => late.abort(), { background: true });
    let code: ErrorCode = "CULVERT_UNREACHABLE";
    try {
      return await withSignals([signal, late.signal], async (either) => {
        const connection = await carrier.dial(address, { signal: either });
        code = "CULVERT_TIMEOUT";
        return await this.open(connection, target, either);
      });
    } catch (error) {
      if (!late.signal.aborted || signal.aborted) throw error;
      throw new CulvertError(code, "nobody answers at this address in time", { cause: error });
    } finally {
      cancel();
    }
  }
}

function way(carrier: Way["carrier"], { remote }: PathConnection): Way {
  return { carrier, isRelayed: false, remote };
}
