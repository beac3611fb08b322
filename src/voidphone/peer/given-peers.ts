import { requireMethods, requireObject, requireWhole } from "../../base/index.ts";
import { requireKey, requirePort } from "../message.ts";
import type { PeerAddress, PeerDialect, VoidphoneContact } from "./peer-messages.ts";

/** What every dialect does. */
const DIALECT_METHODS = ["canName", "encodeRequest", "readRequest", "encodeReply", "readReply"];

/**
 * For what a caller here gives: by its name alone nothing is said, and each peer would seem gone.
 *
 * @throws TypeError
 */
export function requireDialect(dialect: PeerDialect): void {
  requireMethods("dialect", dialect, ...DIALECT_METHODS);
}

/**
 * The same of where a peer is dialled.
 *
 * @throws TypeError for what is no place
 * @throws RangeError for a port that is none
 */
export function requirePlace(peer: PeerAddress): void {
  requireObject("peer", peer);
  requireHost(peer.host);
  requirePort(peer.port);
}

/**
 * The same of a peer that we are told of. Port 0 is what a peer may say: it is passed over.
 *
 * @throws TypeError for what is no contact
 * @throws RangeError for an id or a port that is none
 */
export function requireContact(contact: VoidphoneContact): void {
  requireObject("contact", contact);
  requireKey(contact.id);
  requireHost(contact.host);
  requireWhole("a port", contact.port, 0, 65_535);
}

function requireHost(host: string): void {
  if (typeof host !== "string" || host === "") throw new TypeError("host must be a text");
}
