import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isCulvertError } from "../../../src/base/index.ts";
import {
  Contact,
  type DhtRequest,
  type DhtResponse,
  type DhtValue,
  decodeDhtRequest,
  decodeDhtResponse,
  encodeDhtRequest,
  encodeDhtResponse,
  restoreContacts,
  saveContacts,
  VALUE_BYTES_MAX,
} from "../../../src/dht/index.ts";
import { textBytes } from "../../../src/dht/wire/key.ts";
import { contactAt, keyWith, randomContacts } from "../nodes.ts";

const KEY = textBytes(keyWith(1, 2, 3));
const NEAR = textBytes(keyWith(9, 9));
const TOKEN = new Uint8Array(16).fill(7);
const VALUE: DhtValue = { kind: "plain", ttlSeconds: 300, bytes: Uint8Array.of(1, 2, 3) };
const SENDER = Contact.of(KEY, {
  addresses: [
    { carrier: "udp", host: "192.0.2.1", port: 7000 },
    { carrier: "tcp", host: "2001:db8::1", port: 7001 },
  ],
  relays: [NEAR],
});

const REQUESTS: readonly DhtRequest[] = [
  { kind: "ping" },
  { kind: "find-node", target: KEY },
  { kind: "find-value", key: KEY, near: NEAR },
  { kind: "find-value", key: KEY, near: KEY, valueKind: "descriptor" },
  { kind: "store", key: KEY, value: VALUE, isCopy: false },
  { kind: "store", key: KEY, value: { ...VALUE, kind: "record" }, isCopy: true, token: TOKEN },
];

const RESPONSES: readonly DhtResponse[] = [
  { kind: "pong" },
  { kind: "nodes", contacts: [] },
  { kind: "nodes", contacts: [SENDER, ...randomContacts(3, 20)], token: TOKEN },
  { kind: "value", value: VALUE },
  { kind: "stored", ttlSeconds: 604_800 },
  { kind: "refused", reason: "stale" },
  { kind: "refused", reason: "token" },
];

function isRefused(read: () => unknown): boolean {
  try {
    read();
    return false;
  } catch (error) {
    if (!isCulvertError(error, "CULVERT_PROTOCOL")) throw error;
    return true;
  }
}

describe("requests", () => {
  it.each(REQUESTS)("come back as they went: $kind", (request) => {
    expect(decodeDhtRequest(encodeDhtRequest(request), KEY)).toEqual({ request });
    const withSender = encodeDhtRequest(request, SENDER);
    expect(decodeDhtRequest(withSender, KEY)).toEqual({ request, sender: SENDER });
    // Who did not prove an id cannot be asked under one.
    expect(decodeDhtRequest(withSender)).toEqual({ request });
  });

  it.each(REQUESTS)("are refused when cut at any byte, or too long: $kind", (request) => {
    const bytes = encodeDhtRequest(request, SENDER);
    const end = request.kind === "store" ? bytes.length - VALUE.bytes.length : bytes.length;
    for (let length = 0; length < end; length++) {
      expect(isRefused(() => decodeDhtRequest(bytes.subarray(0, length), KEY))).toBe(true);
    }
    if (request.kind === "store") return;
    expect(isRefused(() => decodeDhtRequest(Uint8Array.of(...bytes, 0), KEY))).toBe(true);
  });

  it("are refused when of another version, type or kind, or with unknown flags", () => {
    for (const [at, byte] of [
      [0, 2],
      [1, 0x05],
      [1, 0x81],
      [2, 2],
    ] as const) {
      const bytes = encodeDhtRequest({ kind: "find-node", target: KEY }).slice();
      bytes[at] = byte;
      expect(isRefused(() => decodeDhtRequest(bytes, KEY))).toBe(true);
    }
    const kind = encodeDhtRequest({ kind: "find-value", key: KEY, near: NEAR }).slice();
    kind[kind.length - 1] = 4;
    expect(isRefused(() => decodeDhtRequest(kind, KEY))).toBe(true);
  });

  it("carry no value that is too long", () => {
    const bytes = new Uint8Array(VALUE_BYTES_MAX + 1);
    const largest = { ...VALUE, bytes: bytes.subarray(1) };
    const request = { kind: "store", key: KEY, value: largest, isCopy: false } as const;
    const encoded = encodeDhtRequest(request);
    expect(decodeDhtRequest(encoded, KEY).request).toEqual(request);
    expect(isRefused(() => decodeDhtRequest(Uint8Array.from([...encoded, 0]), KEY))).toBe(true);
    const tooLong = { ...request, value: { ...VALUE, bytes } };
    expect(() => encodeDhtRequest(tooLong)).toThrow("a value fits");
  });
});

