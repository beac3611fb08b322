import { describe, expect, it, test, vi } from "vitest";
import { concatBytes, isCulvertError, toHex } from "../../src/base/index.ts";
import {
  encodeApiReply,
  encodeApiRequest,
  encodeOnionNotice,
  encodeRpsPeer,
  FINAL,
  MIDTERM,
  readApiRequest,
  readOnionRequest,
  readRpsPeer,
} from "../../src/voidphone/index.ts";
import { encodeMessage, MessageBuffer } from "../../src/voidphone/message.ts";
import { FORMATS, vectorsOf } from "./formats.ts";
import { patched, resized, VECTORS, vector } from "./vectors.ts";

/** Whether the message is taken; anything but our own refusal is a defect and thrown on. */
function isTaken(read: (message: Uint8Array) => unknown, message: Uint8Array): boolean {
  try {
    read(message);
    return true;
  } catch (error) {
    if (!isCulvertError(error, "CULVERT_PROTOCOL")) throw error;
    return false;
  }
}

/** The messages that come out of a buffer when the bytes come in pieces of this length. */
function cut(bytes: Uint8Array, pieceBytes: number): string[] {
  const buffer = new MessageBuffer();
  const messages: string[] = [];
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    buffer.push(bytes.slice(at, at + pieceBytes));
    for (let next = buffer.take(); next !== undefined; next = buffer.take()) {
      messages.push(toHex(next));
    }
  }
  expect(buffer.length).toBe(0);
  return messages;
}

describe.each(FORMATS)("$name", (format) => {
  const messages = vectorsOf(format);

  it("are written as they were recorded, byte for byte", () => {
    for (const message of messages) expect(toHex(format.again(message))).toBe(toHex(message));
  });

  it("are found in a stream that comes whole, in pieces and byte by byte", () => {
    const all = concatBytes(...messages, ...messages);
    const expected = [...messages, ...messages].map(toHex);
    for (const pieceBytes of [all.length, 1, 2, 3, 7, 37]) {
      expect(cut(all, pieceBytes)).toEqual(expected);
    }
  });

  it("are refused when they are cut, with the size of what is left or of what was", () => {
    for (const message of messages) {
      for (let length = 4; length < message.length; length++) {
        const isWhole = isTaken(format.again, resized(message, length));
        // What has no fixed end may be shorter, down to its last byte.
        if (isWhole) expect(toHex(format.again(resized(message, length)))).not.toBe(toHex(message));
        expect(isTaken(format.again, message.subarray(0, length))).toBe(false);
      }
    }
  });

  it("are refused under every type that is none of theirs", () => {
    const [message = new Uint8Array()] = messages;
    for (let type = 0; type < 1_000; type++) {
      if (format.types.includes(type)) continue;
      expect(isTaken(format.again, patched(message, 2, type >> 8, type & 255))).toBe(false);
    }
  });
});

test("every recorded message belongs to a format", () => {
  const known = FORMATS.flatMap(vectorsOf).map(toHex);
  const strangers = VECTORS.filter(({ bytes }) => !known.includes(toHex(bytes)));
  expect(strangers.map(({ name }) => name)).toEqual([
    "RPS_PEER 541 prefix (SPKI key, 2 portmap entries)",
    "ONION_TUNNEL_BUILD 560 prefix (SPKI key 550 B)",
  ]);
});

describe("fields", () => {
  it("mean what was recorded beside them", () => {
    expect(readApiRequest(vector("DHT_PUT").bytes)).toMatchObject({
      kind: "put",
      ttlSeconds: 600,
      replication: 20,
      value: new TextEncoder().encode("hello voidphone"),
    });
    const { nodeId, rpcId, nodes } = vector("RPC_FIND_NODE_REPLY").fields;
    const reply = FINAL.readReply(vector("RPC_FIND_NODE_REPLY").bytes);
    if (reply.kind !== "nodes") throw new Error(reply.kind);
    expect({ nodeId, rpcId }).toEqual({
      nodeId: toHex(reply.sender?.id ?? new Uint8Array()),
      rpcId: toHex(reply.rpcId),
    });
    expect(reply.contacts.map(({ host, port, id }) => ({ ip: host, port, id: toHex(id) }))).toEqual(
      nodes,
    );
    expect(MIDTERM.readReply(vector("MIDTERM 672").bytes)).toMatchObject({
      contacts: [{ host: "127.0.0.1", port: 7402 }],
    });
    expect(readOnionRequest(vector("ONION_TUNNEL_BUILD 560").bytes)).toMatchObject({
      kind: "build",
      target: { host: "127.0.0.1", port: 65_508 },
    });
    expect(readRpsPeer(vector("RPS_PEER 541").bytes)).toMatchObject({
      host: "127.0.0.1",
      port: 0,
      portMappings: [{ app: 560, port: 65_505 }],
    });
  });

  it("are found behind the heads that others wrote, with two port mappings and an SPKI key", () => {
    const peer = vector("RPS_PEER 541 prefix").bytes;
    expect(readRpsPeer(resized(peer, 570))).toMatchObject({
      host: "127.0.0.1",
      port: 6_001,
      portMappings: [
        { app: 560, port: 6_302 },
        { app: 650, port: 7_402 },
      ],
    });
    const build = vector("ONION_TUNNEL_BUILD 560 prefix").bytes;
    const request = readOnionRequest(resized(build, 562));
    if (request.kind !== "build") throw new Error(request.kind);
    expect(request.target.hostKey.length).toBe(550);
  });

  it("that are reserved are not looked at", () => {
    expect(isTaken(readApiRequest, patched(vector("DHT_PUT").bytes, 7, 9))).toBe(true);
    const build = vector("ONION_TUNNEL_BUILD 560").bytes;
    expect(readOnionRequest(patched(build, 4, 0xff, 0xfe))).toMatchObject({
      target: { host: "127.0.0.1" },
    });
  });

  it("of IPv6 are taken where the protocol has them, IPv4 comes out of a mapped one", () => {
    const rpcId = new Uint8Array(32);
    const sender = { id: new Uint8Array(32), port: 1 };
    const contacts = [
      { id: new Uint8Array(32), host: "192.0.2.7", port: 1 },
      { id: new Uint8Array(32), host: "2001:db8::7", port: 65_535 },
    ];
    const final = FINAL.encodeReply({ kind: "nodes", rpcId, sender, contacts });
    expect(FINAL.readReply(final)).toMatchObject({ contacts });
    expect(contacts.map(MIDTERM.canName)).toEqual([true, false]);
    expect(contacts.map(FINAL.canName)).toEqual([true, true]);
    const peer = { ...contacts[1], portMappings: [], hostKey: rpcId };
    expect(readRpsPeer(encodeRpsPeer({ host: "2001:db8::7", port: 9, ...peer }))).toMatchObject({
      host: "2001:db8::7",
    });
  });
});

