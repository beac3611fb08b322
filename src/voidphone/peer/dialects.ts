import { requireObject } from "../../base/index.ts";
import { KEY_BYTES, MESSAGE_BYTES_MAX } from "../message.ts";
import {
  contactIp,
  encodePeerReply,
  encodePeerRequest,
  type PeerLayout,
  readPeerReply,
  readPeerRequest,
} from "./peer-codec.ts";
import type { PeerDialect } from "./peer-messages.ts";

/**
 * The dialect of the midterm report, over plain TCP: requests say nothing of who asks, contacts
 * have IPv4 addresses, a store that succeeds is answered.
 */
export const MIDTERM: PeerDialect = dialect("midterm", {
  hasSender: false,
  hasReplication: true,
  hasStoreReply: true,
  ipBytes: 4,
  faults: [
    ["bad-request", 400],
    ["not-found", 404],
    ["not-acceptable", 406],
    ["server-error", 500],
  ],
});

/**
 * The dialect that was shipped in the end, over TLS 1.3 behind a certificate in clear: every
 * message but an error says who sends it, contacts have IPv6 addresses, stores have no answer.
 */
export const FINAL: PeerDialect = dialect("final", {
  hasSender: true,
  hasReplication: false,
  hasStoreReply: false,
  ipBytes: 16,
  // There is no number of its own for a store that is refused.
  faults: [
    ["bad-request", 10],
    ["not-found", 11],
    ["not-acceptable", 10],
    ["server-error", 20],
  ],
});

function dialect(name: PeerDialect["name"], layout: PeerLayout): PeerDialect {
  const headerBytes = 4 + (layout.hasSender ? KEY_BYTES + 2 : 0) + KEY_BYTES;
  return Object.freeze({
    name,
    answersStores: layout.hasStoreReply,
    valueBytesMax: MESSAGE_BYTES_MAX - headerBytes - KEY_BYTES,
    canName: (contact) => {
      requireObject("a contact", contact);
      return contactIp(layout, contact.host) !== undefined;
    },
    encodeRequest: (request) => encodePeerRequest(layout, request),
    readRequest: (message) => readPeerRequest(layout, message),
    encodeReply: (reply) => encodePeerReply(layout, reply),
    readReply: (message) => readPeerReply(layout, message),
  } satisfies PeerDialect);
}
