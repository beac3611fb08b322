import { beforeEach, describe, expect, test } from "vitest";
import { concatBytes, toHex } from "../../src/base/index.ts";
import { VirtualClock } from "../../src/testing/index.ts";
import {
  apiGateway,
  FINAL,
  type Gateway,
  MIDTERM,
  type PeerDialect,
  peerGateway,
  VOIDPHONE_API_LIMITS,
  VOIDPHONE_PEER_LIMITS,
} from "../../src/voidphone/index.ts";
import { FORMATS, type Format, vectorsOf } from "./formats.ts";
import { type Client, connectTo, RememberingNode } from "./gateway-rig.ts";
import { patched, resized, vector } from "./vectors.ts";

/** A server, and what its clients may say. */
interface Server {
  readonly name: string;
  readonly gatewayOf: (node: RememberingNode) => Gateway<unknown>;
  readonly requests: Format;
  readonly answers: Format;
  /** A request that is always answered. */
  readonly question: Uint8Array;
  /** A request with a value at its end, and the bytes before that. */
  readonly store: Uint8Array;
  readonly storeHeadBytes: number;
  /** What a request that is none is answered with; without one, the connection ends. */
  readonly refusal: Uint8Array | undefined;
  readonly openMs: number;
}

function formatOf(name: string): Format {
  const format = FORMATS.find((each) => each.name === name);
  if (format === undefined) throw new Error(`no format is called ${name}`);
  return format;
}

const API: Server = {
  name: "the module API",
  gatewayOf: apiGateway,
  requests: formatOf("API requests"),
  answers: formatOf("API answers"),
  question: vector("DHT_GET").bytes,
  store: vector("DHT_PUT").bytes,
  storeHeadBytes: 40,
  refusal: undefined,
  openMs: VOIDPHONE_API_LIMITS.openMs,
};

function peerServer(dialect: PeerDialect, parts: Pick<Server, "question" | "store">): Server {
  return {
    name: `peers of the dialect ${dialect.name}`,
    gatewayOf: (node) => peerGateway(dialect, node),
    requests: formatOf(`${dialect.name} requests`),
    answers: formatOf(`${dialect.name} answers`),
    ...parts,
    storeHeadBytes: dialect === FINAL ? 104 : 72,
    refusal: dialect.encodeReply({ kind: "error", fault: "bad-request" }),
    openMs: VOIDPHONE_PEER_LIMITS.openMs,
  };
}

const SERVERS: readonly Server[] = [
  API,
  peerServer(MIDTERM, {
    question: vector("MIDTERM 660").bytes,
    store: vector("MIDTERM 661").bytes,
  }),
  peerServer(FINAL, {
    question: vector("RPC_PING 660").bytes,
    store: vector("RPC_STORE 661").bytes,
  }),
];

/** Of no protocol, of others, and beside the known ones. */
const UNKNOWN_TYPES = [0, 1, 560, 649, 654, 659, 664, 669, 674, 679, 681, 65_535];

