import { expect, it } from "vitest";
import { equalBytes, isCulvertError, SeededRandom, toHex } from "../../src/base/index.ts";
import { type CborInput, decodeCbor, encodeCbor } from "../../src/codec/index.ts";
import { CODEC_TARGETS } from "./codec-targets.ts";
import { CASES, fuzz } from "./fuzz.ts";

/** Bytes that begin well more often than chance allows: cut and changed documents, and noise. */
function bytesFrom(random: SeededRandom, documents: readonly Uint8Array[]): Uint8Array {
  const document = documents[random.below(documents.length)] ?? new Uint8Array(1);
  const kind = random.below(4);
  if (kind === 0) return random.bytes(random.below(40));
  if (kind === 1) return document.subarray(0, random.below(document.length + 1));
  const changed = document.slice();
  for (let i = random.below(3); i >= 0; i--) {
    changed[random.below(changed.length)] = random.below(256);
  }
  return changed;
}

it("takes or refuses any bytes as CBOR, and takes only what it would write", () => {
  const random = new SeededRandom(1);
  const values: CborInput[] = [
    { version: 1, chain: random.bytes(104), next: 2 ** 40, list: [1, -1, 0.5, null, true] },
    [[[[["deep", { a: { b: { c: "ü" } } }]]]], 2n ** 63n, -(2n ** 40n), Number.NaN],
    { frames: Array.from({ length: 30 }, (_, index) => ({ index, cell: random.bytes(9) })) },
    "x".repeat(300),
  ];
  const documents = values.map((value) => encodeCbor(value));
  let taken = 0;
  for (let i = 0; i < CASES; i++) {
    const bytes = bytesFrom(random, documents);
    try {
      const value = decodeCbor(bytes);
      taken += 1;
      if (!equalBytes(encodeCbor(value), bytes)) throw new Error(`not written so: ${toHex(bytes)}`);
    } catch (error) {
      if (!isCulvertError(error, "CULVERT_PROTOCOL")) throw error;
    }
  }
  expect(taken).toBeGreaterThan(CASES / 100);
  expect(taken).toBeLessThan(CASES);
});

fuzz("the codec takes or refuses any bytes", CODEC_TARGETS);
