import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { pipeline } from "node:stream/promises";
import { CulvertError, isCulvertError, onAbort, utf8 } from "../../base/index.ts";
import { hkdf } from "../../crypto/index.ts";
import { NodeIdentity } from "../../identity/index.ts";
import { listenAt } from "../../io/byte-server.ts";
import { systemClock } from "../../io/clock.ts";
import { dial } from "../../io/dial.ts";
import { type Endpoint, formatEndpoint } from "../../io/endpoint.ts";
import { errorCode } from "../../io/error-code.ts";
import { systemRandom } from "../../io/random.ts";
import { type Link, type LinkHost, openLinkHost, type PathConnection } from "../../link/index.ts";
import { StreamPaths } from "../../node/index.ts";
import type { Stream } from "../../stream/index.ts";
import { withListenHint } from "../failure.ts";

/** One end of a forwarding. */
export interface ForwardingOptions {
  /** What both ends share. */
  readonly secret: Uint8Array;
  readonly role: "listener" | "dialer";
  /** Survives restarts of both ends; handed over. */
  readonly stream: Stream;
  /** Where connections are taken here, to be made at the other end. */
  readonly listen: Endpoint | undefined;
  /** Where connections of the other end are made to; none are without it. */
  readonly target: Endpoint | undefined;
  /** Told of connections that come and go, and of those that failed, with why if that is known. */
  readonly tell: (
    event: "open" | "closed" | "refused" | "peer" | "left",
    where: string,
    reason?: string,
  ) => void;
}

const PROTOCOL = "forward";
/** The other end has nothing to connect to, or could not. */
const RESET_NO_TARGET = 1;

/** Connections at once, those included that wait for the other end; more are dropped. */
const CONNECTIONS_MAX = 256;

/** What is cut while it is being connected may take so long to be, and is closed then. */
const CONNECTING_MS = 1_000;

const WEEK_MS = 604_800_000;

/**
 * A link over a Map: a round trip may take seconds, and the other end may be away for days. Nothing
 * is sent while nothing happens.
 */
const PATIENT = Object.freeze({
  handshakeMs: WEEK_MS,
  keepAliveMs: WEEK_MS,
  silenceMs: WEEK_MS,
  idleMs: WEEK_MS,
  resumeMs: 1_000,
});

/**
 * Carries TCP and UNIX connections over one stream, many at once and both ways. The stream
 * outlives both processes, the connections do not: when an end comes back, a new link begins.
 */
export class Forwarding {
  readonly #options: ForwardingOptions;
  readonly #host: LinkHost;
  readonly #peer: NodeIdentity;
  readonly #sockets = new Set<Socket>();
  #link: Link | undefined;
  #waiting: ((link: Link) => void)[] = [];
  #server: Server | undefined;
  #isLeaving = false;

  private constructor(options: ForwardingOptions, host: LinkHost, peer: NodeIdentity) {
    this.#options = options;
    this.#host = host;
    this.#peer = peer;
    host.handle(PROTOCOL, (stream) => {
      const { target } = options;
      if (target === undefined) stream.reset(RESET_NO_TARGET);
      else void this.#join(stream, connectTo(target), formatEndpoint(target));
    });
  }

  /**
   * @throws CulvertError `CULVERT_UNREACHABLE` when it cannot listen
   */
  static async start(options: ForwardingOptions): Promise<Forwarding> {
    const { secret, role, listen } = options;
    const identity = identityOf(secret, role);
    const peer = identityOf(secret, role === "listener" ? "dialer" : "listener");
    const network = "culvert-forward/v1";
    const host = await openLinkHost({ identity, network, limits: PATIENT });
    const forwarding = new Forwarding(options, host, peer);
    try {
      if (listen !== undefined) await forwarding.#listen(listen);
    } catch (error) {
      await host.close();
      throw error;
    }
    forwarding.#follow();
    return forwarding;
  }

  /** Where it listens, with the real port. */
  get endpoint(): string | undefined {
    const { listen } = this.#options;
    const address = this.#server?.address();
    if (listen?.kind !== "tcp" || address === null || typeof address !== "object") {
      return listen && formatEndpoint(listen);
    }
    return formatEndpoint({ ...listen, port: address.port });
  }

  /**
   * Ends every connection, and takes no more. Where the stream goes on, the other end is told, and
   * ends them there: until it is, they would hang as if nothing had happened.
   */
  async close(): Promise<void> {
    this.#isLeaving = true;
    for (const socket of this.#sockets) cut(socket);
    this.#server?.close();
    await this.#host.close();
  }

  #follow(): void {
    const { stream } = this.#options;
    const onPath = (path: PathConnection): void => void this.#attach(path);
    new StreamPaths({ stream, clock: systemClock, random: systemRandom, onPath }).start();
  }

