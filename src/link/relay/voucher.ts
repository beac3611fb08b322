import {
  CulvertError,
  concatBytes,
  requireBytes,
  requireMethods,
  requireObject,
} from "../../base/index.ts";
import { Reader, Writer } from "../../codec/index.ts";
import {
  isSameNode,
  NODE_ID_BYTES,
  type NodeId,
  type NodeIdentity,
  nodeIdOf,
  verifyLabelled,
} from "../../identity/index.ts";

/** What a relay grants to one node. */
export interface VoucherClaims {
  readonly holder: NodeId;
  /** Unix time in seconds. */
  readonly issuedAtUnixS: number;
  readonly expiresAtUnixS: number;
  /** Bytes that may pass in this time, both directions. */
  readonly quotaBytes: number;
  readonly bytesPerSecond: number;
}

const VERSION = 1;
const SIGNATURE_BYTES = 64;

/**
 * A relay's signed word that it keeps a place for a node: the right to list the relay in a
 * descriptor, which anybody can check.
 */
export class Voucher {
  readonly relay: NodeId;
  /** The relay's ed25519 key. */
  readonly relayKey: Uint8Array;
  readonly claims: VoucherClaims;
  readonly #encoded: Uint8Array;

  private constructor(relayKey: Uint8Array, claims: VoucherClaims, encoded: Uint8Array) {
    this.relay = nodeIdOf(relayKey);
    this.relayKey = relayKey;
    this.claims = claims;
    this.#encoded = encoded;
  }

  /** Signs what the relay `identity` grants. */
  static sign(identity: NodeIdentity, claims: VoucherClaims): Voucher {
    requireMethods("identity", identity, "sign");
    requireObject("claims", claims);
    requireBytes("holder", claims.holder, NODE_ID_BYTES);
    const writer = new Writer(160);
    writer.u8(VERSION).bytes(identity.publicKey).bytes(claims.holder);
    writer.u48(claims.issuedAtUnixS).u48(claims.expiresAtUnixS);
    writer.u48(claims.quotaBytes).u48(claims.bytesPerSecond);
    const body = writer.finish();
    const encoded = concatBytes(body, identity.sign("voucher", body));
    return new Voucher(identity.publicKey, claims, encoded);
  }

  /**
   * Reads a voucher and checks its signature; whether it still holds is for `isFor` to say.
   *
   * @throws CulvertError `CULVERT_PROTOCOL` when it is none, or its relay has not signed it
   */
  static decode(bytes: Uint8Array): Voucher {
    requireBytes("bytes", bytes);
    const encoded = bytes.slice();
    const bodyLength = Math.max(encoded.length - SIGNATURE_BYTES, 0);
    const message = encoded.subarray(0, bodyLength);
    const reader: Reader = new Reader(message);
    if (reader.u8("version") !== VERSION) reader.refuse("version", "is not 1");
    const relayKey = reader.bytes(32, "relayKey");
    const claims = {
      holder: reader.bytes(NODE_ID_BYTES, "holder"),
      issuedAtUnixS: reader.u48("issuedAtUnixS"),
      expiresAtUnixS: reader.u48("expiresAtUnixS"),
      quotaBytes: reader.u48("quotaBytes"),
      bytesPerSecond: reader.u48("bytesPerSecond"),
    };
    reader.expectEnd();
    const signature = encoded.subarray(bodyLength);
    if (!verifyLabelled("voucher", { publicKey: relayKey, message, signature })) {
      throw new CulvertError("CULVERT_PROTOCOL", "voucher: the signature does not hold");
    }
    return new Voucher(relayKey, claims, encoded);
  }

  /** The signed bytes; shared, not to be written to. */
  toBytes(): Uint8Array {
    return this.#encoded;
  }

  /** Whether this relay keeps a place for `holder` at this time. */
  isFor(holder: NodeId, unixMs: number): boolean {
    return isSameNode(this.claims.holder, holder) && unixMs < this.claims.expiresAtUnixS * 1_000;
  }
}
