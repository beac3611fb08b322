import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { fromHex, type Random, SeededRandom, toHex } from "../../../src/base/index.ts";
import { crypto } from "../../../src/crypto/index.ts";
import {
  type DhKeys,
  dhKeysOf,
  NoiseHandshake,
  type NoisePattern,
} from "../../../src/link/channel/noise.ts";
import {
  RECORD_OVERHEAD_BYTES,
  RECORD_PAYLOAD_BYTES_MAX,
  RecordOpener,
  RecordSealer,
} from "../../../src/link/channel/record-cipher.ts";

interface Vector {
  readonly name: string;
  readonly initStatic: string;
  readonly respStatic: string;
  readonly initEphemeral: string;
  readonly respEphemeral: string;
  readonly prologue: string;
  readonly messages: readonly { readonly payload: string; readonly ciphertext: string }[];
}

const VECTORS: readonly Vector[] = JSON.parse(
  readFileSync(new URL("../../vectors/noise.json", import.meta.url), "utf8"),
);

const keysOf = (secret: string): DhKeys => {
  const secretKey = fromHex(secret);
  return { secretKey, publicKey: crypto().x25519PublicKey(secretKey) };
};
const given = (bytes: string): Random => ({ bytes: () => fromHex(bytes), unit: () => 0 });

function parties(vector: Vector): { initiator: NoiseHandshake; responder: NoiseHandshake } {
  const pattern: NoisePattern = vector.name.includes("_XX_") ? "XX" : "IK";
  const prologue = fromHex(vector.prologue);
  const [init, resp] = [keysOf(vector.initStatic), keysOf(vector.respStatic)];
  const remoteKey = pattern === "IK" ? resp.publicKey : undefined;
  const initiator = new NoiseHandshake({
    pattern,
    isInitiator: true,
    keys: init,
    remoteKey,
    prologue,
    random: given(vector.initEphemeral),
  });
  const responder = new NoiseHandshake({
    pattern,
    isInitiator: false,
    keys: resp,
    prologue,
    random: given(vector.respEphemeral),
  });
  return { initiator, responder };
}

describe("the public vectors of the patterns in use", () => {
  it("are there, for both", () => {
    const names = new Set(VECTORS.map(({ name }) => name));
    expect([...names].sort()).toEqual([
      "Noise_IK_25519_ChaChaPoly_BLAKE2b",
      "Noise_XX_25519_ChaChaPoly_BLAKE2b",
    ]);
  });

  it.each(VECTORS.map((vector, at) => [`${vector.name} ${at}`, vector] as const))(
    "%s comes out byte for byte, records included",
    (_name, vector) => {
      const { initiator, responder } = parties(vector);
      let [writer, reader] = [initiator, responder];
      let sealers: RecordSealer[] | undefined;
      let openers: RecordOpener[] = [];
      let side = 0;
      for (const { payload, ciphertext } of vector.messages) {
        if (sealers !== undefined) {
          const record = sealers[side]?.seal(fromHex(payload)).subarray(2);
          expect(toHex(record ?? new Uint8Array())).toBe(ciphertext);
          expect(toHex(openers[side]?.open(fromHex(ciphertext)) ?? Uint8Array.of(0))).toBe(payload);
          side = 1 - side;
          continue;
        }
        expect(toHex(writer.write(fromHex(payload)) ?? new Uint8Array())).toBe(ciphertext);
        expect(toHex(reader.read(fromHex(ciphertext)) ?? Uint8Array.of(0))).toBe(payload);
        [writer, reader] = [reader, writer];
        if (initiator.keys === undefined || responder.keys === undefined) continue;
        // After the handshake the initiator speaks first, whoever had the last word in it.
        const [theirs, ours] = [responder.keys, initiator.keys];
        sealers = [new RecordSealer(ours.send), new RecordSealer(theirs.send)];
        openers = [new RecordOpener(theirs.receive), new RecordOpener(ours.receive)];
      }
      expect(sealers).toBeDefined();
    },
  );

  it("do not hold for a message with one bit turned, in any place", () => {
    for (const vector of VECTORS.slice(0, 1)) {
      const first = fromHex(vector.messages[0]?.ciphertext ?? "");
      for (let at = 32; at < first.length; at++) {
        const { responder } = parties(vector);
        expect(responder.read(first.with(at, (first[at] ?? 0) ^ 1))).toBeUndefined();
      }
      expect(parties(vector).responder.read(first.subarray(0, 40))).toBeUndefined();
    }
  });

  it("are not answered for a key of small order", () => {
    const { initiator } = parties(VECTORS.find(({ name }) => name.includes("_XX_")) as Vector);
    initiator.write(new Uint8Array(0));
    expect(initiator.read(new Uint8Array(96))).toBeUndefined();
  });
});