describe("a buffer", () => {
  it("takes a message byte by byte, without copying all of it each time", () => {
    const message = encodeMessage(650, (writer) => writer.bytes(new Uint8Array(60_000).fill(7)));
    const buffer = new MessageBuffer();
    let copied = 0;
    const set = vi.spyOn(Uint8Array.prototype, "set").mockImplementation(function (
      this: Uint8Array,
      from: ArrayLike<number>,
      at = 0,
    ) {
      copied += from.length;
      for (let i = 0; i < from.length; i++) this[at + i] = from[i] ?? 0;
    });
    let taken: Uint8Array | undefined;
    for (const byte of message) {
      buffer.push(Uint8Array.of(byte));
      taken ??= buffer.take();
    }
    set.mockRestore();
    expect(taken).toEqual(message);
    expect(copied).toBeLessThan(4 * message.length);
  });
});

describe("must fail", () => {
  const zeros = (type: number, length: number): Uint8Array =>
    resized(patched(new Uint8Array(4), 2, type >> 8, type & 255), length);

  test.each<[string, (message: Uint8Array) => unknown, Uint8Array]>([
    ["a put of an empty value", readApiRequest, zeros(650, 40)],
    ["a get of 35 bytes", readApiRequest, zeros(651, 35)],
    ["a get of 37 bytes", readApiRequest, zeros(651, 37)],
    ["a midterm store of an empty value", MIDTERM.readRequest, zeros(661, 72)],
    ["a final store of an empty value", FINAL.readRequest, zeros(661, 104)],
    ["a midterm ping with trailing bytes", MIDTERM.readRequest, zeros(660, 37)],
    ["a final ping with trailing bytes", FINAL.readRequest, zeros(660, 71)],
    ["a final ping without its header", FINAL.readRequest, zeros(660, 36)],
    ["a midterm value that is empty", MIDTERM.readReply, zeros(673, 68)],
    ["a final value that is empty", FINAL.readReply, zeros(673, 102)],
    ["a store answer in the final dialect", FINAL.readReply, zeros(671, 200)],
    ["a list of 21 contacts", MIDTERM.readReply, zeros(672, 36 + 21 * 38)],
    ["a list of 21 contacts with IPv6", FINAL.readReply, zeros(672, 70 + 21 * 50)],
    ["a contact that is cut off", MIDTERM.readReply, zeros(672, 36 + 37)],
    ["an error of an unknown number", MIDTERM.readReply, zeros(680, 6)],
    ["an error with an RPC id", MIDTERM.readReply, zeros(680, 38)],
    ["a build without a host key", readOnionRequest, zeros(560, 12)],
    ["a destroy of two tunnels", readOnionRequest, zeros(563, 12)],
    ["a cover with trailing bytes", readOnionRequest, zeros(566, 9)],
    ["a peer without a host key", readRpsPeer, zeros(541, 12)],
    ["a peer whose port mappings are cut off", readRpsPeer, patched(zeros(541, 200), 6, 255)],
  ])("%s", (_name, read, message) => {
    expect(isTaken(read, message)).toBe(false);
  });

  it("a size below that of a header, wherever it comes", () => {
    for (const size of [0, 1, 2, 3]) {
      const buffer = new MessageBuffer();
      buffer.push(vector("DHT_GET").bytes);
      buffer.push(Uint8Array.of(0, size));
      expect(buffer.take()).toBeDefined();
      expect(() => buffer.take()).toThrow("smaller than its header");
    }
  });

  it("to write what the size field cannot hold, and only that", () => {
    const key = new Uint8Array(32);
    const put = (bytes: number): Uint8Array => {
      const value = new Uint8Array(bytes);
      return encodeApiRequest({ kind: "put", ttlSeconds: 1, replication: 1, key, value });
    };
    expect(put(65_495).length).toBe(65_535);
    expect(() => put(65_496)).toThrow("too long");
    const success = (bytes: number): Uint8Array =>
      encodeApiReply({ kind: "success", key, value: new Uint8Array(bytes) });
    expect(success(65_499).length).toBe(65_535);
    expect(() => success(65_500)).toThrow("too long");
    for (const dialect of [MIDTERM, FINAL]) {
      const value = new Uint8Array(dialect.valueBytesMax);
      const sender = { id: key, port: 1 };
      const reply = dialect.encodeReply({ kind: "value", rpcId: key, sender, key, value });
      expect(reply.length).toBe(65_535);
    }
    const data = new Uint8Array(65_527);
    expect(encodeOnionNotice({ kind: "data", tunnelId: 1, data }).length).toBe(65_535);
  });
});
