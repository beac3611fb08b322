import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { SeededRandom } from "../../../src/base/index.ts";
import { loadProvider, PROVIDER_NAMES, type ProviderName } from "../../../src/crypto/index.ts";
import { WideBlock } from "../../../src/onion/packet/wide-block.ts";
import { fastSuite } from "../fixtures.ts";
import { onionVectors } from "../vectors.ts";

const suite = fastSuite();

function chain(seed: number) {
  const cipher = new WideBlock(suite, new SeededRandom(seed).bytes(64));
  let tweak: Uint8Array = new Uint8Array(32);
  return {
    encrypt(block: Uint8Array): Uint8Array {
      tweak = cipher.encrypt(block, tweak);
      return block;
    },
    decrypt(block: Uint8Array): Uint8Array {
      tweak = cipher.decrypt(block, tweak);
      return block;
    },
  };
}

describe("a wide block", () => {
  it.each(PROVIDER_NAMES)("is that of the vectors with %s", (name) => {
    const provider = loadProvider(name satisfies ProviderName);
    if (provider === undefined) throw new Error(`${name} is installed here`);
    const path = new URL("../../vectors/onion.json", import.meta.url);
    expect(onionVectors(provider)).toEqual(JSON.parse(readFileSync(path, "utf8")));
  });

  it.each([64, 65, 500, 1_024, 2_048])("of %d bytes comes back", (length) => {
    const block = new SeededRandom(length).bytes(length);
    const [there, back] = [chain(1), chain(1)];
    const sealed = there.encrypt(block.slice());
    expect(sealed).not.toEqual(block);
    expect(back.decrypt(sealed)).toEqual(block);
  });

  it("is the same wherever it lies, and whoever else enciphers in between", () => {
    const dice = new SeededRandom(7);
    const key = dice.bytes(64);
    const [block, tweak] = [dice.bytes(100), dice.bytes(32)];
    const expected = block.slice();
    const next = new WideBlock(suite, key).encrypt(expected, tweak);
    for (let offset = 0; offset < 9; offset++) {
      const room = new Uint8Array(120);
      const there = room.subarray(offset, offset + 100);
      there.set(block);
      const cipher = new WideBlock(suite, key);
      new WideBlock(suite, dice.bytes(64)).decrypt(dice.bytes(100));
      const moving = tweak.slice();
      expect(cipher.encrypt(there, moving, moving)).toBe(moving);
      expect([there, moving]).toEqual([expected, next]);
      expect(room.subarray(offset + 100).every((byte) => byte === 0)).toBe(true);
      const back = tweak.slice();
      cipher.decrypt(there, back, back);
      expect([there.slice(), back]).toEqual([block, next]);
    }
  });

  it("changes in every part when one bit of it is changed", () => {
    const block = new SeededRandom(2).bytes(256);
    const sealed = chain(1).encrypt(block.slice());
    for (let at = 0; at < 256; at++) {
      const flipped = sealed.with(at, (sealed[at] as number) ^ 1);
      const opened = chain(1).decrypt(flipped);
      for (let part = 0; part < 256; part += 16) {
        const before = block.subarray(part, part + 16);
        expect(opened.subarray(part, part + 16)).not.toEqual(before);
      }
    }
  });

  const cells = Array.from({ length: 6 }, (_, i) => new SeededRandom(i + 50).bytes(96));

  it("in a chain opens in order", () => {
    const [there, back] = [chain(3), chain(3)];
    for (const cell of cells) expect(back.decrypt(there.encrypt(cell.slice()))).toEqual(cell);
  });

  const spoil: Record<string, (sealed: Uint8Array[]) => Uint8Array[]> = {
    dropped: (sealed) => sealed.toSpliced(1, 1),
    repeated: (sealed) => sealed.toSpliced(1, 0, sealed[0] as Uint8Array),
    "out of order": (sealed) =>
      sealed.with(1, sealed[2] as Uint8Array).with(2, sealed[1] as Uint8Array),
    changed: (sealed) => sealed.with(1, (sealed[1] as Uint8Array).with(95, 0)),
  };
  it.each(Object.keys(spoil))("in a chain garbles all that follow one that is %s", (how) => {
    const [there, back] = [chain(3), chain(3)];
    const sealed = cells.map((cell) => there.encrypt(cell.slice()));
    const received = spoil[how]?.(sealed.map((cell) => cell.slice())) ?? [];
    const opened = received.map((cell) => back.decrypt(cell.slice()));
    expect(opened[0]).toEqual(cells[0]);
    for (const cell of opened.slice(1)) {
      for (const sent of cells) expect(cell).not.toEqual(sent);
    }
  });
});
