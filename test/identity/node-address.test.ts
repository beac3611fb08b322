import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fromHex, toHex } from "../../src/base/index.ts";
import { Reader, Writer } from "../../src/codec/index.ts";
import {
  addressPrefix,
  formatIp,
  formatNodeAddress,
  NODE_ADDRESS_BYTES_MAX,
  type NodeAddress,
  parseIp,
  parseNodeAddress,
  readNodeAddress,
  writeNodeAddress,
} from "../../src/identity/index.ts";

const v4 = fc.ipV4();
const v6Bytes = fc.uint8Array({ minLength: 16, maxLength: 16 });

describe("an IP address", () => {
  it.each([
    ["192.0.2.1", "192.0.2.1"],
    ["0.0.0.0", "0.0.0.0"],
    ["255.255.255.255", "255.255.255.255"],
    ["::", "::"],
    ["::1", "::1"],
    ["2001:DB8:0:0:0:0:0:1", "2001:db8::1"],
    ["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
    ["2001:0:0:1:0:0:0:1", "2001:0:0:1::1"],
    ["2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
    ["fe80::", "fe80::"],
    ["1::", "1::"],
    ["64:ff9b::192.0.2.33", "64:ff9b::c000:221"],
    ["::ffff:192.0.2.1", "192.0.2.1"],
    ["::ffff:c000:0201", "192.0.2.1"],
  ])("%s is %s in its shortest form (RFC 5952)", (text, shortest) => {
    const ip = parseIp(text);
    expect(ip && formatIp(ip)).toBe(shortest);
  });

  it.each([
    ...["", "1", "1.2.3", "1.2.3.4.5", "01.2.3.4", "256.1.1.1", "1.2.3.-4", "1.2.3.4 ", "a.b.c.d"],
    ...[":", ":::", "1:2", "1:2:3:4:5:6:7:8:9", "1::2::3", "12345::", "g::", "::1%eth0", "[::1]"],
    ...["1:2:3:4:5:6:7:1.2.3.4", "::1.2.3", "1.2.3.4::", "1:2:3:4:5:6:7::8", "::1.2.3.04"],
    ...["1:2:3:4:5:6:7:8::", "::1:", "1:", ":1"],
  ])("%j is none", (text) => {
    expect(parseIp(text)).toBeUndefined();
  });

  it("comes back from its text", () => {
    fc.assert(
      fc.property(v4, (text) => {
        const ip = parseIp(text);
        expect(ip && formatIp(ip)).toBe(text);
      }),
    );
    fc.assert(
      fc.property(v6Bytes, (bytes) => {
        const isMapped = toHex(bytes.subarray(0, 12)) === `${"00".repeat(10)}ffff`;
        const expected = isMapped ? bytes.subarray(12) : bytes;
        expect(toHex(parseIp(formatIp(bytes)) ?? new Uint8Array(0))).toBe(toHex(expected));
      }),
    );
  });

  it("is refused or read, whatever the text", () => {
    const alphabet = fc.constantFrom(..."0123456789abcf:.%");
    fc.assert(
      fc.property(fc.string({ unit: alphabet, maxLength: 45 }), (text) => {
        const ip = parseIp(text);
        if (ip !== undefined) expect(parseIp(formatIp(ip))).toEqual(ip);
      }),
      { numRuns: 3_000 },
    );
  });
});

describe("a node's address", () => {
  it.each([
    ["udp://192.0.2.1:7000", "udp://192.0.2.1:7000"],
    ["tcp://[2001:db8:0::1]:1", "tcp://[2001:db8::1]:1"],
    ["tcp://[::1]:65535", "tcp://[::1]:65535"],
  ])("%s is %s", (text, canonical) => {
    expect(formatNodeAddress(parseNodeAddress(text))).toBe(canonical);
  });

  it.each([
    ...["", "192.0.2.1:7000", "udp://192.0.2.1", "udp://192.0.2.1:0", "udp://192.0.2.1:65536"],
    ...["udp://localhost:1", "http://1.2.3.4:1", "udp://2001:db8::1:1", "udp://[1.2.3.4]:1"],
    ...["udp://[::1:1", "UDP://1.2.3.4:1", "udp://1.2.3.4:1/", " udp://1.2.3.4:1"],
    ...["udp://[::ffff:1.2.3.4]:1"],
  ])("%j is none", (text) => {
    expect(() => parseNodeAddress(text)).toThrow(
      expect.objectContaining({ code: "CULVERT_USAGE" }),
    );
  });

  const addresses: fc.Arbitrary<NodeAddress> = fc.record({
    carrier: fc.constantFrom("udp", "tcp"),
    host: fc.oneof(v4, v6Bytes.map(formatIp)).map((text) => formatIp(parseIp(text) ?? text2ip)),
    port: fc.integer({ min: 1, max: 65_535 }),
  });

  it("comes back from its text and its bytes", () => {
    fc.assert(
      fc.property(addresses, (address) => {
        expect(parseNodeAddress(formatNodeAddress(address))).toEqual(address);
        const writer = new Writer();
        writeNodeAddress(writer, address);
        const bytes = writer.finish();
        expect(bytes.length).toBeLessThanOrEqual(NODE_ADDRESS_BYTES_MAX);
        expect(readNodeAddress(new Reader(bytes))).toEqual(address);
      }),
    );
  });

  it.each([
    ["an unknown carrier", "0204c00002011b58"],
    ["an unknown family", "0005c00002011b58"],
    ["a port of zero", "0004c00002010000"],
    ["an end in the middle", "0004c000"],
    ["an IPv4 address in IPv6 clothes", `0006${"00".repeat(10)}ffffc00002011b58`],
  ])("is refused as bytes with %s", (_what, hex) => {
    expect(() => readNodeAddress(new Reader(fromHex(hex)))).toThrow(
      expect.objectContaining({ code: "CULVERT_PROTOCOL" }),
    );
  });

  it("has the bytes that docs/WIRE.md says", () => {
    const writer = new Writer();
    writeNodeAddress(writer, parseNodeAddress("tcp://192.0.2.1:7000"));
    expect(toHex(writer.finish())).toBe("0104c00002011b58");
  });

  it.each([
    ["192.0.2.77", "192.0.2.0/24"],
    ["2001:db8:aaaa:bbcc:1:2:3:4", "2001:db8:aaaa:bb00::/56"],
  ])("%s is in the network %s", (host, prefix) => {
    expect(addressPrefix(host)).toBe(prefix);
  });
});

const text2ip = Uint8Array.of(0, 0, 0, 0);
