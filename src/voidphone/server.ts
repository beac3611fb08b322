import { Counts, type Log, SILENT } from "../base/index.ts";
import { formatIp, parseIp } from "../identity/index.ts";
import type { ByteConnection } from "../io/byte-connection.ts";
import { ByteServer } from "../io/byte-server.ts";
import { type CertificateIdentity, makeCertificate } from "../io/certificate.ts";
import { systemClock } from "../io/clock.ts";
import { formatEndpoint, requireEndpoint } from "../io/endpoint.ts";
import { prefacedTls } from "../io/prefaced-tls.ts";
import { wideIp } from "./ip-field.ts";
import { type Gateway, Session } from "./session.ts";
import type { SessionEnd } from "./session-core.ts";

/** Where and how a gateway listens. */
export interface VoidphoneServerOptions {
  /** `HOST:PORT` or `[IPV6]:PORT`; port 0 takes a free one. */
  readonly endpoint: string;
  /** With it, connections speak TLS 1.3 behind this certificate, as the dialect `final` wants. */
  readonly certificate?: CertificateIdentity;
  readonly log?: Log;
}

/** Sessions since the start, and why those that are over ended. */
export interface VoidphoneServerStatistics extends Readonly<Record<SessionEnd, number>> {
  readonly sessions: number;
  /** Connections that were over a limit. */
  readonly refused: number;
}

/** Time for clients to take their last answers. */
const GOODBYE_MS = 2_000;

/** A gateway on a socket. */
export class VoidphoneServer {
  /** Where it listens, with the real port. */
  readonly endpoint: string;
  readonly port: number;
  readonly #server: ByteServer;
  readonly #room: SessionRoom;
  #closing: Promise<void> | undefined;

  private constructor(server: ByteServer, room: SessionRoom) {
    this.#server = server;
    this.#room = room;
    this.endpoint = formatEndpoint(server.endpoint);
    this.port = server.endpoint.kind === "tcp" ? server.endpoint.port : 0;
  }

  /**
   * Listens for the clients of a gateway.
   *
   * @throws CulvertError `CULVERT_UNREACHABLE` when it cannot listen, `CULVERT_USAGE` for an
   *   endpoint that is none
   */
  static async listen<Request>(
    gateway: Gateway<Request>,
    options: VoidphoneServerOptions,
  ): Promise<VoidphoneServer> {
    const { certificate, log = SILENT } = options;
    const room = new GatewayRoom(gateway, log);
    const server = await ByteServer.listen({
      endpoint: requireEndpoint(options.endpoint),
      connectionsMax: gateway.limits.connectionsMax,
      onConnection: (connection, source, remoteHost) =>
        room.admit(connection, { source, remoteHost: shortestHost(remoteHost) }),
      wrap: certificate && prefacedTls(certificate),
    });
    return new VoidphoneServer(server, room);
  }

  statistics(): VoidphoneServerStatistics {
    return this.#room.statistics();
  }

  /** Ends every session after what it has said. Closing twice waits for the first. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const closed = this.#server.close();
    this.#room.finish();
    const cut = systemClock.schedule(systemClock.now() + GOODBYE_MS, () => this.#server.destroy());
    await closed;
    cut();
  }
}

/**
 * Makes the certificate with which a peer of the dialect `final` introduces itself: its node id and
 * the address at which it is reached.
 *
 * @throws RangeError when `host` is no IP address
 */
export function peerCertificate(self: {
  readonly id: Uint8Array;
  readonly host: string;
}): CertificateIdentity {
  const ip = wideIp(self.host);
  if (ip === undefined) throw new RangeError("a peer is reached at an IP address");
  return makeCertificate({ nodeId: self.id, ip, unixMs: systemClock.unixMs() });
}

/** What a server needs of its sessions, whatever they speak. */
interface SessionRoom {
  statistics(): VoidphoneServerStatistics;
  finish(): void;
}

/** The sessions of one server, and who they belong to. */
class GatewayRoom<Request> implements SessionRoom {
  readonly #gateway: Gateway<Request>;
  readonly #log: Log;
  readonly #sessions = new Set<Session<Request>>();
  readonly #ofSource = new Counts();
  readonly #counts = { sessions: 0, refused: 0 };
  readonly #ends: Record<SessionEnd, number> = {
    protocol: 0,
    "slow-reader": 0,
    timeout: 0,
    idle: 0,
    finished: 0,
    gone: 0,
  };

  constructor(gateway: Gateway<Request>, log: Log) {
    this.#gateway = gateway;
    this.#log = log;
  }

  admit(
    connection: ByteConnection,
    from: { readonly source: string; readonly remoteHost: string },
  ): void {
    const { source } = from;
    if (this.#ofSource.of(source) >= this.#gateway.limits.connectionsPerSourceMax) {
      this.#counts.refused += 1;
      connection.close(true);
      return;
    }
    this.#ofSource.add(source);
    this.#counts.sessions += 1;
    let parts = 2;
    // Its session may be over while the client does not leave, or go on when it has left.
    const part = (): void => {
      parts -= 1;
      if (parts === 0) this.#ofSource.remove(source);
    };
    const session = new Session<Request>(
      {
        gateway: this.#gateway,
        clock: systemClock,
        port: connection,
        log: this.#log,
        onEnd: (reason) => {
          this.#ended(session, reason);
          part();
        },
      },
      from,
    );
    this.#sessions.add(session);
    connection.start({
      receive: (bytes) => session.receive(bytes),
      drained: () => session.drained(),
      closed: () => {
        session.closed();
        part();
      },
    });
  }

  statistics(): VoidphoneServerStatistics {
    return { ...this.#counts, ...this.#ends };
  }

  finish(): void {
    for (const session of this.#sessions) session.finish();
  }

  #ended(session: Session<Request>, reason: SessionEnd): void {
    this.#sessions.delete(session);
    this.#ends[reason] += 1;
  }
}

/** The one text form that an address has here. */
function shortestHost(remoteHost: string | undefined): string {
  const ip = parseIp((remoteHost ?? "").replace(/%.*$/, ""));
  return ip === undefined ? "" : formatIp(ip);
}
