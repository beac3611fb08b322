import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { SeededRandom } from "../../src/base/index.ts";
import {
  generateSecret,
  parseSecret,
  secretFromText,
  secretToText,
  streamIdOf,
} from "../../src/stream/secret.ts";

const refused = expect.objectContaining({ code: "CULVERT_BAD_TICKET" });
const TEXT = secretToText(new SeededRandom(1).bytes(32));

describe("a secret", () => {
  it("is 32 bytes, and another one each time", () => {
    expect(generateSecret()).toHaveLength(32);
    expect(generateSecret()).not.toEqual(generateSecret());
  });

  it("is the same after a journey as text, whatever its case and the space around it", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (secret) => {
        const text = secretToText(secret);
        expect(text.startsWith("culvertsecret1")).toBe(true);
        expect(secretFromText(text)).toEqual(secret);
        expect(parseSecret(` ${text.toUpperCase()}\n`)).toEqual(secret);
      }),
      { seed: 1, numRuns: 30 },
    );
  });

  it("is refused with any letter mistyped, missing or doubled", () => {
    for (let at = 0; at < TEXT.length; at++) {
      const other = TEXT[at] === "q" ? "p" : "q";
      const [before, after] = [TEXT.slice(0, at), TEXT.slice(at + 1)];
      expect(() => secretFromText(before + other + after)).toThrow(refused);
      expect(() => secretFromText(before + after)).toThrow(refused);
      expect(() => secretFromText(before + TEXT[at] + TEXT.slice(at))).toThrow(refused);
    }
  });

  it("is refused when it is something else", () => {
    for (const text of ["", "culvertsecret1", "x".repeat(500), "BC1QW508D6QEJXTDG4Y5R3ZARVARY0C"]) {
      expect(() => secretFromText(text)).toThrow(refused);
    }
    for (const length of [0, 31, 33]) {
      expect(() => parseSecret(new Uint8Array(length))).toThrow(refused);
      expect(() => secretToText(new Uint8Array(length))).toThrow(refused);
    }
  });

  it("is bytes, of any realm: 32 of something else could be a secret that all know", () => {
    const others: unknown[] = [
      { length: 32 },
      new Float64Array(32).fill(0.5),
      new Uint16Array(32),
      Array.from({ length: 32 }, () => 7),
      new ArrayBuffer(32),
      32,
      null,
      undefined,
    ];
    for (const other of others) {
      expect(() => parseSecret(other as Uint8Array)).toThrow(refused);
      expect(() => secretToText(other as Uint8Array)).toThrow(refused);
    }
    const foreign: unknown = runInNewContext("new Uint8Array(32).fill(7)");
    expect(secretToText(foreign as Uint8Array)).toBe(secretToText(Buffer.alloc(32, 7)));
  });

  it("gives a stream a name that is fixed", () => {
    const root = new SeededRandom(2).bytes(32);
    expect(streamIdOf(root)).toMatch(/^[0-9a-f]{32}$/);
    expect(streamIdOf(root)).toBe(streamIdOf(root.slice()));
    expect(streamIdOf(root)).not.toBe(streamIdOf(new SeededRandom(3).bytes(32)));
  });
});
