import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fromHex, isCulvertError, toHex, utf8 } from "../../src/base/index.ts";
import { crypto, SigningKey } from "../../src/crypto/index.ts";
import {
  DESCRIPTOR_LIMITS,
  isSameNode,
  type NodeClaims,
  NodeDescriptor,
  NodeIdentity,
  nodeIdOf,
  nodeIdText,
  verifyLabelled,
} from "../../src/identity/index.ts";

const identity = new NodeIdentity(new Uint8Array(32).fill(7));
const other = new NodeIdentity(new Uint8Array(32).fill(8));
const CLAIMS: NodeClaims = {
  sequence: 3,
  expiresAtUnixS: 1_800_000_000,
  roles: ["storage", "onion-exit"],
  geometry: { cellBytes: 2_048, onionBytes: 4_096, onionHopsMax: 5 },
  addresses: [
    { carrier: "udp", host: "192.0.2.1", port: 7_000 },
    { carrier: "tcp", host: "2001:db8::1", port: 7_001 },
  ],
  relays: [other.id],
  onionKeys: [{ epoch: 9, publicKey: new Uint8Array(32).fill(5) }],
};

const u32 = fc.integer({ min: 0, max: 0xffff_ffff });
const u48 = fc.integer({ min: 0, max: 2 ** 48 - 1 });
const bytes32 = fc.uint8Array({ minLength: 32, maxLength: 32 });
const claims: fc.Arbitrary<NodeClaims> = fc.record({
  ...{ sequence: u48, expiresAtUnixS: u48 },
  roles: fc.subarray(["storage", "link-relay", "onion-relay", "onion-exit"] as const),
  geometry: fc.record({ cellBytes: u32, onionBytes: u32, onionHopsMax: fc.nat(255) }),
  addresses: fc.array(
    fc.record({
      carrier: fc.constantFrom("udp" as const, "tcp" as const),
      host: fc.ipV4(),
      port: fc.integer({ min: 1, max: 65_535 }),
    }),
    { maxLength: DESCRIPTOR_LIMITS.addresses },
  ),
  relays: fc.array(bytes32, { maxLength: DESCRIPTOR_LIMITS.relays }),
  onionKeys: fc.array(fc.record({ epoch: u32, publicKey: bytes32 }), {
    maxLength: DESCRIPTOR_LIMITS.onionKeys,
  }),
});

function refusal(bytes: Uint8Array): string {
  try {
    NodeDescriptor.fromBytes(bytes);
    return "accepted";
  } catch (error) {
    return isCulvertError(error) ? error.code : String(error);
  }
}

/** The bytes of a descriptor whose body was bent before it was signed by its own key. */
function signedAnew(bend: (body: Uint8Array) => Uint8Array): Uint8Array {
  const whole = NodeDescriptor.sign(identity, CLAIMS).toBytes();
  const body = bend(whole.slice(0, -64));
  const signature = identity.sign("descriptor", body);
  return Uint8Array.from([...body, ...signature]);
}

describe("a node's identity", () => {
  it("is the SHA-256 of its public key", () => {
    // RFC 8032, 7.1, test 1: the key of this seed.
    const known = new NodeIdentity(
      fromHex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"),
    );
    expect(toHex(known.publicKey)).toBe(
      "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
    );
    expect(nodeIdText(known.id)).toBe(
      "21fe31dfa154a261626bf854046fd2271b7bed4b6abe45aa58877ef47f9721b9",
    );
    expect(isSameNode(known.id, nodeIdOf(known.publicKey))).toBe(true);
    expect(isSameNode(known.id, other.id)).toBe(false);
  });

  it("signs under a label: no signature is good for another purpose", () => {
    const message = utf8("m");
    const { publicKey } = identity;
    const signature = identity.sign("punch", message);
    expect(verifyLabelled("punch", { publicKey, message, signature })).toBe(true);
    expect(verifyLabelled("voucher", { publicKey, message, signature })).toBe(false);
    const key = new SigningKey(new Uint8Array(32).fill(7));
    const plain = key.sign(message);
    expect(verifyLabelled("punch", { publicKey, message, signature: plain })).toBe(false);
    const { publicKey: wrong } = other;
    expect(verifyLabelled("punch", { publicKey: wrong, message, signature })).toBe(false);
  });

  it("keeps its seed to itself", () => {
    const shown = JSON.stringify(identity) + String(identity);
    expect(shown).not.toContain("7,7,7,7");
    expect(shown).not.toContain("07070707");
    identity.exposeSeed().fill(0);
    expect(toHex(identity.exposeSeed())).toBe("07".repeat(32));
  });
});