describe.each(SERVERS)("bad input: $name", (server) => {
  const { requests, question, store, storeHeadBytes } = server;
  let clock: VirtualClock;
  let node: RememberingNode;
  let other: Client;
  beforeEach(() => {
    clock = new VirtualClock();
    node = new RememberingNode();
    node.contact = { id: new Uint8Array(32).fill(7), host: "192.0.2.1", port: 7_402 };
    other = connect();
  });

  const connect = (): Client => connectTo(server.gatewayOf(node), clock);

  /** Nothing was stored, and another client is served as if nothing had been. */
  async function expectNoHarm(): Promise<void> {
    expect(node.entries).toEqual([]);
    await other.say(question);
    expect(other.heard()).toHaveLength(1);
    expect(other.end).toBeUndefined();
  }

  /** Refused as the protocol has it, wherever it comes; nothing is stored, others go on. */
  async function expectRefused(bad: Uint8Array): Promise<void> {
    const client = connect();
    await client.say(bad);
    const heard = client.heard().map(toHex);
    if (server.refusal === undefined) {
      expect([heard, client.end]).toEqual([[], "protocol"]);
    } else {
      expect([heard, client.end]).toEqual([[toHex(server.refusal)], undefined]);
      await client.say(question);
      expect(client.heard()).toHaveLength(1);
    }
    client.cut();
    await expectNoHarm();
  }

  const isRequest = (message: Uint8Array): boolean => {
    try {
      requests.again(message);
      return true;
    } catch {
      return false;
    }
  };

  test("every message cut at every byte, when the connection is lost there", async () => {
    for (const message of vectorsOf(requests)) {
      for (let length = 0; length < message.length; length++) {
        const client = connect();
        await client.say(message.subarray(0, length));
        client.cut();
        expect(client.heard()).toEqual([]);
      }
    }
    expect(node.learned).toEqual([]);
    await expectNoHarm();
  });

  test("every message cut at every byte, when its size says so", async () => {
    let refused = 0;
    for (const message of vectorsOf(requests)) {
      for (let length = 4; length < message.length; length++) {
        const cut = resized(message, length);
        // A value may be shorter, down to its last byte: that is a request like any other.
        if (isRequest(cut)) continue;
        await expectRefused(cut);
        refused += 1;
      }
    }
    expect(refused).toBeGreaterThan(60);
  });

  test("pipelined, whole and byte by byte: all are answered", async () => {
    const all = vectorsOf(requests);
    let answers = 0;
    for (const message of all) {
      const client = connect();
      await client.say(message);
      answers += client.heard().length;
      client.cut();
    }
    for (const pieceBytes of [1, 1_000_000]) {
      const client = connect();
      for (let i = 0; i < 3; i++) await client.say(concatBytes(...all), pieceBytes);
      expect(client.heard()).toHaveLength(3 * answers);
      expect(client.end).toBeUndefined();
      client.cut();
    }
  });

  test("oversized: the longest message there is, of every request", async () => {
    for (const message of vectorsOf(requests)) {
      const long = resized(message, 65_535);
      const isValue = message.length > storeHeadBytes && isRequest(resized(store, message.length));
      if (isValue && isRequest(long)) continue;
      await expectRefused(long);
    }
    const client = connect();
    await client.say(resized(store, 65_535), 1_400);
    expect(node.entries[0]?.value).toHaveLength(65_535 - storeHeadBytes);
    client.cut();
  });

  test("a size below 4, first and after a request", async () => {
    for (const size of [0, 1, 2, 3]) {
      for (const before of [[], [question]]) {
        const client = connect();
        await client.say(concatBytes(...before, Uint8Array.of(0, size, 2, 0x8a), store));
        expect(client.end).toBe("protocol");
        // What was asked before is taken back: nobody is there any more who could hear of it.
        const told = client.heard().map(toHex);
        expect(told).toEqual(server.refusal === undefined ? [] : [toHex(server.refusal)]);
        await expectNoHarm();
      }
    }
  });

  test("trailing bytes, behind each request without a value", async () => {
    let refused = 0;
    for (const message of vectorsOf(requests)) {
      const longer = resized(message, message.length + 1);
      if (isRequest(longer)) continue;
      await expectRefused(longer);
      refused += 1;
    }
    expect(refused).toBeGreaterThan(0);
  });

  test("unknown types", async () => {
    for (const type of UNKNOWN_TYPES) {
      await expectRefused(patched(question, 2, type >> 8, type & 255));
    }
  });

  test("an empty value", async () => {
    await expectRefused(resized(store, storeHeadBytes));
  });

  test("a question of the wrong size", async () => {
    for (const length of [question.length - 1, question.length + 1, 4]) {
      await expectRefused(resized(question, length));
    }
  });

  test("answers, which nobody asked for", async () => {
    for (const answer of vectorsOf(server.answers)) await expectRefused(answer);
    const strangers = SERVERS.filter(
      (each) => each !== server && (server === API) !== (each === API),
    );
    for (const { question: foreign } of strangers) await expectRefused(foreign);
  });

  test("a store whose sender does not wait for an answer", async () => {
    const client = connect();
    const said = client.say(store);
    client.cut();
    await said;
    expect(node.entries).toHaveLength(1);
    expect(node.entries[0]?.value).toEqual(store.subarray(storeHeadBytes));
  });

  test("a connection that opens and says nothing", async () => {
    const silent = connect();
    await clock.runUntil(server.openMs - 1);
    expect(silent.end).toBeUndefined();
    const talker = connect();
    await talker.say(question);
    await clock.runUntil(server.openMs);
    expect([silent.end, talker.end, talker.heard().length]).toEqual(["timeout", undefined, 1]);
  });

  test("a life of 0 s, which is no wish, and of 65,535 s", async () => {
    const ttlAt = server === API ? 4 : storeHeadBytes - (server.name.endsWith("final") ? 34 : 36);
    const client = connect();
    await client.say(concatBytes(patched(store, ttlAt, 0, 0), patched(store, ttlAt, 255, 255)));
    expect(node.entries.map(({ ttlSeconds }) => ttlSeconds)).toEqual([3_600, 65_535]);
  });
});

describe("bad input: errors as the dialect has them", () => {
  test.each([
    [MIDTERM, { "bad-request": 400, "not-found": 404, "not-acceptable": 406, "server-error": 500 }],
    [FINAL, { "bad-request": 10, "not-found": 11, "not-acceptable": 10, "server-error": 20 }],
  ] as const)("$name", (dialect, numbers) => {
    for (const [fault, number] of Object.entries(numbers)) {
      const encoded = dialect.encodeReply({ kind: "error", fault: fault as keyof typeof numbers });
      const expected = Uint8Array.of(0, 6, 680 >> 8, 680 & 255, number >> 8, number & 255);
      expect(toHex(encoded)).toBe(toHex(expected));
    }
  });
});
