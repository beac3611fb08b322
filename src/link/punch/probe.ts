import { CulvertError, concatBytes, utf8 } from "../../base/index.ts";
import { Reader, Writer } from "../../codec/index.ts";
import { crypto, hkdf } from "../../crypto/index.ts";
import { formatIp, parseIp } from "../../identity/index.ts";
import type { HostPort } from "../carrier/carrier.ts";

/** What a sealed probe says. */
export interface ProbeMessage {
  /**
   * `probe` asks for an echo; `chosen` does too, and says that its sender will use this path;
   * `echo` tells which probe came, and from where.
   */
  readonly kind: "probe" | "chosen" | "echo";
  /** Of an echo: the number of the probe that it answers; otherwise zero. */
  readonly echoed: number;
  /** Of an echo: where that probe came from. */
  readonly seen: HostPort | undefined;
}

/** A datagram of punching, before it is opened. */
export type ProbeDatagram =
  | {
      readonly kind: "sealed";
      /** Eight bytes as text: which punch it belongs to. */
      readonly session: string;
      readonly number: number;
      readonly box: Uint8Array;
    }
  | { readonly kind: "ask"; readonly nonce: Uint8Array }
  | { readonly kind: "told"; readonly nonce: Uint8Array; readonly seen: HostPort };

/** The two ends of a punch: each seals under nonces of its own. */
export type PunchSide = "offerer" | "answerer";

const MAGIC = 0x434c_5650;
const TYPES = { sealed: 1, ask: 2, told: 3 } as const;
const KINDS = ["probe", "chosen", "echo"] as const;
const ENDPOINT_BYTES = 19;
/** Bytes of the number of a punch. */
export const SESSION_BYTES = 8;
/** Bytes of the nonce of a question for the own address. */
export const ASK_NONCE_BYTES = 16;

/** The key that the probes of one punch are sealed with; both ends come to the same one. */
export function deriveProbeKey(
  shared: Uint8Array,
  hashes: { readonly offer: Uint8Array; readonly answer: Uint8Array },
): Uint8Array {
  return hkdf({
    ikm: shared,
    salt: utf8("culvert/v1/punch"),
    info: concatBytes(hashes.offer, hashes.answer),
    length: 32,
  });
}

/** Seals a probe; `number` must never come twice for one key and side. */
export function sealProbe(
  message: ProbeMessage,
  under: {
    readonly key: Uint8Array;
    readonly side: PunchSide;
    readonly session: Uint8Array;
    readonly number: number;
  },
): Uint8Array {
  const body = new Writer(24).u8(KINDS.indexOf(message.kind)).u32(message.echoed);
  writeEndpoint(body, message.seen);
  const nonce = probeNonce(under.side, under.number);
  const box = crypto().aeadSeal(under.key, nonce, body.finish());
  return new Writer(64)
    .u32(MAGIC)
    .u8(TYPES.sealed)
    .bytes(under.session)
    .u32(under.number)
    .bytes(box)
    .finish();
}

/** Opens a probe of the other side; `undefined` when it is forged, damaged or nonsense. */
export function openProbe(
  datagram: { readonly number: number; readonly box: Uint8Array },
  key: Uint8Array,
  side: PunchSide,
): ProbeMessage | undefined {
  const nonce = probeNonce(side, datagram.number);
  const body = crypto().aeadOpen(key, nonce, datagram.box);
  return body && orUndefined(() => readMessage(new Reader(body)));
}

function readMessage(reader: Reader): ProbeMessage | undefined {
  const kind = KINDS[reader.u8("kind")];
  const echoed = reader.u32("echoed");
  const seen = readEndpoint(reader);
  return kind && { kind, echoed, seen };
}

/** Asks a node at which address it sees us; as long as its answer, so that nothing is amplified. */
export function encodeAsk(nonce: Uint8Array): Uint8Array {
  const writer = new Writer(40).u32(MAGIC).u8(TYPES.ask).bytes(nonce);
  return writer.zeros(ENDPOINT_BYTES).finish();
}

/** The answer to {@link encodeAsk}. */
export function encodeTold(nonce: Uint8Array, seen: HostPort): Uint8Array {
  const writer = new Writer(40).u32(MAGIC).u8(TYPES.told).bytes(nonce);
  writeEndpoint(writer, seen);
  return writer.finish();
}

/** Reads a datagram from anybody; `undefined` when it has nothing to do with punching. */
export function readProbe(bytes: Uint8Array): ProbeDatagram | undefined {
  return orUndefined(() => readDatagram(new Reader(bytes)));
}

function orUndefined<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof CulvertError) return undefined;
    throw error;
  }
}

function readDatagram(reader: Reader): ProbeDatagram | undefined {
  if (reader.u32("magic") !== MAGIC) return undefined;
  const type = reader.u8("type");
  if (type === TYPES.sealed) {
    const session = reader.bytes(SESSION_BYTES, "session");
    const number = reader.u32("number");
    const box = reader.bytes(BOX_BYTES, "box");
    reader.expectEnd();
    return { kind: "sealed", session: sessionKey(session), number, box };
  }
  const nonce = reader.bytes(ASK_NONCE_BYTES, "nonce");
  const seen = readEndpoint(reader);
  reader.expectEnd();
  if (type === TYPES.ask && seen === undefined) return { kind: "ask", nonce };
  if (type === TYPES.told && seen !== undefined) return { kind: "told", nonce, seen };
  return undefined;
}

const TAG_BYTES = 16;
const BOX_BYTES = 1 + 4 + ENDPOINT_BYTES + TAG_BYTES;

/** The number of a punch as a key for tables. */
export function sessionKey(session: Uint8Array): string {
  return String.fromCharCode(...session);
}

/** Family (0 for none, 4, 6), address padded to 16 bytes, port. */
function writeEndpoint(writer: Writer, endpoint: HostPort | undefined): void {
  const ip = endpoint === undefined ? undefined : parseIp(endpoint.host);
  if (endpoint === undefined || ip === undefined) {
    writer.zeros(ENDPOINT_BYTES);
    return;
  }
  writer
    .u8(ip.length === 4 ? 4 : 6)
    .bytes(ip)
    .zeros(16 - ip.length)
    .u16(endpoint.port);
}

function readEndpoint(reader: Reader): HostPort | undefined {
  const family = reader.u8("family");
  const ip = reader.bytes(16, "ip");
  const port = reader.u16("port");
  if (family === 0) return undefined;
  if (family !== 4 && family !== 6) reader.refuse("family", "neither 4 nor 6");
  if (port === 0) reader.refuse("port", "is zero");
  return { host: formatIp(family === 4 ? ip.subarray(0, 4) : ip), port };
}

function probeNonce(side: PunchSide, number: number): Uint8Array {
  return new Writer(12)
    .u8(side === "offerer" ? 1 : 2)
    .zeros(7)
    .u32(number)
    .finish();
}
