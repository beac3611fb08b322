import { beforeEach, describe, expect, test } from "vitest";
import { concatBytes, fromHex, toHex } from "../../../src/base/index.ts";
import { VirtualClock } from "../../../src/testing/index.ts";
import {
  FINAL,
  MIDTERM,
  type PeerReply,
  peerGateway,
  VOIDPHONE_PEER_LIMITS,
  type VoidphoneContact,
} from "../../../src/voidphone/index.ts";
import { connectTo, RememberingNode } from "../gateway-rig.ts";
import { patched, resized, vector } from "../vectors.ts";

/** The node id that is recorded beside a message. */
function idIn(name: string): Uint8Array {
  const { nodeId } = vector(name).fields;
  return fromHex(String(nodeId));
}

const asker: VoidphoneContact = {
  id: idIn("RPC_PING 660"),
  host: "::1",
  port: 9_999,
};
const self: VoidphoneContact = {
  id: idIn("RPC_PING_REPLY"),
  host: "::1",
  port: 7_402,
};

let clock: VirtualClock;
let node: RememberingNode;
beforeEach(() => {
  clock = new VirtualClock();
  node = new RememberingNode();
  node.contact = self;
});

const dialects = [MIDTERM, FINAL];
const bytes = (name: string): Uint8Array => vector(name).bytes;

/** What a fresh client of this dialect is told. */
async function told(dialect: typeof FINAL, ...messages: Uint8Array[]): Promise<PeerReply[]> {
  const client = connectTo(peerGateway(dialect, node), clock, "::1");
  await client.say(concatBytes(...messages));
  return client.heard().map(dialect.readReply);
}

describe("the dialect final", () => {
  test("answers as was recorded, byte for byte", async () => {
    const client = connectTo(peerGateway(FINAL, node), clock, "::1");
    const answerTo = async (name: string): Promise<string[]> => {
      await client.say(bytes(name));
      return client.heard().map(toHex);
    };
    expect(await answerTo("RPC_PING 660")).toEqual([toHex(bytes("RPC_PING_REPLY"))]);
    node.contacts = [asker];
    const reply = FINAL.readReply(fromHex((await answerTo("RPC_FIND_NODE 662"))[0] ?? ""));
    const recorded = FINAL.readReply(bytes("RPC_FIND_NODE_REPLY"));
    if (reply.kind !== "nodes" || recorded.kind !== "nodes") throw new Error(reply.kind);
    expect({ ...reply, contacts: reply.contacts.toReversed() }).toEqual(recorded);
    const { key } = vector("RPC_FIND_VALUE 663").fields;
    node.values.set(String(key), new TextEncoder().encode("hello voidphone"));
    expect(await answerTo("RPC_FIND_VALUE 663")).toEqual([toHex(bytes("RPC_FIND_VALUE_REPLY"))]);
  });

  test("stores without an answer, and a repeated message does no harm", async () => {
    const store = bytes("RPC_STORE 661");
    expect(await told(FINAL, store, store)).toEqual([]);
    expect(node.entries).toMatchObject([
      { ttlSeconds: 600, replication: 20, source: "::1" },
      { ttlSeconds: 600 },
    ]);
    expect(node.values.size).toBe(1);
  });

  test("learns who asks, and where", async () => {
    await told(FINAL, bytes("RPC_PING 660"), patched(bytes("RPC_PING 660"), 36, 0, 0));
    expect(node.learned).toEqual([asker]);
  });

  test("has 680 for everything that goes wrong, and goes on", async () => {
    const ping = bytes("RPC_PING 660");
    const errors = await told(
      FINAL,
      resized(ping, 69),
      resized(ping, 71),
      patched(ping, 2, 9, 9),
      resized(bytes("RPC_STORE 661"), 104),
      ping,
    );
    expect(errors.map(({ kind }) => kind)).toEqual(["error", "error", "error", "error", "pong"]);
    expect(errors[0]).toEqual({ kind: "error", fault: "bad-request" });
    expect(node.entries).toEqual([]);
    node.mood = "fails";
    const client = connectTo(peerGateway(FINAL, node), clock);
    await client.say(bytes("RPC_STORE 661"));
    expect(client.heard().map(toHex)).toEqual([toHex(bytes("DHT_ERROR"))]);
  });
});