describe("the records of one direction", () => {
  it("take the next key after 65,536 records, at both ends", () => {
    const key = new SeededRandom(1).bytes(32);
    const [sealer, opener] = [new RecordSealer(key), new RecordOpener(key)];
    const payload = Uint8Array.of(1, 2, 3);
    for (let i = 0; i < 65_536; i++) opener.open(sealer.seal(payload).subarray(2));
    const later = sealer.seal(payload).subarray(2);
    // The nonce began anew: under the old key this would be the first record again.
    expect(toHex(later)).not.toBe(toHex(new RecordSealer(key).seal(payload).subarray(2)));
    expect(opener.open(later)).toEqual(payload);
  });

  it("take the next key after a gigabyte, long before so many records", () => {
    const key = new SeededRandom(1).bytes(32);
    const sealer = new RecordSealer(key);
    const payload = new Uint8Array(RECORD_PAYLOAD_BYTES_MAX);
    const memory = new Uint8Array(payload.length + RECORD_OVERHEAD_BYTES);
    const records = Math.ceil(2 ** 30 / payload.length);
    for (let i = 0; i < records; i++) sealer.seal(payload, memory);
    const nonce = new Uint8Array(12).fill(0xff, 4);
    const next = crypto().aeadSeal(key, nonce, new Uint8Array(32)).slice(0, 32);
    const [later, first] = [sealer, new RecordSealer(next)].map((each) => each.seal(payload));
    expect(toHex(later?.subarray(0, 64) ?? payload)).toBe(toHex(first?.subarray(0, 64) ?? memory));
  });

  it("take the next key after 65,536 records too, however short, at both ends", () => {
    const key = new SeededRandom(1).bytes(32);
    const [sealer, opener] = [new RecordSealer(key), new RecordOpener(key)];
    const payload = Uint8Array.of(1);
    for (let i = 0; i < 65_536; i++) opener.open(sealer.seal(payload).subarray(2));
    const nonce = new Uint8Array(12).fill(0xff, 4);
    const next = crypto().aeadSeal(key, nonce, new Uint8Array(32)).slice(0, 32);
    const later = sealer.seal(payload);
    expect(toHex(later)).toBe(toHex(new RecordSealer(next).seal(payload)));
    expect(opener.open(later.subarray(2))).toEqual(payload);
  });

  it("open in order only, and once", () => {
    const key = dhKeysOf(new SeededRandom(2).bytes(32)).publicKey;
    const sealer = new RecordSealer(key);
    const [first, second] = [1, 2].map((byte) => sealer.seal(Uint8Array.of(byte)).subarray(2));
    const opener = new RecordOpener(key);
    // A box is handed over: what was tried may have been written to.
    const opened = (box: Uint8Array | undefined) => opener.open((box as Uint8Array).slice());
    expect(opened(second)).toBeUndefined();
    expect(opened(first)).toEqual(Uint8Array.of(1));
    expect(opened(first)).toBeUndefined();
    expect(opened(second)).toEqual(Uint8Array.of(2));
  });
});
