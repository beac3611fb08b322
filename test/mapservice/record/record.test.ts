import { ed25519 } from "@noble/curves/ed25519.js";
import { describe, expect, test } from "vitest";
import { fromHex, utf8 } from "../../../src/base/index.ts";
import { SigningKey } from "../../../src/crypto/index.ts";
import {
  encodeRecord,
  isFault,
  type MapRecord,
  parseRecord,
  RECORD_HEADER_BYTES,
  SEQUENCE,
  signedBytes,
  verifyRecord,
} from "../../../src/mapservice/index.ts";
import { PAYLOAD_SIZE, recordOf, tombstoneOf } from "../fixtures.ts";

/** The eight points of small order, canonical and not, as RFC 7748's readers know them. */
const SMALL_ORDER = [
  "0100000000000000000000000000000000000000000000000000000000000000",
  "0000000000000000000000000000000000000000000000000000000000000000",
  "0000000000000000000000000000000000000000000000000000000000000080",
  "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
  "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
  "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
  "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
  "0100000000000000000000000000000000000000000000000000000000000080",
  "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
];

const ORDER = ed25519.Point.Fn.ORDER;

describe("the layout", () => {
  test("is address, signature, sequence, time to live, payload", () => {
    const record: MapRecord = {
      address: new Uint8Array(32).fill(1),
      signature: new Uint8Array(64).fill(2),
      seq: SEQUENCE.cell,
      ttlSeconds: 0x01020304,
      payload: new Uint8Array(PAYLOAD_SIZE).fill(3),
    };
    const bytes = encodeRecord(record);
    expect(bytes.length).toBe(RECORD_HEADER_BYTES + PAYLOAD_SIZE);
    expect([...bytes.subarray(96, 101)]).toEqual([1, 1, 2, 3, 4]);
    expect(parseRecord(bytes, PAYLOAD_SIZE)).toEqual(record);
  });

  test("has room for nothing but a cell of the network's size, or a tombstone", () => {
    const cell = encodeRecord(recordOf(1));
    const end = encodeRecord(tombstoneOf(1));
    expect(isFault(parseRecord(cell, PAYLOAD_SIZE))).toBe(false);
    expect(isFault(parseRecord(end, PAYLOAD_SIZE))).toBe(false);
    expect(parseRecord(cell, PAYLOAD_SIZE + 1)).toBe("size");
    expect(parseRecord(cell, PAYLOAD_SIZE - 1)).toBe("size");
    expect(parseRecord(new Uint8Array([...end, 0]), PAYLOAD_SIZE)).toBe("size");
    for (let length = 0; length < cell.length; length++) {
      expect(parseRecord(cell.subarray(0, length), PAYLOAD_SIZE), `${length} bytes`).toBe("size");
    }
  });

  test("knows two sequences", () => {
    const bytes = encodeRecord(recordOf(1));
    for (const seq of [0, 3, 255]) {
      bytes[96] = seq;
      expect(parseRecord(bytes, PAYLOAD_SIZE)).toBe("sequence");
    }
  });
});

describe("the signature", () => {
  test("covers the canonical bytes of BEP 44", () => {
    expect(signedBytes(1, utf8("Hello World!"))).toEqual(utf8("3:seqi1e1:v12:Hello World!"));
    expect(signedBytes(2, new Uint8Array(0))).toEqual(utf8("3:seqi2e1:v0:"));
  });

  test("is an ordinary one: BEP 44's own key and bytes verify", () => {
    const address = fromHex("77ff84905a91936367c01360803104f92432fcd904a43511876df5cdf3e7e548");
    const signature = fromHex(
      "305ac8aeb6c9c151fa120f120ea2cfb923564e11552d06a5d856091e5e853cff" +
        "1260d3f39e4999684aa92eb73ffd136e6f4f3ecbfda0ce53a1608ecd7ae21f01",
    );
    // The item of BEP 44's first test vector is the bencoded string; we carry the string itself.
    const record: MapRecord = {
      address,
      signature,
      seq: SEQUENCE.cell,
      ttlSeconds: 1,
      payload: utf8("Hello World!"),
    };
    expect(verifyRecord(record)).toBe(true);
    expect(verifyRecord({ ...record, seq: SEQUENCE.tombstone })).toBe(false);
  });

  test("holds for a genuine record, and for no other bit of it", () => {
    const record = recordOf(1);
    expect(verifyRecord(record)).toBe(true);
    for (const field of ["address", "signature", "payload"] as const) {
      for (const at of [0, 5, record[field].length - 1]) {
        const bent = record[field].slice();
        bent[at] = (bent[at] ?? 0) ^ 4;
        expect(verifyRecord({ ...record, [field]: bent }), `${field} ${at}`).toBe(false);
      }
    }
    expect(verifyRecord({ ...record, seq: SEQUENCE.tombstone })).toBe(false);
  });

  test("does not cover the time to live: who carries a record may ask again", () => {
    expect(verifyRecord({ ...recordOf(1), ttlSeconds: 5 })).toBe(true);
  });

  test("under a point of small order, or none, is worth nothing", () => {
    const payload = new Uint8Array(PAYLOAD_SIZE);
    const notAPoint = new Uint8Array(32).fill(0xff, 0, 31);
    notAPoint[0] = 2;
    notAPoint.fill(0, 1);
    for (const address of [...SMALL_ORDER.map(fromHex), notAPoint, new Uint8Array(32).fill(255)]) {
      // R = the identity, S = 0: what a lenient verifier takes under a key of small order.
      for (const r of SMALL_ORDER) {
        const signature = new Uint8Array(64);
        signature.set(fromHex(r));
        const record = { address, signature, seq: SEQUENCE.cell, ttlSeconds: 1, payload };
        expect(verifyRecord(record)).toBe(false);
      }
    }
  });

  test("has one form: S + L is refused", () => {
    const record = recordOf(3);
    const s = [...record.signature.subarray(32)].reduceRight(
      (sum, b) => sum * 256n + BigInt(b),
      0n,
    );
    const signature = record.signature.slice();
    for (let i = 0, rest = s + ORDER; i < 32; i++, rest >>= 8n) {
      signature[32 + i] = Number(rest & 255n);
    }
    expect(verifyRecord({ ...record, signature })).toBe(false);
  });

  test("under a key with a component of small order is refused, or is the only one", () => {
    const key = new SigningKey(new Uint8Array(32).fill(9));
    const torsion = ed25519.Point.fromHex(SMALL_ORDER[4] ?? "");
    const mixed = ed25519.Point.fromBytes(key.publicKey).add(torsion).toBytes();
    const payload = new Uint8Array(PAYLOAD_SIZE);
    const signature = key.sign(signedBytes(SEQUENCE.cell, payload));
    const record = { address: mixed, signature, seq: SEQUENCE.cell, ttlSeconds: 1, payload };
    expect(verifyRecord(record)).toBe(false);
  });
});