describe("the dialect midterm", () => {
  test("answers every request as the report lays out, byte for byte", async () => {
    const client = connectTo(peerGateway(MIDTERM, node), clock);
    const answerTo = async (name: string): Promise<string[]> => {
      await client.say(bytes(name), 5);
      return client.heard().map(toHex);
    };
    expect(await answerTo("MIDTERM 660")).toEqual([toHex(bytes("MIDTERM 670"))]);
    node.contact = { id: asker.id, host: "127.0.0.1", port: 7_402 };
    expect(await answerTo("MIDTERM 662")).toEqual([toHex(bytes("MIDTERM 672"))]);
    expect(await answerTo("MIDTERM 661")).toEqual([toHex(bytes("MIDTERM 671"))]);
    expect(await answerTo("MIDTERM 663")).toEqual([toHex(bytes("MIDTERM 673"))]);
    expect(node.learned).toEqual([]);
  });

  test("has a number for each fault", async () => {
    const store = bytes("MIDTERM 661");
    node.mood = "refuses";
    expect(await told(MIDTERM, store)).toEqual([{ kind: "error", fault: "not-acceptable" }]);
    node.mood = "fails";
    expect(await told(MIDTERM, store)).toEqual([{ kind: "error", fault: "server-error" }]);
    node.mood = "serves";
    // A node of IPv6 alone has nobody to name.
    const client = connectTo(peerGateway(MIDTERM, node), clock);
    await client.say(bytes("MIDTERM 663"));
    expect(client.heard().map(toHex)).toEqual([toHex(bytes("MIDTERM 680"))]);
    expect(await told(MIDTERM, resized(store, 72))).toEqual([
      { kind: "error", fault: "bad-request" },
    ]);
  });
});

describe.each(dialects)("a peer of the dialect $name", (dialect) => {
  const name = dialect === FINAL ? "RPC_" : "MIDTERM ";
  const find = (kind: "FIND_NODE" | "FIND_VALUE"): Uint8Array => {
    const type = kind === "FIND_NODE" ? "662" : "663";
    return bytes(dialect === FINAL ? `${name}${kind} ${type}` : `${name}${type} ${kind}`);
  };

  test("lists itself first, once, and no more than 20", async () => {
    const own = { ...self, host: "192.0.2.1" };
    node.contact = own;
    const other = (port: number): VoidphoneContact => ({ id: asker.id, host: "192.0.2.2", port });
    node.contacts = [own, ...Array.from({ length: 40 }, (_, index) => other(index + 1))];
    for (const kind of ["FIND_NODE", "FIND_VALUE"] as const) {
      const [reply] = await told(dialect, find(kind));
      if (reply?.kind !== "nodes") throw new Error(reply?.kind);
      expect(reply.contacts[0]).toEqual(own);
      expect(reply.contacts.filter(({ port }) => port === own.port)).toEqual([own]);
      // Twenty were asked for, and it was one of them.
      expect(reply.contacts.length).toBe(20);
    }
  });

  test("never sends an empty value, or one that no message can hold", async () => {
    const key = toHex(find("FIND_VALUE").subarray(-32));
    node.values.set(key, new Uint8Array());
    node.contact = { ...self, host: "192.0.2.1" };
    expect(await told(dialect, find("FIND_VALUE"))).toMatchObject([{ kind: "nodes" }]);
    node.values.set(key, new Uint8Array(dialect.valueBytesMax));
    expect(await told(dialect, find("FIND_VALUE"))).toMatchObject([{ kind: "value" }]);
    node.values.set(key, new Uint8Array(dialect.valueBytesMax + 1));
    expect(await told(dialect, find("FIND_VALUE"))).toEqual([
      { kind: "error", fault: "server-error" },
    ]);
  });

  test("answers within a second, whatever the node does", async () => {
    node.mood = "hangs";
    const client = connectTo(peerGateway(dialect, node), clock);
    await client.say(find("FIND_VALUE"));
    await clock.runUntil(900);
    expect(client.heard().map(dialect.readReply)).toEqual([
      { kind: "error", fault: "server-error" },
    ]);
  });

  test("is told of a size that cannot be, and loses the connection", async () => {
    const client = connectTo(peerGateway(dialect, node), clock);
    await client.say(Uint8Array.of(0, 2, 0, 0));
    expect(client.heard().map(dialect.readReply)).toEqual([
      { kind: "error", fault: "bad-request" },
    ]);
    expect(client.end).toBe("protocol");
  });

  test("loses a connection over which it says nothing", async () => {
    const client = connectTo(peerGateway(dialect, node), clock);
    await clock.runUntil(VOIDPHONE_PEER_LIMITS.openMs);
    expect(client.end).toBe("timeout");
    expect(clock.pending).toBe(0);
  });
});

test("a node that nobody can reach serves no dialect that names it", async () => {
  node.contact = undefined;
  expect(await told(FINAL, bytes("RPC_PING 660"))).toEqual([
    { kind: "error", fault: "server-error" },
  ]);
});
