import { assert } from "../../base/index.ts";
import { AEAD_TAG_BYTES, crypto } from "../../crypto/index.ts";

/** The longest box of one record: the length field has 16 bits. */
const RECORD_BOX_BYTES_MAX = 65_535;

/** The longest payload of one record. */
export const RECORD_PAYLOAD_BYTES_MAX: number = RECORD_BOX_BYTES_MAX - AEAD_TAG_BYTES;

/** Bytes by which a record is longer than its payload: the length field and the tag. */
export const RECORD_OVERHEAD_BYTES: number = 2 + AEAD_TAG_BYTES;

/** Records, and bytes of payload, after which a direction takes the next key. */
const REKEY_RECORDS = 65_536;
const REKEY_BYTES = 2 ** 30;

const NONCE_LAST = new Uint8Array(12).fill(0xff, 4);
const ZEROS = new Uint8Array(32);

/**
 * The key of one direction, and the counter that makes its nonces. Both ends count alike; after
 * {@link REKEY_RECORDS} records or {@link REKEY_BYTES} bytes the key is replaced by one that cannot
 * be turned back (Noise, 4.2 and 11.3), and the counter starts anew.
 */
class RecordKey {
  #key: Uint8Array;
  readonly #nonce = new Uint8Array(12);
  readonly #view = new DataView(this.#nonce.buffer);
  #records = 0;
  #bytes = 0;

  constructor(key: Uint8Array) {
    this.#key = key.slice();
  }

  get key(): Uint8Array {
    return this.#key;
  }

  /** Four zero bytes, then the counter, little-endian. */
  get nonce(): Uint8Array {
    this.#view.setUint32(4, this.#records, true);
    return this.#nonce;
  }

  /** One record of `payloadBytes` has been sealed or opened. */
  advance(payloadBytes: number): void {
    this.#records += 1;
    this.#bytes += payloadBytes;
    if (this.#records < REKEY_RECORDS && this.#bytes < REKEY_BYTES) return;
    const next = crypto().aeadSeal(this.#key, NONCE_LAST, ZEROS).slice(0, 32);
    this.#key.fill(0);
    this.#key = next;
    this.#records = 0;
    this.#bytes = 0;
  }
}

/** Seals the records of one direction, in order. */
export class RecordSealer {
  readonly #key: RecordKey;

  constructor(key: Uint8Array) {
    this.#key = new RecordKey(key);
  }

  /**
   * A whole record, owned by the caller: length u16, then the box. The payload is borrowed.
   *
   * @param record memory for it, if the caller has any
   */
  seal(
    payload: Uint8Array,
    record: Uint8Array = new Uint8Array(payload.length + RECORD_OVERHEAD_BYTES),
  ): Uint8Array {
    assert(payload.length <= RECORD_PAYLOAD_BYTES_MAX, "a payload fits a record");
    const boxBytes = payload.length + AEAD_TAG_BYTES;
    record[0] = boxBytes >> 8;
    record[1] = boxBytes;
    const { key, nonce } = this.#key;
    crypto().aeadSeal(key, nonce, payload, { into: record.subarray(2) });
    this.#key.advance(payload.length);
    return record;
  }
}

/** Opens the records of one direction, in order: one that is left out or repeated does not open. */
export class RecordOpener {
  readonly #key: RecordKey;

  constructor(key: Uint8Array) {
    this.#key = new RecordKey(key);
  }

  /** The payload of the next box, which is handed over, or `undefined` when it is not that. */
  open(box: Uint8Array): Uint8Array | undefined {
    const { key, nonce } = this.#key;
    const payload = crypto().aeadOpen(key, nonce, box, { isInPlace: true });
    if (payload !== undefined) this.#key.advance(payload.length);
    return payload;
  }
}
