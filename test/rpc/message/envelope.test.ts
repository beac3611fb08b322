import { encode } from "cbor-x";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { concatBytes, fromHex, isCulvertError, toHex } from "../../../src/base/index.ts";
import {
  decodeEnvelope,
  type Envelope,
  encodeEnvelope,
  isTypeName,
  META_BYTES_MAX,
  NONCE_BYTES,
  REFERENCE_BYTES,
  referenceOf,
  SESSION_BYTES,
  SETTLED_NUMBERS_MAX,
} from "../../../src/rpc/message/envelope.ts";

const BODY_MAX = 4_096;
const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const anyBytes = fc.uint8Array({ maxLength: 300 });
const number = fc.integer({ min: 1, max: 2 ** 48 - 1 });
const type = fc.stringMatching(/^[a-z][a-zA-Z0-9]{0,10}(\.[a-z]{1,10})?$/);
const nonce = bytes(NONCE_BYTES);
const reference = bytes(REFERENCE_BYTES);
const session = bytes(SESSION_BYTES);

const envelopes: fc.Arbitrary<Envelope> = fc.oneof(
  fc.record({ kind: fc.constant("hello" as const), nonce }),
  fc.record({ kind: fc.constant("session" as const), nonce, reference, session }),
  fc
    .record({
      ...{ kind: fc.constant("request" as const), nonce, session, number, type },
      ...{ floor: number, hardMs: fc.nat(3_600_000), meta: anyBytes, body: anyBytes },
    })
    .map((request) => ({ ...request, floor: Math.min(request.floor, request.number) })),
  fc.record({
    ...{ kind: fc.constant("reply" as const), nonce, reference, type },
    ...{ isFailure: fc.boolean(), body: anyBytes },
  }),
  fc.record({ kind: fc.constant("lost" as const), nonce, reference }),
  fc.record({
    ...{ kind: fc.constant("settled" as const), nonce, session, floor: number },
    numbers: fc.array(number, { maxLength: SETTLED_NUMBERS_MAX }),
  }),
);

function refusal(message: Uint8Array): string {
  try {
    decodeEnvelope(message, BODY_MAX);
    return "accepted";
  } catch (error) {
    return isCulvertError(error) ? error.code : String(error);
  }
}

