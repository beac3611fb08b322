import { describe, expect, test } from "vitest";
import { SeededRandom } from "../../../src/base/index.ts";
import { Reader, Writer } from "../../../src/codec/index.ts";
import { SigningKey } from "../../../src/crypto/index.ts";
import { type ReceiptClaim, ReceiptVerifier, signReceipts } from "../../../src/mapservice/index.ts";
import {
  RECEIPT_BYTES_MAX,
  readReceipt,
  writeReceipt,
} from "../../../src/mapservice/record/receipt.ts";
import { NODE } from "../fixtures.ts";

function claimsOf(count: number): ReceiptClaim[] {
  const random = new SeededRandom(count);
  return Array.from({ length: count }, (_, i) => ({
    address: random.bytes(32),
    seq: i % 3 === 0 ? 2 : 1,
    payloadHash: random.bytes(32),
    expiresMs: 1_750_000_000_000 + i,
  }));
}

describe("receipts", () => {
  test.each([1, 2, 3, 4, 5, 7, 8, 16, 33, 256])("%i claims need one signature", (count) => {
    let signatures = 0;
    const signer = {
      publicKey: NODE.publicKey,
      sign: (message: Uint8Array): Uint8Array => {
        signatures += 1;
        return NODE.sign(message);
      },
    };
    const claims = claimsOf(count);
    const receipts = signReceipts(claims, signer);
    expect(signatures).toBe(1);
    expect(receipts.length).toBe(count);
    for (const [i, receipt] of receipts.entries()) {
      const claim = claims[i] ?? expect.fail("a claim for each receipt");
      expect(new ReceiptVerifier(NODE.publicKey).verify(receipt, claim)).toBe(true);
      expect(receipt.expiresMs).toBe(claim.expiresMs);
    }
  });

  test("are good for their own claim only", () => {
    const [a, b] = claimsOf(2);
    if (a === undefined || b === undefined) throw new Error("two claims");
    const [receipt] = signReceipts([a, b], NODE);
    if (receipt === undefined) throw new Error("a receipt");
    const verifier = new ReceiptVerifier(NODE.publicKey);
    expect(verifier.verify(receipt, a)).toBe(true);
    expect(verifier.verify(receipt, b)).toBe(false);
    expect(verifier.verify(receipt, { ...a, seq: 1 })).toBe(false);
    expect(verifier.verify(receipt, { ...a, payloadHash: b.payloadHash })).toBe(false);
    expect(verifier.verify({ ...receipt, expiresMs: receipt.expiresMs + 1 }, a)).toBe(false);
    expect(verifier.verify({ ...receipt, leftMask: 1 }, a)).toBe(false);
    expect(verifier.verify({ ...receipt, siblings: [] }, a)).toBe(false);
    expect(verifier.verify({ ...receipt, signature: new Uint8Array(64) }, a)).toBe(false);
    expect(verifier.verify(receipt, a)).toBe(true);
  });

  test("of another node are not those of the pinned one", () => {
    const [claim] = claimsOf(1);
    if (claim === undefined) throw new Error("a claim");
    const [receipt] = signReceipts([claim], new SigningKey(new Uint8Array(32).fill(1)));
    if (receipt === undefined) throw new Error("a receipt");
    expect(new ReceiptVerifier(NODE.publicKey).verify(receipt, claim)).toBe(false);
  });

  test("an inner hash is no leaf: a part of the tree does not stand for a claim", () => {
    const claims = claimsOf(4);
    const [receipt] = signReceipts(claims, NODE);
    const [claim] = claims;
    if (receipt === undefined || claim === undefined) throw new Error("a receipt");
    const shorter = { ...receipt, siblings: receipt.siblings.slice(1), leftMask: 0 };
    const verifier = new ReceiptVerifier(NODE.publicKey);
    const [inner = new Uint8Array(32)] = receipt.siblings;
    expect(verifier.verify(shorter, { ...claim, payloadHash: inner })).toBe(false);
  });

  test("travel as bytes", () => {
    for (const receipt of signReceipts(claimsOf(5), NODE)) {
      const writer = new Writer();
      writeReceipt(writer, receipt);
      const bytes = writer.finish();
      expect(bytes.length).toBeLessThanOrEqual(RECEIPT_BYTES_MAX);
      expect(readReceipt(new Reader(bytes))).toEqual(receipt);
      for (let length = 0; length < bytes.length; length++) {
        expect(() => readReceipt(new Reader(bytes.subarray(0, length)))).toThrow();
      }
    }
  });

  test("of impossible depth, or with stray bits, are refused", () => {
    const deep = new Writer().u48(1).u8(17).u16(0).zeros(1_000).finish();
    const stray = new Writer().u48(1).u8(1).u16(2).zeros(1_000).finish();
    for (const bytes of [deep, stray]) {
      expect(() => readReceipt(new Reader(bytes))).toThrow(/receipt/);
    }
  });
});
