import { inspect } from "node:util";
import { describe, expect, it } from "vitest";
import { fromHex, SeededRandom, toHex, utf8 } from "../../src/base/index.ts";
import {
  BlindedSigner,
  Chain,
  crypto,
  ReadCapability,
  WriteCapability,
} from "../../src/crypto/index.ts";

const context = utf8("data");
const refusal = expect.objectContaining({ code: "CULVERT_BAD_CAPABILITY" });

describe("capabilities", () => {
  const write = WriteCapability.generate(new SeededRandom(7));
  const read = write.readCapability();

  it("survive as bytes", () => {
    expect(WriteCapability.fromBytes(write.toBytes()).toBytes()).toEqual(write.toBytes());
    expect(ReadCapability.fromBytes(read.toBytes()).toBytes()).toEqual(read.toBytes());
    expect(write.toBytes()).toHaveLength(168);
    expect(read.toBytes()).toHaveLength(136);
    expect(read.toBytes()).toEqual(write.toBytes().slice(32));
  });

  it("agree on addresses, and a signature verifies under its own address only", () => {
    const other = write.next();
    const message = utf8("cell");
    const signature = write.sign(context, message);
    expect(write.address(context)).toEqual(read.address(context));
    expect(read.next().address(context)).toEqual(other.address(context));
    expect(crypto().ed25519Verify(write.address(context), message, signature)).toBe(true);
    for (const address of [other.address(context), write.address(utf8("ack")), write.root]) {
      expect(crypto().ed25519Verify(address, message, signature)).toBe(false);
    }
  });

  it("give the same addresses with the seed at hand and without", () => {
    let [near, far] = [read, ReadCapability.fromBytes(read.toBytes())];
    for (let i = 0; i < 20; i++) {
      expect(near.addressesOf).not.toBe(far.addressesOf);
      expect(near.address(context)).toEqual(far.address(context));
      expect(near.toBytes()).toEqual(far.toBytes());
      [near, far] = [near.next(), far.next()];
    }
  });

  it("count their index and leave the one before as it was", () => {
    const before = write.toBytes();
    expect(write.next().index).toBe(write.index + 1n);
    expect(read.next().next().index).toBe(read.index + 2n);
    expect(write.toBytes()).toEqual(before);
  });

  it("begin anywhere below 2^62, and differ", () => {
    const random = new SeededRandom(8);
    const made = Array.from({ length: 20 }, () => WriteCapability.generate(random));
    for (const { index } of made) expect(index < 2n ** 62n).toBe(true);
    expect(new Set(made.map(({ index }) => index)).size).toBe(20);
    expect(new Set(made.map(({ root }) => toHex(root))).size).toBe(20);
  });

  it("copy the seed that they are made of", () => {
    const seed = new Uint8Array(32).fill(4);
    const capability = WriteCapability.of(seed, write.chain);
    const before = capability.toBytes();
    seed.fill(0);
    expect(capability.toBytes()).toEqual(before);
  });

  it.each([0, 32, 104, 135, 137, 167, 169])("refuse %d bytes", (length) => {
    const bytes = new SeededRandom(9).bytes(length);
    expect(() => ReadCapability.fromBytes(bytes)).toThrow(refusal);
    expect(() => WriteCapability.fromBytes(bytes)).toThrow(refusal);
  });

  it("refuse a root that is no public key", () => {
    const bytes = read.toBytes();
    for (const bad of ["00".repeat(32), "ff".repeat(32), `02${"00".repeat(31)}`]) {
      bytes.set(fromHex(bad));
      expect(() => ReadCapability.fromBytes(bytes)).toThrow(refusal);
    }
  });

  it("refuse a public key that is not the seed's", () => {
    const bytes = write.toBytes();
    bytes.set(WriteCapability.generate(new SeededRandom(10)).root, 32);
    expect(() => WriteCapability.fromBytes(bytes)).toThrow(refusal);
  });

  it("show no secret when printed", () => {
    const signer = BlindedSigner.of(write.toBytes().slice(0, 32), write.chain.frameId(context));
    const seed = toHex(write.toBytes().subarray(0, 32));
    const state = toHex(write.chain.toBytes().subarray(8, 40));
    for (const value of [write, read, write.chain, signer]) {
      const options = { depth: 9, showHidden: true, maxArrayLength: null } as const;
      const printed = [inspect(value, options), String(value), JSON.stringify(value)];
      for (const text of printed) {
        for (const secret of [seed, state]) {
          expect(text).not.toContain(secret);
          expect(text).not.toContain(fromHex(secret).join(","));
          expect(text.replaceAll(/\s/g, "")).not.toContain(fromHex(secret).join(","));
        }
      }
    }
  });

  it("are chains underneath: a wiped one is of no more use", () => {
    const own = WriteCapability.of(
      new Uint8Array(32).fill(1),
      Chain.fromBytes(new Uint8Array(104)),
    );
    const next = own.next();
    own.chain.wipe();
    expect(() => own.address(context)).toThrow(TypeError);
    expect(next.address(context)).toHaveLength(32);
  });
});
