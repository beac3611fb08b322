import {
  createPrivateKey,
  generateKeyPairSync,
  randomBytes,
  sign,
  X509Certificate,
} from "node:crypto";
import { CulvertError, concatBytes, utf8 } from "../base/index.ts";

/** A certificate and its key, as PEM. */
export interface CertificateIdentity {
  readonly certificate: string;
  /** Secret. */
  readonly privateKey: string;
}

/** What a certificate says of its owner. */
export interface CertificateClaims {
  /** The 32 raw bytes that the extension {@link NODE_ID_OID} holds. */
  readonly nodeId: Uint8Array;
  /** The 16 bytes of the address at which it is reached. */
  readonly ip: Uint8Array;
  /** From a day before this instant it is good for ten years. */
  readonly unixMs: number;
}

/** `userId` of RFC 4519, which VoidPhone's peers use as an extension for their node id. */
const NODE_ID_OID = "0.9.2342.19200300.100.1.1";
const NODE_ID_BYTES = 32;

/** A certificate larger than this is not looked at. */
export const CERTIFICATE_BYTES_MAX = 16_384;

const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  oid: 0x06,
  utf8: 0x0c,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
  version: 0xa0,
  extensions: 0xa3,
  ipAddress: 0x87,
} as const;

const DAY_MS = 86_400_000;

/** Makes a certificate that vouches for itself (RFC 5280, version 3), with a fresh P-256 key. */
export function makeCertificate(claims: CertificateClaims): CertificateIdentity {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const ecdsaWithSha256 = der(TAG.sequence, oid("1.2.840.10045.4.3.2"));
  const commonName = der(TAG.sequence, oid("2.5.4.3"), der(TAG.utf8, utf8("culvert")));
  const name = der(TAG.sequence, der(TAG.set, commonName));
  const { unixMs } = claims;
  const body = der(
    TAG.sequence,
    der(TAG.version, der(TAG.integer, Uint8Array.of(2))),
    // Positive, and of the same length always.
    der(TAG.integer, Uint8Array.of(1, ...randomBytes(15))),
    ecdsaWithSha256,
    name,
    der(TAG.sequence, time(unixMs - DAY_MS), time(unixMs + 3_650 * DAY_MS)),
    name,
    publicKey.export({ type: "spki", format: "der" }),
    der(TAG.extensions, der(TAG.sequence, ...extensionsOf(claims))),
  );
  const signature = sign("sha256", body, privateKey);
  const bits = der(TAG.bitString, Uint8Array.of(0), signature);
  return {
    certificate: pem(der(TAG.sequence, body, ecdsaWithSha256, bits)),
    privateKey: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
  };
}

/**
 * Finds a certificate that {@link makeCertificate} has made, and its key, in a text.
 *
 * @returns `undefined` when its time is over
 * @throws CulvertError `CULVERT_BAD_STATE` when one is missing or damaged, or they do not belong
 *   together
 */
export function readIdentity(text: string, unixMs: number): CertificateIdentity | undefined {
  const [certificate = ""] =
    /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----\n/.exec(text) ?? [];
  const [privateKey = ""] =
    /-----BEGIN PRIVATE KEY-----[^-]*-----END PRIVATE KEY-----\n/.exec(text) ?? [];
  const read = wholeCertificate(certificate, privateKey);
  return unixMs < Date.parse(read.validTo) ? { certificate, privateKey } : undefined;
}

function wholeCertificate(certificate: string, privateKey: string): X509Certificate {
  let cause: unknown;
  try {
    const read = new X509Certificate(certificate);
    const isWhole = read.verify(read.publicKey);
    if (isWhole && read.checkPrivateKey(createPrivateKey(privateKey))) return read;
  } catch (error) {
    cause = error;
  }
  throw new CulvertError("CULVERT_BAD_STATE", "the certificate or its key is damaged", { cause });
}

/** A certificate as somebody else sent it. */
export interface ForeignCertificate {
  /** The whole of it, to be compared with what a handshake shows. */
  readonly der: Uint8Array;
  /** What its extension says; `undefined` when it has none. */
  readonly nodeId: Uint8Array | undefined;
}