describe("an envelope", () => {
  it("comes back as it was written", () => {
    fc.assert(
      fc.property(envelopes, (envelope) => {
        expect(decodeEnvelope(encodeEnvelope(envelope), BODY_MAX)).toEqual(envelope);
      }),
    );
  });

  it("is accepted in no other form: whatever is read writes the same bytes again", () => {
    const damages = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 3 });
    fc.assert(
      fc.property(envelopes, damages, fc.integer({ min: -3, max: 3 }), (envelope, damage, cut) => {
        let message = encodeEnvelope(envelope);
        for (const [at, byte] of damage) message[at % message.length] = byte;
        if (cut < 0) message = message.slice(0, cut);
        if (cut > 0) message = concatBytes(message, new Uint8Array(cut));
        let read: Envelope;
        try {
          read = decodeEnvelope(message, BODY_MAX);
        } catch (error) {
          expect(isCulvertError(error, "CULVERT_PROTOCOL")).toBe(true);
          return;
        }
        expect(toHex(encodeEnvelope(read))).toBe(toHex(message));
      }),
      { numRuns: 2_000 },
    );
  });

  it("has the bytes that docs/WIRE.md says", () => {
    const hello = encodeEnvelope({ kind: "hello", nonce: new Uint8Array(32).fill(0xaa) });
    expect(toHex(hello)).toBe(`8301015820${"aa".repeat(32)}`);
    const request = encodeEnvelope({
      ...{
        kind: "request",
        nonce: new Uint8Array(32).fill(1),
        session: new Uint8Array(16).fill(2),
      },
      ...{ number: 24, floor: 3, hardMs: 30_000, type: "a.b" },
      ...{ meta: new Uint8Array(0), body: Uint8Array.of(9) },
    });
    const head = `8a01035820${"01".repeat(32)}50${"02".repeat(16)}`;
    expect(toHex(request)).toBe(`${head}18180319753063612e62404109`);
    expect(toHex(referenceOf(request))).toBe(
      "7a0ef34789fc8990ee6c3d47cf93b7d816b2db735ffdb750d1e2f96fd777bbd9",
    );
  });

  const hello = `8301015820${"aa".repeat(32)}`;
  it.each([
    ["an array of indefinite length", `9f01015820${"aa".repeat(32)}ff`],
    ["a version in two bytes", `831801015820${"aa".repeat(32)}`],
    ["a nonce with a longer head than it needs", `830101590020${"aa".repeat(32)}`],
    ["a nonce in pieces", `8301015f5820${"aa".repeat(32)}ff`],
    ["a nonce that is too short", `830101581f${"aa".repeat(31)}`],
    ["a nonce that is text", `8301017820${"61".repeat(32)}`],
    ["an item too many", `8401015820${"aa".repeat(32)}00`],
    ["an item too few", "820101"],
    ["another version", `8302015820${"aa".repeat(32)}`],
    ["an unknown kind", `8301075820${"aa".repeat(32)}`],
    ["a kind that is a float", `8301fb3ff00000000000005820${"aa".repeat(32)}`],
    ["a tag around it", `c1${hello}`],
    ["bytes behind it", `${hello}00`],
    ["nothing", ""],
    ["a map", "a0"],
    ["a number", "01"],
  ])("is refused: %s", (_what, hex) => {
    expect(refusal(fromHex(hex))).toBe("CULVERT_PROTOCOL");
  });

  it("is accepted as the control of the list above", () => {
    expect(refusal(fromHex(hello))).toBe("accepted");
  });

  const request = {
    ...{ nonce: new Uint8Array(32), session: new Uint8Array(16), number: 5, floor: 5 },
    ...{ hardMs: 1, type: "a", meta: new Uint8Array(0), body: new Uint8Array(0) },
  };
  it.each<[string, Record<string, unknown>]>([
    ["a number of zero", { number: 0, floor: 0 }],
    ["a floor above the number", { floor: 6 }],
    ["a number beyond 48 bits", { number: 2 ** 48 }],
    ["a negative life", { hardMs: -1 }],
    ["a type that is no name", { type: "../x" }],
    ["an empty type", { type: "" }],
    ["a type that is too long", { type: "a".repeat(65) }],
    ["meta that is too long", { meta: new Uint8Array(META_BYTES_MAX + 1) }],
    ["a session of another length", { session: new Uint8Array(15) }],
    ["a body that is text", { body: "text" }],
    ["more than a message may have", { body: new Uint8Array(2 * BODY_MAX) }],
  ])("of a request is refused: %s", (_what, bend) => {
    const bent = { ...request, ...bend };
    const { nonce: n, session: s, number: i, floor, hardMs, type: t, meta, body } = bent;
    const message = encode([1, 3, n, s, i, floor, hardMs, t, meta, body].map(plain));
    expect(refusal(new Uint8Array(message))).toBe("CULVERT_PROTOCOL");
  });

  it("has one reference for each bytes, under a label of its own", () => {
    fc.assert(
      fc.property(anyBytes, anyBytes, (a, b) => {
        expect(toHex(referenceOf(a)) === toHex(referenceOf(b))).toBe(toHex(a) === toHex(b));
      }),
    );
  });
});

describe("a type's name", () => {
  it.each(["a", "map.put", "find-node", "x.y-z.A1"])("may be %s", (name) => {
    expect(isTypeName(name)).toBe(true);
  });
  it.each(["", "A", "1a", "a.", "a..b", "-a", "a b", "a/b", "ä", "a\n"])(
    "may not be %j",
    (name) => {
      expect(isTypeName(name)).toBe(false);
    },
  );
  it("is judged in no time, whatever it is", () => {
    expect(isTypeName(`${"a".repeat(63)}!`)).toBe(false);
  });
});

/** cbor-x writes typed arrays with a tag, and buffers without. */
function plain(value: unknown): unknown {
  return value instanceof Uint8Array ? Buffer.from(value) : value;
}
