import type { Instant } from "../../base/index.ts";
import { Reader, Writer } from "../../codec/index.ts";
import { crypto, equalSecret } from "../../crypto/index.ts";
import type { HostPort } from "./carrier.ts";

/** The first byte of each kind of plain datagram on a node's UDP socket; 255 marks udx streams. */
export const DATAGRAM_KIND = { hello: 0x01, retry: 0x02, confirm: 0x03, probe: 0x10 } as const;

/**
 * The three datagrams that open a udx stream:
 * - `hello`: the dialler's stream id, a nonce, zeros up to the size of a retry
 * - `retry`: the nonce, and a cookie made from what was said and from where
 * - `confirm`: hello and cookie; the listener makes its stream only now
 *
 * The cookie proves that the dialler hears what is sent to its address, before anything is kept and
 * before any expensive work; the answer to a hello is no longer than the hello. It also fixes the
 * listener's stream id.
 */
export type OpeningDatagram =
  | ({ readonly kind: "hello" } & OpeningHello)
  | { readonly kind: "retry"; readonly nonce: Uint8Array; readonly cookie: Uint8Array }
  | ({ readonly kind: "confirm"; readonly cookie: Uint8Array } & OpeningHello);

/** What a dialler says of itself. */
export interface OpeningHello {
  readonly streamId: number;
  /** 8 random bytes: what a retry has to repeat. */
  readonly nonce: Uint8Array;
}

const VERSION = 1;
/** What a dialler draws, and a retry repeats. */
export const OPENING_NONCE_BYTES = 8;
/** Seconds u32, stream id u32, MAC. */
const COOKIE_BYTES = 24;
const MAC_BYTES = 16;
/** How old a cookie may be. */
const COOKIE_SECONDS = 10;

/** Writes one datagram. */
export function encodeOpening(datagram: OpeningDatagram): Uint8Array {
  const writer = new Writer(48).u8(DATAGRAM_KIND[datagram.kind]).u8(VERSION);
  if (datagram.kind === "retry") {
    return writer.bytes(datagram.nonce).bytes(datagram.cookie).finish();
  }
  writer.u32(datagram.streamId).bytes(datagram.nonce);
  if (datagram.kind === "hello") writer.zeros(COOKIE_BYTES);
  else writer.bytes(datagram.cookie);
  return writer.finish();
}

/** @throws CulvertError `CULVERT_PROTOCOL` when the bytes are none of the three */
export function readOpening(bytes: Uint8Array): OpeningDatagram {
  const reader: Reader = new Reader(bytes);
  const datagram = readKind(reader);
  reader.expectEnd();
  return datagram;
}

function readKind(reader: Reader): OpeningDatagram {
  const kind = reader.u8("kind");
  if (reader.u8("version") !== VERSION) reader.refuse("version", "is not known");
  if (kind === DATAGRAM_KIND.retry) {
    const nonce = reader.bytes(OPENING_NONCE_BYTES, "nonce");
    return { kind: "retry", nonce, cookie: reader.bytes(COOKIE_BYTES, "cookie") };
  }
  const streamId = reader.u32("stream id");
  const nonce = reader.bytes(OPENING_NONCE_BYTES, "nonce");
  const cookie = reader.bytes(COOKIE_BYTES, "cookie");
  if (kind === DATAGRAM_KIND.confirm) return { kind: "confirm", streamId, nonce, cookie };
  if (kind !== DATAGRAM_KIND.hello) reader.refuse("kind", "is not known");
  return { kind: "hello", streamId, nonce };
}

/** Makes and checks cookies; it keeps nothing but one secret. */
export class CookieJar {
  readonly #secret: Uint8Array;

  /** @param secret 32 random bytes, good for the life of the socket */
  constructor(secret: Uint8Array) {
    this.#secret = secret.slice();
  }

  /** The cookie for a hello that came from `from`. */
  bake(hello: OpeningHello, from: HostPort, now: Instant): Uint8Array {
    return this.#cookie(hello, from, Math.floor(now / 1_000));
  }

  /** Whether the cookie was made for this hello from this address, not long ago. */
  isGood(cookie: Uint8Array, hello: OpeningHello, from: HostPort, now: Instant): boolean {
    const seconds = new Reader(cookie).u32("seconds");
    const age = Math.floor(now / 1_000) - seconds;
    if (age < 0 || age > COOKIE_SECONDS) return false;
    return equalSecret(cookie, this.#cookie(hello, from, seconds));
  }

  #cookie({ streamId, nonce }: OpeningHello, from: HostPort, seconds: number): Uint8Array {
    const said = new Writer(64).u32(seconds).u32(streamId).bytes(nonce).u16(from.port);
    for (let at = 0; at < from.host.length; at++) said.u8(from.host.charCodeAt(at));
    const made = crypto().hkdfBlake2b({
      ikm: this.#secret,
      info: said.finish(),
      length: MAC_BYTES + 4,
    });
    return new Writer(COOKIE_BYTES)
      .u32(seconds)
      .bytes(made.subarray(MAC_BYTES))
      .bytes(made.subarray(0, MAC_BYTES))
      .finish();
  }
}

/** The listener's stream id, which a cookie fixes. */
export function streamIdOf(cookie: Uint8Array): number {
  return new Reader(cookie.subarray(4)).u32("stream id");
}