/**
 * Reads a certificate in PEM, wherever it comes from. Nothing is verified but its form.
 *
 * @throws CulvertError `CULVERT_PROTOCOL` when it is none
 */
export function readCertificate(text: Uint8Array): ForeignCertificate {
  if (text.length > CERTIFICATE_BYTES_MAX) throw bad("is too long");
  let raw: Uint8Array;
  try {
    raw = new Uint8Array(new X509Certificate(text).raw);
  } catch (cause) {
    throw bad("cannot be read", cause);
  }
  return { der: raw, nodeId: nodeIdIn(raw) };
}

function extensionsOf({ nodeId, ip }: CertificateClaims): Uint8Array[] {
  const isAuthority = der(TAG.sequence, der(TAG.boolean, Uint8Array.of(0xff)));
  return [
    // A peer takes it for the authority that it is of itself.
    der(
      TAG.sequence,
      oid("2.5.29.19"),
      der(TAG.boolean, Uint8Array.of(0xff)),
      der(TAG.octetString, isAuthority),
    ),
    der(
      TAG.sequence,
      oid("2.5.29.17"),
      der(TAG.octetString, der(TAG.sequence, der(TAG.ipAddress, ip))),
    ),
    der(TAG.sequence, oid(NODE_ID_OID), der(TAG.octetString, nodeId)),
  ];
}

/** The node id in a certificate whose form OpenSSL has accepted. */
function nodeIdIn(raw: Uint8Array): Uint8Array | undefined {
  const name = oid(NODE_ID_OID);
  const bytes = Buffer.from(raw.buffer, raw.byteOffset, raw.length);
  // The same OID may stand in a name, where no octet string follows.
  for (let at = bytes.indexOf(name); at >= 0; at = bytes.indexOf(name, at + 1)) {
    const nodeId = nodeIdAt(raw, at + name.length);
    if (nodeId !== undefined) return nodeId;
  }
  return undefined;
}

/** What an extension holds behind its name and its flag; some wrap it twice. */
function nodeIdAt(raw: Uint8Array, from: number): Uint8Array | undefined {
  let at = from;
  if (raw[at] === TAG.boolean && raw[at + 1] === 1) at += 3;
  while (raw[at] === TAG.octetString) {
    const length = raw[at + 1];
    at += 2;
    if (length === NODE_ID_BYTES)
      return raw.length < at + length ? undefined : raw.slice(at, at + length);
  }
  return undefined;
}

/** One DER element of this tag, around its parts. */
function der(tag: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const content = concatBytes(...parts);
  const { length } = content;
  if (length < 0x80) return concatBytes(Uint8Array.of(tag, length), content);
  return concatBytes(Uint8Array.of(tag, 0x82, length >> 8, length & 0xff), content);
}

function oid(dotted: string): Uint8Array {
  const [first = 0, second = 0, ...rest] = dotted.split(".").map(Number);
  const bytes = [first * 40 + second];
  for (const arc of rest) {
    const groups = [arc & 0x7f];
    for (let high = arc >> 7; high > 0; high >>= 7) groups.unshift((high & 0x7f) | 0x80);
    bytes.push(...groups);
  }
  return der(TAG.oid, Uint8Array.from(bytes));
}

/** Two digits of the year up to 2049, four from then on (RFC 5280, 4.1.2.5). */
function time(unixMs: number): Uint8Array {
  const digits = new Date(unixMs).toISOString().replace(/[-:T]/g, "").slice(0, 14);
  const isShort = digits < "2050";
  const text = `${isShort ? digits.slice(2) : digits}Z`;
  return der(isShort ? TAG.utcTime : TAG.generalizedTime, utf8(text));
}

function pem(bytes: Uint8Array): string {
  const lines =
    Buffer.from(bytes)
      .toString("base64")
      .match(/.{1,64}/g) ?? [];
  return ["-----BEGIN CERTIFICATE-----", ...lines, "-----END CERTIFICATE-----", ""].join("\n");
}

function bad(why: string, cause?: unknown): CulvertError {
  return new CulvertError("CULVERT_PROTOCOL", `certificate: ${why}`, { cause });
}
