import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { fromHex, SeededRandom, toHex, utf8 } from "../../src/base/index.ts";
import {
  BlindedSigner,
  blindPublicKey,
  Chain,
  crypto,
  deriveDirection,
  hkdf,
  ReadCapability,
  rootPublicKey,
  WriteCapability,
} from "../../src/crypto/index.ts";

interface Box {
  readonly blindingFactor: string;
  readonly boxId: string;
  readonly encryptionKey: string;
  readonly gcmSivBoxId: string;
  readonly gcmSivCiphertext: string;
  readonly gcmSivSignature: string;
  readonly hkdfState: string;
  readonly idx64: string;
  readonly message: string;
  readonly messageBoxIndex: string;
  readonly signature: string;
  readonly step: number;
}

interface VectorStream {
  readonly boxes: readonly Box[];
  readonly context: string;
  readonly randomBytes: string;
  readonly readCap: string;
  readonly writeCap: string;
}

const vectors: { streams: readonly VectorStream[] } = JSON.parse(
  readFileSync(new URL("../vectors/bacap.json", import.meta.url), "utf8"),
);

describe.each(vectors.streams.map((stream, number) => ({ number, stream })))(
  "BACAP reference stream $number",
  ({ stream }) => {
    const context = fromHex(stream.context);

    it("has our chain states, each the next of the one before", () => {
      let chain = ReadCapability.fromBytes(fromHex(stream.readCap)).chain;
      for (const box of stream.boxes) {
        expect(chain.index).toBe(BigInt(box.idx64));
        expect(toHex(chain.toBytes())).toBe(box.messageBoxIndex);
        expect(toHex(chain.toBytes().subarray(8, 40))).toBe(box.blindingFactor);
        expect(toHex(chain.toBytes().subarray(40, 72))).toBe(box.encryptionKey);
        expect(toHex(chain.toBytes().subarray(72))).toBe(box.hkdfState);
        chain = chain.next();
      }
    });

    it("has our addresses, from either capability", () => {
      let read = ReadCapability.fromBytes(fromHex(stream.readCap));
      let write = WriteCapability.fromBytes(fromHex(stream.writeCap));
      for (const box of stream.boxes) {
        expect(toHex(read.address(context))).toBe(box.boxId);
        expect(toHex(write.address(context))).toBe(box.gcmSivBoxId);
        read = read.next();
        write = write.next();
      }
    });

    it("has our signatures", () => {
      let write = WriteCapability.fromBytes(fromHex(stream.writeCap));
      for (const box of stream.boxes) {
        expect(toHex(write.sign(context, fromHex(box.message)))).toBe(box.signature);
        const ciphertext = fromHex(box.gcmSivCiphertext);
        expect(toHex(write.sign(context, ciphertext))).toBe(box.gcmSivSignature);
        expect(
          crypto().ed25519Verify(fromHex(box.boxId), ciphertext, fromHex(box.gcmSivSignature)),
        ).toBe(true);
        write = write.next();
      }
    });

    it("has our capability bytes", () => {
      const write = WriteCapability.fromBytes(fromHex(stream.writeCap));
      expect(toHex(write.toBytes())).toBe(stream.writeCap);
      expect(toHex(write.readCapability().toBytes())).toBe(stream.readCap);
      expect(toHex(ReadCapability.fromBytes(fromHex(stream.readCap)).toBytes())).toBe(
        stream.readCap,
      );
    });

    it("begins where the reference's random bytes lead", () => {
      // The reference draws seed 32, H 32 and two numbers of 8 bytes, and begins at the next state.
      const random = fromHex(stream.randomBytes);
      const view = new DataView(random.buffer);
      for (const at of [64, 72]) random[at] = (random[at] as number) & 0x2f;
      const index = BigInt.asUintN(64, view.getBigUint64(64, true) + view.getBigUint64(72, true));
      const state = new Uint8Array(104);
      new DataView(state.buffer).setBigUint64(0, index, true);
      state.set(random.subarray(32, 64), 72);
      const write = WriteCapability.of(random.subarray(0, 32), Chain.fromBytes(state).next());
      expect(toHex(write.toBytes())).toBe(stream.writeCap);
    });
  },
);