describe("answers", () => {
  it.each(RESPONSES)("come back as they went: $kind", (response) => {
    expect(decodeDhtResponse(encodeDhtResponse(response))).toEqual(response);
  });

  it.each(RESPONSES)("are refused when cut at any byte, or too long: $kind", (response) => {
    const bytes = encodeDhtResponse(response);
    const end = response.kind === "value" ? bytes.length - VALUE.bytes.length : bytes.length;
    for (let length = 0; length < end; length++) {
      expect(isRefused(() => decodeDhtResponse(bytes.subarray(0, length)))).toBe(true);
    }
    if (response.kind === "value") return;
    expect(isRefused(() => decodeDhtResponse(Uint8Array.of(...bytes, 0)))).toBe(true);
  });

  it("do not pass on ids that nobody has proven", () => {
    const address = { carrier: "tcp", host: "192.0.2.9", port: 7402 } as const;
    const contacts = [Contact.claimed(KEY, address), SENDER];
    const read = decodeDhtResponse(encodeDhtResponse({ kind: "nodes", contacts }));
    expect(read).toEqual({ kind: "nodes", contacts: [SENDER] });
  });

  it("are refused when a contact leads nowhere, or could be written otherwise", () => {
    const reach = (...bytes: number[]): Uint8Array => {
      return Uint8Array.of(1, 0x82, 0, 1, ...KEY, ...bytes);
    };
    const v4 = [0, 4, 192, 0, 2, 1, 27, 88];
    const mapped = [0, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 192, 0, 2, 1, 27, 88];
    expect(isRefused(() => decodeDhtResponse(reach(1, ...v4, 0)))).toBe(false);
    for (const bad of [
      [0, 0],
      [3, ...v4, ...v4, ...v4, 0],
      [1, ...mapped, 0],
      [1, 2, ...v4.slice(1), 0],
      [1, 0, 5, ...v4.slice(2), 0],
      [1, ...v4.slice(0, 6), 0, 0, 0],
      [1, ...v4, 3],
    ]) {
      expect(isRefused(() => decodeDhtResponse(reach(...bad)))).toBe(true);
    }
  });
});

describe("any bytes", () => {
  it.each([
    [
      "requests",
      0,
      REQUESTS.map((each) => encodeDhtRequest(each)),
      (bytes: Uint8Array) => decodeDhtRequest(bytes, KEY),
    ],
    ["answers", 0x80, RESPONSES.map(encodeDhtResponse), decodeDhtResponse],
  ] as const)("become %s or refusals, and both of them", (_, side, valid, decode) => {
    const outcomes = new Set<boolean>();
    const random = fc
      .tuple(fc.nat(6), fc.uint8Array({ maxLength: 200 }))
      .map(([type, tail]) => Uint8Array.of(1, type | side, ...tail));
    const altered = fc
      .tuple(fc.constantFrom(...valid), fc.nat(), fc.nat(255))
      .map(([bytes, at, value]) => bytes.with(at % bytes.length, value));
    fc.assert(
      fc.property(fc.oneof(random, altered), (bytes) => {
        outcomes.add(isRefused(() => decode(bytes)));
      }),
      { seed: 1, numRuns: 2_000 },
    );
    expect(outcomes).toEqual(new Set([true, false]));
  });
});

describe("a saved table", () => {
  it("comes back, without what was only claimed", () => {
    const contacts = randomContacts(1, 100);
    const claimed = Contact.claimed(KEY, { carrier: "tcp", host: "192.0.2.9", port: 7402 });
    expect(restoreContacts(saveContacts([...contacts, claimed]))).toEqual(contacts);
  });

  it("is refused whole when it was cut, lengthened or is of the future", () => {
    const bytes = saveContacts(randomContacts(1, 3));
    const bad = [Uint8Array.of(...bytes, 1), Uint8Array.of(2, ...bytes.subarray(1))];
    for (let length = 0; length < bytes.length; length++) bad.push(bytes.slice(0, length));
    for (const each of bad) {
      expect(() => restoreContacts(each)).toThrow(
        expect.objectContaining({ code: "CULVERT_BAD_STATE" }),
      );
    }
  });
});

describe("a contact", () => {
  it("tells what it was made of", () => {
    expect(SENDER.addresses.map(({ host }) => host)).toEqual(["192.0.2.1", "2001:db8::1"]);
    expect(SENDER.relays).toEqual([NEAR]);
    expect(SENDER.id).toEqual(KEY);
    expect(() => Contact.of(KEY, { addresses: [] })).toThrow("an address or a relay");
  });

  it("is of the network of its first address", () => {
    const network = (host: string): number => contactAt(KEY, host).network;
    expect(network("192.0.2.1")).toBe(network("192.0.2.200"));
    expect(network("192.0.2.1")).not.toBe(network("192.0.3.1"));
    expect(network("2001:db8:0:1ff::1")).toBe(network("2001:db8:0:100::9"));
    expect(network("2001:db8:0:1ff::1")).not.toBe(network("2001:db8:0:200::1"));
    expect(Contact.of(KEY, { addresses: [], relays: [NEAR] }).network).toBe(-1);
  });

  it("is of the network where it is heard, whatever it says", () => {
    const said = contactAt(KEY, "192.0.2.1");
    const heard = said.heardAt("198.51.100.7");
    expect(heard.network).toBe(contactAt(NEAR, "198.51.100.200").network);
    expect([heard.addresses, heard.equals(said)]).toEqual([said.addresses, true]);
    expect([said.isPlaced, heard.isPlaced]).toEqual([false, true]);
    expect(heard.heardAt("198.51.100.9")).toBe(heard);
    expect(said.heardAt("192.0.2.99").isPlaced).toBe(true);
  });

  it("is of what that network was given out of", () => {
    const allocation = (host: string): number => contactAt(KEY, host).allocation;
    expect(allocation("192.0.2.1")).toBe(contactAt(KEY, "192.0.2.200").network);
    expect(allocation("2400:1:2:300::1")).toBe(allocation("2400:1:ffff:400::1"));
    expect(allocation("2400:1:2:300::1")).not.toBe(allocation("2400:2:2:300::1"));
    expect(allocation("2400:1:2:300::1")).not.toBe(allocation("192.0.2.1"));
  });
});
