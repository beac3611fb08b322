import { assert } from "../../base/index.ts";
import { ADDRESS_BYTES } from "./record.ts";

/** Bytes of a key of the hash, of which it takes 39 bits; one for each byte, and one more. */
const KEY_BYTES = 5;
const MODULUS = 2 ** 39;

/** Random bytes that a hash is made of. */
export const ADDRESS_SECRET_BYTES: number = KEY_BYTES * (ADDRESS_BYTES + 1);

/**
 * A hash of addresses for tables of ours: 0 to 2^32 - 1. Who asks for an address chooses each bit
 * of it, so this is a strongly universal family: whatever two are chosen, they meet under one of
 * 2^32 secrets. All sums are whole numbers below 2^53.
 *
 * Source: multilinear hashing, Lemire and Kaser, "Strongly universal string hashing is fast", 2014.
 */
export class AddressHash {
  readonly #keys = new Float64Array(ADDRESS_BYTES + 1);

  /** @param secret {@link ADDRESS_SECRET_BYTES} random bytes that strangers do not know */
  constructor(secret: Uint8Array) {
    assert(secret.length === ADDRESS_SECRET_BYTES, "a key for each byte of an address");
    for (const [at, byte] of secret.entries()) {
      const key = Math.floor(at / KEY_BYTES);
      this.#keys[key] = ((this.#keys[key] as number) * 256 + byte) % MODULUS;
    }
  }

  of(address: Uint8Array): number {
    assert(address.length === ADDRESS_BYTES, "an address has its length");
    const keys = this.#keys;
    let sum = keys[ADDRESS_BYTES] as number;
    for (let i = 0; i < ADDRESS_BYTES; i++) sum += (keys[i] as number) * (address[i] as number);
    return Math.floor((sum - Math.floor(sum / MODULUS) * MODULUS) / 128);
  }
}
