import {
  addressScope,
  Directory,
  formatIp,
  formatNodeAddress,
  formatNodeContact,
  NodeDescriptor,
  NodeIdentity,
  nodeIdOf,
  parseNodeAddress,
  parseNodeContact,
  verifyLabelled,
} from "culvert/identity";
import { describe, expect, it } from "vitest";

/** What a program without types may give where something else is wanted. */
const ODD: readonly unknown[] = [undefined, null, 0, "x", {}, [], () => {}, Symbol("s"), 1n, true];
const given = <T>(value: unknown): T => value as T;

/** Each is refused as a programmer's mistake, in words that name it. */
function expectRefused(values: readonly unknown[], says: string, call: (value: never) => unknown) {
  for (const value of values) {
    expect(() => call(given<never>(value)), String(value)).toThrow(says);
  }
}

const identity = new NodeIdentity(new Uint8Array(32).fill(1));
const claims = {
  sequence: 1,
  expiresAtUnixS: 2_000_000_000,
  roles: ["storage"],
  geometry: { cellBytes: 1_024, onionBytes: 2_048, onionHopsMax: 5 },
  addresses: [{ carrier: "udp", host: "192.0.2.1", port: 7_000 }],
  relays: [nodeIdOf(Uint8Array.of(1))],
  onionKeys: [{ epoch: 1, publicKey: new Uint8Array(32) }],
} as const;

describe("an identity", () => {
  it("is made of a seed, and of nothing that has its length", () => {
    expectRefused([...ODD, new Float64Array(32), Array(32).fill(1)], "seed must be", (it) => {
      return new NodeIdentity(it);
    });
    expectRefused([new Uint8Array(31), new Uint8Array(33)], "seed has 32 bytes, not", (it) => {
      return new NodeIdentity(it);
    });
  });

  it("signs bytes, for a purpose that there is", () => {
    expectRefused(ODD, "label must be", (it) => identity.sign(it, new Uint8Array(1)));
    expectRefused(ODD, "message must be a Uint8Array", (it) => identity.sign("punch", it));
    const message = new Uint8Array(1);
    const { publicKey } = identity;
    const signed = { publicKey, message, signature: identity.sign("punch", message) };
    expect(verifyLabelled("punch", signed)).toBe(true);
    expectRefused(ODD, "must be", (it) => verifyLabelled("punch", it));
    for (const name of Object.keys(signed)) {
      const says = `${name} must be a Uint8Array`;
      expectRefused(ODD, says, (it) => verifyLabelled("punch", { ...signed, [name]: it }));
    }
  });
});

describe("a descriptor", () => {
  it("is not signed when nobody would take it", () => {
    const sign = (changed: object) => NodeDescriptor.sign(identity, { ...claims, ...changed });
    expectRefused(ODD, "identity must be", (it) => NodeDescriptor.sign(it, claims));
    expectRefused([undefined, null, 0], "claims must be an object", (it) => {
      return NodeDescriptor.sign(identity, it);
    });
    for (const list of ["roles", "addresses", "relays", "onionKeys"]) {
      const odd = ODD.filter((value) => !Array.isArray(value));
      expectRefused(odd, `${list} must be an array`, (it) => sign({ [list]: it }));
      expectRefused(ODD, "must be", (it) => sign({ [list]: [it] }));
    }
    for (const number of ["sequence", "expiresAtUnixS"]) {
      const odd = [...ODD.filter((value) => value !== 0), -1, 1.5, Number.NaN, 2 ** 48];
      expectRefused(odd, `${number} must be a whole number`, (it) => sign({ [number]: it }));
    }
    const [address] = claims.addresses;
    const at = (changed: object) => sign({ addresses: [{ ...address, ...changed }] });
    expectRefused(ODD, "carrier must be", (it) => at({ carrier: it }));
    expectRefused(ODD, "host must be", (it) => at({ host: it }));
    expectRefused([...ODD, 65_536, 1.5], "port must be a whole number", (it) => at({ port: it }));
    // Each of these was signed, and refused by every reader.
    for (const relay of [new Uint8Array(3), new Uint8Array(33)]) {
      expect(() => sign({ relays: [relay] })).toThrow("the id of a relay has 32 bytes");
    }
    expect(() => sign({ onionKeys: [{ epoch: 1, publicKey: new Uint8Array(3) }] })).toThrow(
      "the publicKey of an onion key has 32 bytes",
    );
  });

  it("is read from bytes, and is of one time", () => {
    expectRefused(ODD, "bytes must be a Uint8Array", (it) => NodeDescriptor.fromBytes(it));
    const descriptor = NodeDescriptor.sign(identity, claims);
    const times = [undefined, null, Number.NaN, "x", -1];
    expectRefused(times, "unixMs must be", (it) => descriptor.isExpired(it));
    expectRefused(ODD, "must be", (it) => descriptor.supersedes(it));
  });
});

it("a directory has a clock, a size, and descriptors alone", async () => {
  const unixMs = () => 0;
  expectRefused([undefined, null, 0], "options must be an object", (it) => new Directory(it));
  const odd = ODD.filter((value) => typeof value !== "function");
  expectRefused(odd, "unixMs must be a function", (it) => new Directory({ unixMs: it }));
  expectRefused(
    [null, "x", 0, -1, Number.NaN],
    "nodesMax must be a positive number",
    (nodesMax) => new Directory({ unixMs, nodesMax }),
  );
  const directory = new Directory({ unixMs });
  expectRefused(ODD, "descriptor must be a NodeDescriptor", (it) => directory.add(it));
  expectRefused(ODD, "id must be a Uint8Array", (it) => directory.find(it));
  await expect(directory.lookup(given("x"))).rejects.toThrow("id must be a Uint8Array");
  await expect(directory.discover(given("x"))).rejects.toThrow("count must be a number");
});

it("addresses are texts, and what is written of them can be read again", () => {
  const odd = ODD.filter((value) => typeof value !== "string");
  for (const read of [addressScope, parseNodeAddress]) {
    expectRefused(odd, "an address must be a text", (it) => read(it));
  }
  expectRefused(odd, "a node must be a text", (it) => parseNodeContact(it));
  expectRefused(ODD, "ip must be a Uint8Array", (it) => formatIp(it));
  expect(() => formatIp(new Uint8Array(5))).toThrow("ip has 16 bytes, not 5");
  expectRefused(ODD, "must be", (it) => formatNodeAddress(it));
  expectRefused(ODD, "must be", (it) => formatNodeContact(it));
});
