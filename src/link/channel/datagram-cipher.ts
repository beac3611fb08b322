import { assert, shortMemory, utf8 } from "../../base/index.ts";
import { AEAD_TAG_BYTES, crypto } from "../../crypto/index.ts";

/** Bytes by which a sealed datagram is longer than its payload: the counter and the tag. */
const DATAGRAM_OVERHEAD_BYTES: number = 6 + AEAD_TAG_BYTES;

/** How far behind the newest datagram one may come and still be taken. */
const REPLAY_WINDOW = 1_024;
const COUNTER_MAX = 2 ** 48 - 1;

/** The key for datagrams of a direction, made from the key for its records. */
function datagramKey(recordKey: Uint8Array): Uint8Array {
  const info = utf8("culvert/v1/link-datagram");
  return crypto().hkdfBlake2b({ ikm: recordKey, info, length: 32 });
}

/** Four zero bytes, then the counter, little-endian, of eight bytes; one array for all of them. */
class Nonce {
  readonly #bytes = new Uint8Array(12);
  readonly #view = new DataView(this.#bytes.buffer);

  /** Good until the next one. */
  of(counter: number): Uint8Array {
    this.#view.setUint32(4, counter % 2 ** 32, true);
    this.#view.setUint32(8, Math.floor(counter / 2 ** 32), true);
    return this.#bytes;
  }
}

/** Seals datagrams of one direction: each stands alone, under its own counter. */
export class DatagramSealer {
  readonly #key: Uint8Array;
  readonly #nonce = new Nonce();
  #counter = 0;

  /** @param recordKey the first record key of the direction, borrowed */
  constructor(recordKey: Uint8Array) {
    this.#key = datagramKey(recordKey);
  }

  /** Counter u48, then the box; to be sent soon. */
  seal(payload: Uint8Array): Uint8Array {
    assert(this.#counter < COUNTER_MAX, "a path carries fewer than 2^48 datagrams");
    const sealed = shortMemory(payload.length + DATAGRAM_OVERHEAD_BYTES);
    const view = new DataView(sealed.buffer, sealed.byteOffset);
    view.setUint16(0, Math.floor(this.#counter / 2 ** 32));
    view.setUint32(2, this.#counter % 2 ** 32);
    const nonce = this.#nonce.of(this.#counter);
    crypto().aeadSeal(this.#key, nonce, payload, { into: sealed.subarray(6) });
    this.#counter += 1;
    return sealed;
  }
}

/** Opens datagrams in whatever order they come, each once (the window of RFC 4303, 3.4.3). */
export class DatagramOpener {
  readonly #key: Uint8Array;
  readonly #nonce = new Nonce();
  readonly #seen = new Uint8Array(REPLAY_WINDOW);
  #newest = -1;

  /** @param recordKey the first record key of the direction, borrowed */
  constructor(recordKey: Uint8Array) {
    this.#key = datagramKey(recordKey);
  }

  /** The payload of a datagram, handed over; `undefined` for a forged, repeated or late one. */
  open(sealed: Uint8Array): Uint8Array | undefined {
    if (sealed.length < DATAGRAM_OVERHEAD_BYTES) return undefined;
    const view = new DataView(sealed.buffer, sealed.byteOffset, sealed.length);
    const counter = view.getUint16(0) * 2 ** 32 + view.getUint32(2);
    if (!this.#isNew(counter)) return undefined;
    const [nonce, box] = [this.#nonce.of(counter), sealed.subarray(6)];
    const payload = crypto().aeadOpen(this.#key, nonce, box, { isInPlace: true });
    if (payload !== undefined) this.#note(counter);
    return payload;
  }

  #isNew(counter: number): boolean {
    if (counter > this.#newest) return true;
    if (counter <= this.#newest - REPLAY_WINDOW) return false;
    return this.#seen[counter % REPLAY_WINDOW] === 0;
  }

  #note(counter: number): void {
    const skipped = Math.min(counter - this.#newest, REPLAY_WINDOW);
    for (let i = 0; i < skipped; i++) this.#seen[(counter - i) % REPLAY_WINDOW] = 0;
    this.#seen[counter % REPLAY_WINDOW] = 1;
    this.#newest = Math.max(this.#newest, counter);
  }
}