  /** The other end is there anew: what went over the last link is lost with it. */
  async #attach(path: PathConnection): Promise<void> {
    // It has heard that we leave, and waits for our next run.
    if (this.#isLeaving) return;
    void this.#link?.close();
    this.#link = undefined;
    const isInitiator = this.#options.role === "dialer";
    const { id: expectedId, publicKey } = this.#peer;
    try {
      const known = isInitiator ? { publicKey } : {};
      const how = { isInitiator, expectedId, isRelayed: false, ...known };
      const link = await this.#host.attach(path, how);
      this.#link = link;
      this.#options.tell("peer", "");
      link.onClose(() => {
        if (!this.#isLeaving) this.#options.tell("left", "");
      });
      for (const take of this.#waiting.splice(0)) take(link);
    } catch {
      path.close(true); // whoever it was, or whatever happened: the ends greet each other again
    }
  }

  async #listen(endpoint: Endpoint): Promise<void> {
    const server = createServer({ allowHalfOpen: true }, (socket) => void this.#carry(socket));
    server.maxConnections = CONNECTIONS_MAX;
    server.on("drop", () => {
      this.#options.tell("refused", this.endpoint ?? "", `${CONNECTIONS_MAX} are open`);
    });
    this.#server = server;
    await listenAt(server, endpoint).catch((error: unknown) => {
      throw withListenHint(error);
    });
  }

  async #carry(socket: Socket): Promise<void> {
    const where = this.endpoint ?? "";
    this.#sockets.add(socket);
    const gone = new AbortController();
    socket.once("close", () => {
      this.#sockets.delete(socket);
      gone.abort();
    });
    socket.on("error", () => {});
    try {
      const link = await this.#whenLinked(gone.signal);
      const stream = await link.openStream(PROTOCOL, { signal: gone.signal });
      await this.#join(stream, socket, where);
    } catch {
      cut(socket);
    }
  }

  #whenLinked(signal: AbortSignal): Promise<Link> {
    if (this.#link?.isOpen === true) return Promise.resolve(this.#link);
    return new Promise((resolve, reject) => {
      const forget = onAbort(signal, (error) => {
        this.#waiting = this.#waiting.filter((waiter) => waiter !== take);
        reject(error);
      });
      const take = (link: Link): void => {
        forget();
        resolve(link);
      };
      this.#waiting.push(take);
    });
  }

  async #join(stream: Duplex, socket: Socket, where: string): Promise<void> {
    const { tell } = this.#options;
    this.#sockets.add(socket);
    socket.once("close", () => this.#sockets.delete(socket));
    tell("open", where);
    // Before a pipeline hears of it, which would end it as if all had been said.
    const gone = (): void => {
      if (!(stream.readableEnded && stream.writableFinished)) cut(socket);
    };
    stream.once("error", gone).once("close", gone);
    try {
      if (socket.connecting) await once(socket, "connect");
      if (stream.errored) throw stream.errored;
      await Promise.all([pipeline(socket, stream), pipeline(stream, socket)]);
      tell("closed", where);
    } catch (error) {
      tell("refused", where, reasonOf(error));
      stream.destroy();
      cut(socket);
    }
  }
}

/** What the system says of its socket, as `ECONNREFUSED`; or that it was the other end. */
function reasonOf(error: unknown): string | undefined {
  if (isCulvertError(error, "CULVERT_PEER_ABORTED")) return "by the other side";
  return error instanceof Error && "syscall" in error ? errorCode(error) : undefined;
}

/** Has whoever is connected see that something is missing, where the system can say so. */
function cut(socket: Socket): void {
  if (socket.destroyed) return;
  if (socket.connecting) {
    // The system may have made the connection already: to close it now would be an end.
    socket.once("connect", () => cut(socket));
    socket.setTimeout(CONNECTING_MS, () => socket.destroy(new CulvertError("CULVERT_CLOSED")));
    return;
  }
  try {
    socket.resetAndDestroy();
  } catch {
    socket.destroy(); // a UNIX socket has no reset
  }
}

function connectTo(target: Endpoint): Socket {
  const socket = dial(target, { allowHalfOpen: true });
  socket.setNoDelay(true);
  return socket;
}

/** Who an end is within its forwarding: nobody else can be it, and it is nobody elsewhere. */
function identityOf(secret: Uint8Array, role: ForwardingOptions["role"]): NodeIdentity {
  const salt = utf8("culvert/v1/forward");
  return new NodeIdentity(hkdf({ ikm: secret, salt, info: utf8(role), length: 32 }));
}
