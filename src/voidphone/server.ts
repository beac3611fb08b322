import { type Log, requireCallback, requireMethods, requireObject, SILENT } from "../base/index.ts";
import { formatIp, parseIp } from "../identity/index.ts";
import { ByteServer } from "../io/byte-server.ts";
import { type CertificateIdentity, makeCertificate } from "../io/certificate.ts";
import { systemClock } from "../io/clock.ts";
import { formatEndpoint, requireEndpoint } from "../io/endpoint.ts";
import { prefacedTls } from "../io/prefaced-tls.ts";
import { GatewayRoom, type VoidphoneServerStatistics } from "./gateway-room.ts";
import { wideIp } from "./ip-field.ts";
import { requireKey } from "./message.ts";
import type { Gateway } from "./session.ts";

/** Where and how a gateway listens. */
export interface VoidphoneServerOptions {
  /** `HOST:PORT` or `[IPV6]:PORT`; port 0 takes a free one. */
  readonly endpoint: string;
  /** With it, connections speak TLS 1.3 behind this certificate, as the dialect `final` wants. */
  readonly certificate?: CertificateIdentity;
  readonly log?: Log;
}

/** Time for clients to take their last answers. */
const GOODBYE_MS = 2_000;
/**
 * Connections beyond those that are served: one that comes has to be there before another one gives
 * way to it, and those that were told to go are there for a moment.
 */
const GOING_MAX = 32;

/** A gateway on a socket. */
export class VoidphoneServer {
  /** Where it listens, with the real port. */
  readonly endpoint: string;
  readonly port: number;
  readonly #server: ByteServer;
  readonly #room: Pick<GatewayRoom<unknown>, "statistics" | "finish">;
  #closing: Promise<void> | undefined;

  private constructor(
    server: ByteServer,
    room: Pick<GatewayRoom<unknown>, "statistics" | "finish">,
  ) {
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
   * @throws TypeError for what is no gateway, or no certificate
   */
  static async listen<Request>(
    gateway: Gateway<Request>,
    options: VoidphoneServerOptions,
  ): Promise<VoidphoneServer> {
    requireMethods("gateway", gateway, "open");
    requireObject("options", options);
    const { certificate, log = SILENT } = options;
    requireCallback("log", log);
    if (certificate !== undefined) requireCertificate(certificate);
    const room = new GatewayRoom(gateway, log);
    const server = await ByteServer.listen({
      endpoint: requireEndpoint(options.endpoint),
      connectionsMax: gateway.limits.connectionsMax + GOING_MAX,
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
 * @throws TypeError and RangeError for an id that is none, and when `host` is no IP address
 */
export function peerCertificate(self: {
  readonly id: Uint8Array;
  readonly host: string;
}): CertificateIdentity {
  requireObject("self", self);
  requireKey(self.id);
  const ip = wideIp(self.host);
  if (ip === undefined) throw new RangeError("a peer is reached at an IP address");
  return makeCertificate({ nodeId: self.id, ip, unixMs: systemClock.unixMs() });
}

/** Without one a peer of the dialect `final` would be met in clear. */
function requireCertificate(given: CertificateIdentity): void {
  requireObject("certificate", given);
  const isPem = [given.certificate, given.privateKey].every((part) => typeof part === "string");
  if (!isPem) throw new TypeError("certificate has a certificate and a privateKey, as PEM");
}

/** The one text form that an address has here. */
function shortestHost(remoteHost: string | undefined): string {
  const ip = parseIp((remoteHost ?? "").replace(/%.*$/, ""));
  return ip === undefined ? "" : formatIp(ip);
}