describe("a descriptor", () => {
  it("comes back from its bytes, with the same bytes", () => {
    fc.assert(
      fc.property(claims, (given) => {
        const signed = NodeDescriptor.sign(identity, given);
        const read = NodeDescriptor.fromBytes(signed.toBytes());
        expect(read.claims).toEqual(given);
        expect(toHex(read.toBytes())).toBe(toHex(signed.toBytes()));
        expect(isSameNode(read.id, identity.id)).toBe(true);
        expect(signed.toBytes().length).toBeLessThanOrEqual(DESCRIPTOR_LIMITS.bytes);
      }),
      { numRuns: 50 },
    );
  });

  it("has room for the most that its limits allow", () => {
    const full: NodeClaims = {
      ...CLAIMS,
      addresses: Array.from({ length: DESCRIPTOR_LIMITS.addresses }, (_, i) => ({
        ...{ carrier: "udp" as const, host: `2001:db8:1:2:3:4:5:${i + 1}`, port: 1 },
      })),
      relays: Array.from({ length: DESCRIPTOR_LIMITS.relays }, () => other.id),
      onionKeys: Array.from({ length: DESCRIPTOR_LIMITS.onionKeys }, (_, epoch) => ({
        ...{ epoch, publicKey: new Uint8Array(32) },
      })),
    };
    expect(refusal(NodeDescriptor.sign(identity, full).toBytes())).toBe("accepted");
    for (const list of ["addresses", "relays", "onionKeys"] as const) {
      const more = { ...full, [list]: [...full[list], ...full[list].slice(0, 1)] };
      expect(() => NodeDescriptor.sign(identity, more)).toThrow(RangeError);
    }
  });

  it("has the bytes that docs/WIRE.md says", () => {
    const empty = { ...CLAIMS, addresses: [], relays: [], onionKeys: [] };
    const body = NodeDescriptor.sign(identity, empty).toBytes().slice(0, -64);
    const { publicKey } = identity;
    expect(toHex(body)).toBe(
      `01${toHex(publicKey)}00000000000300006b49d2000009000008000000100005000000`,
    );
  });

  it("is refused with any byte changed, cut short or longer", () => {
    const whole = NodeDescriptor.sign(identity, CLAIMS).toBytes();
    for (let at = 0; at < whole.length; at++) {
      const bent = whole.slice();
      bent[at] = (bent[at] ?? 0) ^ (1 << (at % 8));
      expect(refusal(bent), `byte ${at}`).toBe("CULVERT_PROTOCOL");
      expect(refusal(whole.slice(0, at)), `${at} bytes`).toBe("CULVERT_PROTOCOL");
    }
    expect(refusal(Uint8Array.from([...whole, 0]))).toBe("CULVERT_PROTOCOL");
    expect(refusal(new Uint8Array(DESCRIPTOR_LIMITS.bytes + 1))).toBe("CULVERT_PROTOCOL");
    expect(refusal(whole)).toBe("accepted");
  });

  it.each<[string, (body: Uint8Array) => Uint8Array]>([
    ["of another version", (body) => body.with(0, 2)],
    ["with an unknown role", (body) => body.with(45, 0x10)],
    ["with bytes behind its fields", (body) => Uint8Array.from([...body, 0])],
    ["with fewer addresses than it says", (body) => body.with(56, 9)],
    ["with an address that is none", (body) => body.with(57, 7)],
  ])("is refused %s, also when its own key signed that", (_what, bend) => {
    expect(refusal(signedAnew(bend))).toBe("CULVERT_PROTOCOL");
  });

  it("cannot be signed by anybody else, nor point at somebody else", () => {
    const whole = NodeDescriptor.sign(identity, CLAIMS).toBytes();
    const theirs = whole.slice();
    theirs.set(other.publicKey, 1);
    expect(refusal(theirs)).toBe("CULVERT_PROTOCOL");
    const forged = whole.slice();
    forged.set(other.sign("descriptor", whole.slice(0, -64)), whole.length - 64);
    expect(refusal(forged)).toBe("CULVERT_PROTOCOL");
    const elsewhere = whole.slice();
    elsewhere.set(identity.sign("punch", whole.slice(0, -64)), whole.length - 64);
    expect(refusal(elsewhere)).toBe("CULVERT_PROTOCOL");
  });

  it.each([
    ["the neutral element", `01${"00".repeat(31)}`],
    ["a point of small order", "00".repeat(32)],
    ["an encoding that is not canonical", `ee${"ff".repeat(30)}7f`],
    ["no point at all", `02${"00".repeat(31)}`],
  ])("is refused with %s for a key", (_what, hex) => {
    const whole = NodeDescriptor.sign(identity, CLAIMS).toBytes().slice();
    whole.set(fromHex(hex), 1);
    expect(crypto().ed25519IsPublicKey(fromHex(hex))).toBe(false);
    expect(refusal(whole)).toBe("CULVERT_PROTOCOL");
  });

  it("takes the place of an older one of the same node only", () => {
    const at = (sequence: number, of = identity): NodeDescriptor =>
      NodeDescriptor.sign(of, { ...CLAIMS, sequence });
    expect(at(4).supersedes(at(3))).toBe(true);
    expect(at(3).supersedes(at(3))).toBe(false);
    expect(at(2).supersedes(at(3))).toBe(false);
    expect(at(9, other).supersedes(at(3))).toBe(false);
  });

  it("expires at its second, not before", () => {
    const descriptor = NodeDescriptor.sign(identity, CLAIMS);
    expect(descriptor.isExpired(1_800_000_000_000 - 1)).toBe(false);
    expect(descriptor.isExpired(1_800_000_000_000)).toBe(true);
    expect(descriptor.has("storage")).toBe(true);
    expect(descriptor.has("link-relay")).toBe(false);
  });

  it("owns its bytes", () => {
    const given = NodeDescriptor.sign(identity, CLAIMS).toBytes().slice();
    const read = NodeDescriptor.fromBytes(given);
    const before = toHex(read.toBytes());
    given.fill(0);
    expect(toHex(read.toBytes())).toBe(before);
    expect(isSameNode(read.claims.relays[0] ?? given, other.id)).toBe(true);
  });
});