describe("Chain", () => {
  const random = new SeededRandom(1);

  it("keeps its bytes", () => {
    const bytes = random.bytes(104);
    expect(Chain.fromBytes(bytes).toBytes()).toEqual(bytes);
  });

  it("copies what it reads and what it gives", () => {
    const bytes = random.bytes(104);
    const chain = Chain.fromBytes(bytes);
    const before = toHex(chain.toBytes());
    bytes.fill(0);
    chain.toBytes().fill(0);
    expect(toHex(chain.toBytes())).toBe(before);
  });

  it.each([0, 1, 103, 105])("refuses %d bytes", (length) => {
    expect(() => Chain.fromBytes(new Uint8Array(length))).toThrow(
      expect.objectContaining({ code: "CULVERT_BAD_CAPABILITY" }),
    );
  });

  it("ends at the last index instead of starting over", () => {
    const bytes = random.bytes(104).fill(0xff, 0, 8);
    expect(() => Chain.fromBytes(bytes).next()).toThrow(
      expect.objectContaining({ code: "CULVERT_BAD_CAPABILITY" }),
    );
  });

  it("is of no more use once wiped", () => {
    const chain = Chain.fromBytes(random.bytes(104));
    const next = chain.next();
    chain.wipe();
    expect(() => chain.toBytes()).toThrow(TypeError);
    expect(() => chain.next()).toThrow(TypeError);
    expect(() => chain.frameKey(utf8("data"))).toThrow(TypeError);
    expect(next.next().index).toBe(chain.index + 2n);
  });

  it("gives other ids and keys for other contexts and indexes", () => {
    const chain = Chain.fromBytes(random.bytes(104));
    const made = [chain, chain.next(), chain.ackChain(), chain.next().ackChain()].flatMap(
      (state) => [
        toHex(state.frameId(utf8("data"))),
        toHex(state.frameKey(utf8("data"))),
        toHex(state.frameId(utf8("ack"))),
        toHex(state.frameKey(utf8("ack"))),
      ],
    );
    expect(new Set(made).size).toBe(16);
  });
});

describe("the key schedule of a stream", () => {
  const secret = fromHex("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f");

  it("derives each direction as documented", () => {
    for (const role of ["listener", "dialer"] as const) {
      const { seed, chain } = deriveDirection(secret, role);
      const derived = hkdf({
        ikm: secret,
        salt: utf8("culvert/v1"),
        info: utf8(role),
        length: 128,
      });
      expect(seed).toEqual(derived.slice(0, 32));
      expect(chain.index).toBe(0n);
      const state = chain.toBytes();
      expect(state.slice(72)).toEqual(derived.slice(32, 64));
      expect(state.slice(40, 72)).toEqual(derived.slice(64, 96));
      expect(state.slice(8, 40)).toEqual(derived.slice(96, 128));
    }
  });

  it("derives the ack chain as documented", () => {
    const { chain } = deriveDirection(secret, "listener");
    const at3 = chain.next().next().next();
    const derived = hkdf({
      ikm: at3.toBytes().subarray(72),
      salt: utf8("culvert/v1/ack"),
      info: Uint8Array.of(3, 0, 0, 0, 0, 0, 0, 0),
      length: 96,
    });
    const ack = at3.ackChain();
    expect(ack.index).toBe(0n);
    expect(ack.toBytes().slice(72)).toEqual(derived.slice(0, 32));
    expect(ack.toBytes().slice(40, 72)).toEqual(derived.slice(32, 64));
    expect(ack.toBytes().slice(8, 40)).toEqual(derived.slice(64, 96));
  });

  it("stays what it is", () => {
    const made = (["listener", "dialer"] as const).flatMap((role) => {
      const { seed, chain } = deriveDirection(secret, role);
      return [toHex(rootPublicKey(seed)), toHex(chain.next().frameId(utf8("data")))];
    });
    expect(made).toEqual([
      "07f2ae6ca8c97f176eeadb05f5232e412638b1121970b32e80c1bbcb661a1f16",
      "2a9275e3bf89fd86e5708f5747da7387a2d68e729c4ebfb30fd2433e822f7ff2",
      "dc8bc7dc814adf803ab0284e6b4ff1f978ef23bf588398df4bdccb0b442edd73",
      "52cd2e7ebc5bb00b494e2c7387101ec2a6359567a5edd9ed802d4cc9c94b5383",
    ]);
  });

  it("refuses a secret of a wrong length", () => {
    expect(() => deriveDirection(new Uint8Array(31), "dialer")).toThrow(RangeError);
  });

  it("lets a reader find what a writer signs", () => {
    const { seed, chain } = deriveDirection(secret, "dialer");
    const frameId = chain.frameId(utf8("data"));
    const signer = BlindedSigner.of(seed, frameId);
    expect(blindPublicKey(rootPublicKey(seed), frameId)).toEqual(signer.address);
    const message = utf8("a cell");
    expect(crypto().ed25519Verify(signer.address, message, signer.sign(message))).toBe(true);
  });

  it("signs each message for itself, whatever it has signed before", () => {
    const { seed, chain } = deriveDirection(secret, "dialer");
    const signer = BlindedSigner.of(seed, chain.frameId(utf8("data")));
    const [one, other] = [utf8("a cell"), utf8("another")];
    const signature = signer.sign(one);
    signer.sign(one).fill(0);
    expect(signer.sign(one)).toEqual(signature);
    expect(crypto().ed25519Verify(signer.address, other, signer.sign(other))).toBe(true);
    expect(signer.sign(one)).toEqual(signature);
  });
});
