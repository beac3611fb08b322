import type { AddressHash } from "./address-hash.ts";
import { ADDRESS_BYTES } from "./record.ts";

/** Names an address while it is in a table; used again for another one later. */
export type AddressNumber = number;

const NONE = -1;
const CAPACITY_MIN = 16;

/** A larger table is given back once nothing is in it. */
const CAPACITY_KEPT = 1_024;

/**
 * Numbers for addresses, small ones, by which their owner finds what it has for each in arrays:
 * some 50 bytes an address, which the collector does not look at. A `Map` takes keys of text, which
 * have to be made for each question and hashed, and it makes its table anew with every few entries
 * that come and go.
 *
 * Found by chains over a hash under a secret, since strangers choose the addresses.
 */
export class AddressTable {
  readonly #hash: AddressHash;
  #addresses = new Uint8Array(0);
  #hashes = new Uint32Array(0);
  /** The first address of each chain, and the next one of each address. */
  #heads = new Int32Array(0);
  #nexts = new Int32Array(0);
  /** Numbers below this were used; those of them that name no address now wait in `#free`. */
  #used = 0;
  #free: AddressNumber[] = [];

  /** @param hash under a secret that strangers do not know */
  constructor(hash: AddressHash) {
    this.#hash = hash;
  }

  get size(): number {
    return this.#used - this.#free.length;
  }

  /** Numbers are below this until another address is taken in. */
  get capacity(): number {
    return this.#nexts.length;
  }

  find(address: Uint8Array): AddressNumber | undefined {
    const found = this.#find(address, this.#hash.of(address));
    return found === NONE ? undefined : found;
  }

  /** The number of an address, which is taken in, and copied, if it is new. */
  findOrAdd(address: Uint8Array): AddressNumber {
    const hash = this.#hash.of(address);
    const found = this.#find(address, hash);
    if (found !== NONE) return found;
    const number = this.#free.pop() ?? this.#fresh();
    this.#addresses.set(address, ADDRESS_BYTES * number);
    this.#hashes[number] = hash;
    this.#link(number);
    return number;
  }

  remove(number: AddressNumber): void {
    const chain = this.#chainOf(number);
    const next = this.#nexts[number] as number;
    let before = this.#heads[chain] as number;
    if (before === number) this.#heads[chain] = next;
    else {
      while (this.#nexts[before] !== number) before = this.#nexts[before] as number;
      this.#nexts[before] = next;
    }
    this.#free.push(number);
    if (this.size === 0 && this.capacity > CAPACITY_KEPT) this.clear();
  }

  /** A view, until another address is taken in. */
  addressOf(number: AddressNumber): Uint8Array {
    return this.#addresses.subarray(ADDRESS_BYTES * number, ADDRESS_BYTES * (number + 1));
  }

  clear(): void {
    this.#used = 0;
    this.#free = [];
    this.#resize(0);
  }

  #find(address: Uint8Array, hash: number): AddressNumber {
    if (this.#heads.length === 0) return NONE;
    let found = this.#heads[hash & (this.#heads.length - 1)] as number;
    while (found !== NONE && !(this.#hashes[found] === hash && this.#isAt(found, address))) {
      found = this.#nexts[found] as number;
    }
    return found;
  }

  #fresh(): AddressNumber {
    if (this.#used === this.capacity) this.#resize(Math.max(2 * this.#used, CAPACITY_MIN));
    this.#used += 1;
    return this.#used - 1;
  }

  /** Only while every number below `#used` names an address. */
  #resize(capacity: number): void {
    this.#addresses = resized(this.#addresses, new Uint8Array(ADDRESS_BYTES * capacity));
    this.#hashes = resized(this.#hashes, new Uint32Array(capacity));
    this.#nexts = new Int32Array(capacity);
    this.#heads = new Int32Array(capacity).fill(NONE);
    for (let number = 0; number < this.#used; number++) this.#link(number);
  }

  #isAt(number: AddressNumber, address: Uint8Array): boolean {
    const from = ADDRESS_BYTES * number;
    for (let i = 0; i < ADDRESS_BYTES; i++) {
      if (this.#addresses[from + i] !== address[i]) return false;
    }
    return true;
  }

  #link(number: AddressNumber): void {
    const chain = this.#chainOf(number);
    this.#nexts[number] = this.#heads[chain] as number;
    this.#heads[chain] = number;
  }

  #chainOf(number: AddressNumber): number {
    return (this.#hashes[number] as number) & (this.#heads.length - 1);
  }
}

/** What `from` has, as far as it goes, in an array of another length. */
export function resized<A extends Uint8Array | Uint32Array | Float64Array>(from: A, to: A): A {
  to.set(from.subarray(0, to.length));
  return to;
}
