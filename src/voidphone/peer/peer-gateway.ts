import { CulvertError, requireMethods, resolveLimits, unreachable } from "../../base/index.ts";
import { type VoidphonePeer, withinBounds } from "../dht.ts";
import { type SessionLimits, VOIDPHONE_PEER_LIMITS } from "../limits.ts";
import type { Gateway, Servant, SessionHandle } from "../session.ts";
import { requireDialect } from "./given-peers.ts";
import {
  CONTACTS_MAX,
  type PeerDialect,
  type PeerFault,
  type PeerHeader,
  type PeerReply,
  type PeerRequest,
  type PeerSender,
  type VoidphoneContact,
} from "./peer-messages.ts";

/**
 * The server that foreign peers talk to, in one of their dialects. What is not answered with what
 * was asked for is answered with a 680.
 */
export function peerGateway(
  dialect: PeerDialect,
  peer: VoidphonePeer,
  limits: Partial<SessionLimits> = {},
): Gateway<PeerRequest> {
  requireDialect(dialect);
  requireMethods("peer", peer, "self", "store", "find", "closest", "learn");
  return {
    dialect: {
      read: dialect.readRequest,
      refusal: errorOf(dialect, "bad-request"),
      failure: () => errorOf(dialect, "server-error"),
    },
    limits: resolveLimits(VOIDPHONE_PEER_LIMITS, limits),
    open: (session) => new PeerServant(dialect, peer, session),
  };
}

class PeerServant implements Servant<PeerRequest> {
  readonly #dialect: PeerDialect;
  readonly #peer: VoidphonePeer;
  readonly #session: SessionHandle;

  constructor(dialect: PeerDialect, peer: VoidphonePeer, session: SessionHandle) {
    this.#dialect = dialect;
    this.#peer = peer;
    this.#session = session;
  }

  async serve(request: PeerRequest): Promise<Uint8Array | undefined> {
    this.#learn(request.sender);
    const reply = await this.#reply(request);
    return reply && this.#dialect.encodeReply(reply);
  }

  #learn(sender: PeerSender | undefined): void {
    const { remoteHost: host } = this.#session;
    if (sender === undefined || sender.port === 0 || host === "") return;
    this.#peer.learn({ id: sender.id, host, port: sender.port });
  }

  async #reply(request: PeerRequest): Promise<PeerReply | undefined> {
    const header = this.#headerFor(request);
    switch (request.kind) {
      case "ping":
        return { kind: "pong", ...header };
      case "store":
        return await this.#store(request, header);
      case "find-node":
        return { kind: "nodes", ...header, contacts: this.#contactsAround(request.target) };
      case "find-value":
        return await this.#findValue(request.key, header);
      default:
        return unreachable(request);
    }
  }

  async #store(
    request: PeerRequest & { readonly kind: "store" },
    header: PeerHeader,
  ): Promise<PeerReply | undefined> {
    const { key, value } = request;
    const { source } = this.#session;
    const { ttlSeconds, replication } = request;
    const wish = withinBounds({ ttlSeconds, replication });
    const outcome = await this.#peer.store({ key, value, source, ...wish });
    if (outcome !== "stored") return { kind: "error", fault: outcome };
    return this.#dialect.answersStores ? { kind: "stored", ...header, key, value } : undefined;
  }

  async #findValue(key: Uint8Array, header: PeerHeader): Promise<PeerReply> {
    const value = await this.#peer.find(key);
    if (value !== undefined && value.length > 0) {
      // One that came through the API may be longer than an answer here can be.
      if (value.length > this.#dialect.valueBytesMax)
        return { kind: "error", fault: "server-error" };
      return { kind: "value", ...header, key, value };
    }
    const contacts = this.#contactsAround(key);
    if (contacts.length === 0) return { kind: "error", fault: "not-found" };
    return { kind: "nodes", ...header, contacts };
  }

  /**
   * The closest that this dialect can name, and ourselves: who is not told of us never comes back.
   */
  #contactsAround(target: Uint8Array): VoidphoneContact[] {
    const self = this.#peer.self();
    const own = self !== undefined && this.#dialect.canName(self) ? [self] : [];
    const isOther = (contact: VoidphoneContact): boolean =>
      this.#dialect.canName(contact) &&
      !own.some(({ host, port }) => host === contact.host && port === contact.port);
    const others = this.#peer.closest(target, CONTACTS_MAX).filter(isOther);
    return [...own, ...others].slice(0, CONTACTS_MAX);
  }

  #headerFor({ rpcId, sender }: PeerRequest): PeerHeader {
    if (sender === undefined) return { rpcId };
    const self = this.#peer.self();
    if (self === undefined) throw new CulvertError("CULVERT_BUSY", "nobody can reach this node");
    return { rpcId, sender: { id: self.id, port: self.port } };
  }
}

function errorOf(dialect: PeerDialect, fault: PeerFault): Uint8Array {
  return dialect.encodeReply({ kind: "error", fault });
}
