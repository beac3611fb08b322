import { CulvertError, concatBytes } from "../../base/index.ts";
import { Reader, Writer } from "../../codec/index.ts";
import { crypto } from "../../crypto/index.ts";
import {
  NODE_ID_BYTES,
  type NodeId,
  type NodeIdentity,
  readNodeAddress,
  verifyLabelled,
  writeNodeAddress,
} from "../../identity/index.ts";
import type { HostPort } from "../carrier/carrier.ts";

/** What a node knows about the NATs that it is behind, from what others see of it. */
export type NatMapping = "unknown" | "endpoint-independent" | "endpoint-dependent";

/** What an offer to punch, or its answer, says. */
export interface OfferClaims {
  readonly kind: "offer" | "answer";
  /** Whom it is for. */
  readonly to: NodeId;
  /** The node that passes it on: at another one it is worth nothing. */
  readonly via: NodeId;
  /** 16 random bytes. */
  readonly nonce: Uint8Array;
  /** SHA-256 of the offer that is answered; zeros in an offer. */
  readonly reference: Uint8Array;
  readonly expiresAtUnixMs: number;
  /** X25519, fresh: with the other one's it makes the key that the probes are sealed with. */
  readonly ephemeralKey: Uint8Array;
  readonly mapping: NatMapping;
  /** Where its sender may be reached by UDP. */
  readonly addresses: readonly HostPort[];
}

/** An offer as it came, whose signature may not have been checked yet. */
export interface Offer extends OfferClaims {
  /** The sender's ed25519 key. */
  readonly publicKey: Uint8Array;
  /** Of the bytes without the signature: what an answer refers to. */
  readonly hash: Uint8Array;
  /** Whether the sender's key has signed it. Costs a verification. */
  isSigned(): boolean;
}

const VERSION = 1;
const KINDS = ["offer", "answer"] as const;
const MAPPINGS: readonly NatMapping[] = ["unknown", "endpoint-independent", "endpoint-dependent"];
const ADDRESSES_MAX = 8;
const SIGNATURE_BYTES = 64;
/** What goes into {@link OfferClaims.nonce}. */
export const NONCE_BYTES = 16;
const HASH_BYTES = 32;
/** What an offer has in place of a reference. */
export const NO_REFERENCE: Uint8Array = new Uint8Array(HASH_BYTES);

/** Signs an offer or an answer; the result is for the wire. */
export function signOffer(identity: NodeIdentity, claims: OfferClaims): Uint8Array {
  const writer = new Writer(320);
  writer.u8(VERSION).u8(KINDS.indexOf(claims.kind)).bytes(identity.publicKey);
  writer.bytes(claims.to).bytes(claims.via).bytes(claims.nonce).bytes(claims.reference);
  writer.u48(claims.expiresAtUnixMs).bytes(claims.ephemeralKey);
  writer.u8(MAPPINGS.indexOf(claims.mapping)).u8(claims.addresses.length);
  for (const { host, port } of claims.addresses) {
    writeNodeAddress(writer, { carrier: "udp", host, port });
  }
  const body = writer.finish();
  return concatBytes(body, identity.sign("punch", body));
}

/**
 * Reads an offer or an answer. Its signature is not looked at: there are cheaper checks first.
 *
 * @param bytes borrowed, and kept for `isSigned`
 * @throws CulvertError `CULVERT_PROTOCOL` when the bytes are none
 */
export function readOffer(bytes: Uint8Array): Offer {
  if (bytes.length < SIGNATURE_BYTES) {
    throw new CulvertError("CULVERT_PROTOCOL", "offer: shorter than its signature");
  }
  const message = bytes.subarray(0, bytes.length - SIGNATURE_BYTES);
  const signature = bytes.subarray(bytes.length - SIGNATURE_BYTES);
  const reader: Reader = new Reader(message);
  if (reader.u8("version") !== VERSION) reader.refuse("version", "is not 1");
  const kind = KINDS[reader.u8("kind")];
  if (kind === undefined) reader.refuse("kind", "neither an offer nor an answer");
  const publicKey = reader.bytes(32, "publicKey");
  const to = reader.bytes(NODE_ID_BYTES, "to");
  const via = reader.bytes(NODE_ID_BYTES, "via");
  const nonce = reader.bytes(NONCE_BYTES, "nonce");
  const reference = reader.bytes(HASH_BYTES, "reference");
  const expiresAtUnixMs = reader.u48("expiresAtUnixMs");
  const ephemeralKey = reader.bytes(32, "ephemeralKey");
  const mapping = MAPPINGS[reader.u8("mapping")];
  if (mapping === undefined) reader.refuse("mapping", "is unknown");
  const addresses = readAddresses(reader);
  reader.expectEnd();
  const claims = { kind, to, via, nonce, reference, expiresAtUnixMs, ephemeralKey, mapping };
  return {
    ...claims,
    addresses,
    publicKey,
    hash: crypto().sha256(message),
    isSigned: () => verifyLabelled("punch", { publicKey, message, signature }),
  };
}

function readAddresses(reader: Reader): HostPort[] {
  const count = reader.u8("addresses");
  if (count > ADDRESSES_MAX) reader.refuse("addresses", `${count} are too many`);
  return Array.from({ length: count }, () => {
    const { carrier, host, port } = readNodeAddress(reader);
    if (carrier !== "udp") reader.refuse("addresses", "only UDP can be punched");
    return { host, port };
  });
}
