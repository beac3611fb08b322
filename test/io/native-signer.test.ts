import { expect, test } from "vitest";
import { SeededRandom } from "../../src/base/index.ts";
import { SigningKey } from "../../src/crypto/index.ts";
import { nativeSigner } from "../../src/io/native-signer.ts";

test("signs to the bit as the portable key does", () => {
  const random = new SeededRandom(1);
  for (let i = 0; i < 20; i++) {
    const seed = random.bytes(32);
    const message = random.bytes(random.below(100));
    const [native, portable] = [nativeSigner(seed), new SigningKey(seed)];
    expect(native.publicKey).toEqual(portable.publicKey);
    expect(native.sign(message)).toEqual(portable.sign(message));
  }
});

test("takes a seed of 32 bytes", () => {
  expect(() => nativeSigner(new Uint8Array(31))).toThrow(RangeError);
});
