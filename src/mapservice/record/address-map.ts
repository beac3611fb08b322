import type { AddressHash } from "./address-hash.ts";
import { AddressTable } from "./address-table.ts";

/** A map from addresses, which are copied, for what comes and goes all the time. */
export class AddressMap<V extends NonNullable<unknown>> {
  readonly #table: AddressTable;
  #values: (V | undefined)[] = [];

  /** @param hash under a secret that strangers do not know */
  constructor(hash: AddressHash) {
    this.#table = new AddressTable(hash);
  }

  get size(): number {
    return this.#table.size;
  }

  get(address: Uint8Array): V | undefined {
    const number = this.#table.find(address);
    return number === undefined ? undefined : this.#values[number];
  }

  has(address: Uint8Array): boolean {
    return this.#table.find(address) !== undefined;
  }

  set(address: Uint8Array, value: V): void {
    this.#values[this.#table.findOrAdd(address)] = value;
  }

  delete(address: Uint8Array): void {
    const number = this.#table.find(address);
    if (number === undefined) return;
    this.#values[number] = undefined;
    this.#table.remove(number);
    if (this.#table.capacity === 0) this.#values = [];
  }

  clear(): void {
    this.#table.clear();
    this.#values = [];
  }

  /** As they are now, in an order that the hash has no part in. */
  values(): readonly V[] {
    return this.#values.filter((value) => value !== undefined);
  }
}
