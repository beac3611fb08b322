import { concatBytes } from "../../base/index.ts";
import { Reader, Writer } from "../../codec/index.ts";
import { NODE_ID_BYTES, type NodeId } from "../../identity/index.ts";

/** Why a relay, or a holder, says no. */
export const RELAY_REFUSALS = [
  /** The request broke the protocol. */
  "protocol",
  /** A limit was reached; try again later, or elsewhere. */
  "busy",
  /** One of the links is relayed itself, or leads back. */
  "relay-over-relay",
  /** The node called has no reservation here. */
  "no-reservation",
  /** It has one, and no direct link to here now. */
  "not-linked",
  /** The reservation's bytes are used up. */
  "quota",
  /** The node called did not want to, or did not answer. */
  "declined",
] as const;

/** One of {@link RELAY_REFUSALS}. */
export type RelayRefusal = (typeof RELAY_REFUSALS)[number];

/** What is said on a relay's streams before the bytes of a circuit, or instead of them. */
export type RelayFrame =
  /** Holder to relay: reserve a place, or renew it. */
  | { readonly kind: "reserve" }
  /** Relay to holder: granted; the voucher says what. */
  | { readonly kind: "reserved"; readonly voucher: Uint8Array }
  /** Relay to holder: so many bytes have passed for you since the reservation began. */
  | { readonly kind: "usage"; readonly usedBytes: number }
  /** Caller to relay: make a circuit to this node. */
  | { readonly kind: "connect"; readonly target: NodeId }
  /** Relay to holder: this node calls. */
  | { readonly kind: "call"; readonly caller: NodeId }
  /** Holder to relay, and relay to caller: from the next byte on the circuit is open. */
  | { readonly kind: "connected" }
  | { readonly kind: "refused"; readonly reason: RelayRefusal };

/** The protocol of a link's streams that lead to a relay. */
export const RELAY_PROTOCOL = "relay";
/** The protocol of those that a relay opens to a holder. */
export const CALL_PROTOCOL = "relay-call";

const TYPES = ["reserve", "reserved", "usage", "connect", "call", "connected", "refused"] as const;
/** The longest frame: a voucher, with room to spare. */
const FRAME_BYTES_MAX = 512;
const HEAD_BYTES = 3;

/** One frame: type, length, body. */
export function encodeFrame(frame: RelayFrame): Uint8Array {
  const body = bodyOf(frame);
  return new Writer(HEAD_BYTES + body.length)
    .u8(TYPES.indexOf(frame.kind))
    .u16(body.length)
    .bytes(body)
    .finish();
}

function bodyOf(frame: RelayFrame): Uint8Array {
  switch (frame.kind) {
    case "reserved":
      return frame.voucher;
    case "usage":
      return new Writer(6).u48(frame.usedBytes).finish();
    case "connect":
      return frame.target;
    case "call":
      return frame.caller;
    case "refused":
      return Uint8Array.of(RELAY_REFUSALS.indexOf(frame.reason));
    default:
      return new Uint8Array(0);
  }
}

/** Cuts a stream of bytes into frames, as they come. */
export class RelayFrameBuffer {
  #bytes: Uint8Array = new Uint8Array(0);

  /** How many bytes wait. */
  get length(): number {
    return this.#bytes.length;
  }

  /** Takes bytes in, which are handed over. */
  push(bytes: Uint8Array): void {
    this.#bytes = this.#bytes.length === 0 ? bytes : concatBytes(this.#bytes, bytes);
  }

  /**
   * The next frame, if it is whole.
   *
   * @throws CulvertError `CULVERT_PROTOCOL` when it is no frame
   */
  next(): RelayFrame | undefined {
    if (this.#bytes.length < HEAD_BYTES) return undefined;
    const reader: Reader = new Reader(this.#bytes);
    const kind = TYPES[reader.u8("type")];
    const length = reader.u16("length");
    if (kind === undefined) reader.refuse("type", "is unknown");
    if (length > FRAME_BYTES_MAX) reader.refuse("length", `${length} are too many`);
    if (reader.remaining < length) return undefined;
    const frame = readBody(kind, new Reader(reader.bytes(length, "body").slice()));
    this.#bytes = reader.rest();
    return frame;
  }

  /** Takes what no frame has used. */
  takeRest(): Uint8Array {
    const rest = this.#bytes;
    this.#bytes = new Uint8Array(0);
    return rest;
  }
}

function readBody(kind: (typeof TYPES)[number], reader: Reader): RelayFrame {
  if (kind === "reserved") return { kind, voucher: reader.rest() };
  const frame = readShortBody(kind, reader);
  reader.expectEnd();
  return frame;
}

function readShortBody(
  kind: Exclude<(typeof TYPES)[number], "reserved">,
  reader: Reader,
): RelayFrame {
  switch (kind) {
    case "usage":
      return { kind, usedBytes: reader.u48("usedBytes") };
    case "connect":
      return { kind, target: reader.bytes(NODE_ID_BYTES, "target") };
    case "call":
      return { kind, caller: reader.bytes(NODE_ID_BYTES, "caller") };
    case "refused": {
      const reason = RELAY_REFUSALS[reader.u8("reason")];
      if (reason === undefined) reader.refuse("reason", "is unknown");
      return { kind, reason };
    }
    default:
      return { kind };
  }
}
