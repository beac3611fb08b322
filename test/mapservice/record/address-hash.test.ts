import { expect, it } from "vitest";
import { KeyedHash, SeededRandom } from "../../../src/base/index.ts";
import { ADDRESS_SECRET_BYTES, AddressHash } from "../../../src/mapservice/record/address-hash.ts";

const random = new SeededRandom(3);

it("is the multilinear hash, to the last bit", () => {
  for (const fill of [undefined, 0, 1, 255]) {
    const secret = random.bytes(ADDRESS_SECRET_BYTES);
    const address = fill === undefined ? random.bytes(32) : new Uint8Array(32).fill(fill);
    const key = (i: number): bigint =>
      BigInt(`0x${Buffer.from(secret.subarray(5 * i, 5 * i + 5)).toString("hex")}`) % 2n ** 39n;
    const sum = address.reduce((total, byte, i) => total + key(i) * BigInt(byte), key(32));
    expect(new AddressHash(secret).of(address)).toBe(Number((sum % 2n ** 39n) >> 7n));
  }
});

it("keeps apart what was made to meet, whatever the secret is", () => {
  // The faster hash takes its secret in from the second word on: what comes before can be undone.
  const known = new KeyedHash(new Uint8Array(16));
  const made = Array.from({ length: 200 }, (_, i) => {
    const address = new Uint8Array(32);
    const view = new DataView(address.buffer);
    view.setUint32(0, i, true);
    view.setUint32(4, known.of(address.subarray(0, 4)), true);
    return address;
  });
  const meeting = new KeyedHash(random.bytes(16));
  expect(new Set(made.map((address) => meeting.of(address))).size).toBe(1);
  const hash = new AddressHash(random.bytes(ADDRESS_SECRET_BYTES));
  expect(new Set(made.map((address) => hash.of(address))).size).toBe(made.length);
});
