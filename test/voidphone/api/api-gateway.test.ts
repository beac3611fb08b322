import { beforeEach, describe, expect, test } from "vitest";
import { concatBytes, toHex, utf8 } from "../../../src/base/index.ts";
import { VirtualClock } from "../../../src/testing/index.ts";
import {
  apiGateway,
  encodeApiRequest,
  VOIDPHONE_API_LIMITS,
} from "../../../src/voidphone/index.ts";
import { type Client, connectTo, RememberingNode } from "../gateway-rig.ts";
import { resized, vector } from "../vectors.ts";

const PUT = vector("DHT_PUT").bytes;
const GET = vector("DHT_GET").bytes;
const SUCCESS = vector("DHT_SUCCESS").bytes;
const FAILURE = vector("DHT_FAILURE").bytes;

let clock: VirtualClock;
let node: RememberingNode;
let client: Client;
beforeEach(() => {
  clock = new VirtualClock();
  node = new RememberingNode();
  client = connectTo(apiGateway(node), clock);
});

const put = (ttlSeconds: number, replication: number, value = "v"): Uint8Array =>
  encodeApiRequest({
    kind: "put",
    ttlSeconds,
    replication,
    key: new Uint8Array(32),
    value: utf8(value),
  });

describe("the module API", () => {
  test("answers as was recorded, whole and in pieces, and a put not at all", async () => {
    await client.say(GET);
    expect(client.heard().map(toHex)).toEqual([toHex(FAILURE)]);
    for (const pieceBytes of [1, 3, 1_000]) {
      await client.say(concatBytes(PUT, GET, GET), pieceBytes);
      expect(client.heard().map(toHex)).toEqual([toHex(SUCCESS), toHex(SUCCESS)]);
    }
    expect(node.entries[0]).toMatchObject({ ttlSeconds: 600, replication: 20 });
  });

  test("hands wishes on within bounds: 0 is no wish", async () => {
    await client.say(concatBytes(put(0, 0), put(65_535, 255), put(1, 1)));
    expect(node.entries.map(({ ttlSeconds, replication }) => [ttlSeconds, replication])).toEqual([
      [3_600, 20],
      [65_535, 20],
      [1, 1],
    ]);
    expect(node.entries[0]?.source).toBe("192.0.2.9");
  });

  test("takes and gives the largest values", async () => {
    const key = new Uint8Array(32).fill(9);
    const value = new Uint8Array(65_495).fill(1);
    const message = encodeApiRequest({ kind: "put", ttlSeconds: 9, replication: 9, key, value });
    await client.say(concatBytes(message, encodeApiRequest({ kind: "get", key })), 1_400);
    const [answer] = client.heard();
    expect(answer?.length).toBe(36 + value.length);
    node.values.set(toHex(key), new Uint8Array(65_500));
    await client.say(encodeApiRequest({ kind: "get", key }));
    expect(client.heard()[0]?.[3]).toBe(653 & 255);
  });

  test("says failure when the node fails, hangs, or has nothing but emptiness", async () => {
    node.mood = "fails";
    await client.say(concatBytes(PUT, GET));
    expect(client.heard().map(toHex)).toEqual([toHex(FAILURE)]);
    node.mood = "hangs";
    await client.say(concatBytes(PUT, GET));
    expect(client.heard()).toEqual([]);
    await clock.runUntil(clock.now() + VOIDPHONE_API_LIMITS.answerMs);
    expect(client.heard().map(toHex)).toEqual([toHex(FAILURE)]);
    node.mood = "serves";
    node.values.set(toHex(GET.subarray(4)), new Uint8Array());
    await client.say(GET);
    expect(client.heard().map(toHex)).toEqual([toHex(FAILURE)]);
    expect(client.end).toBeUndefined();
  });

  test.each<[string, Uint8Array]>([
    ["a size below 4", Uint8Array.of(0, 3, 2, 0x8b)],
    ["a put of an empty value", resized(PUT, 40)],
    ["a put that is cut off", resized(PUT, 20)],
    ["a get that is too short", resized(GET, 35)],
    ["a get that is too long", resized(GET, 37)],
    ["an answer", SUCCESS],
    ["a message for peers", vector("RPC_PING 660").bytes],
    ["an unknown type", Uint8Array.of(0, 4, 0xff, 0xff)],
  ])("closes on %s: nothing is said or stored, others go on", async (_name, bad) => {
    const other = connectTo(apiGateway(node), clock);
    await client.say(concatBytes(bad, PUT));
    expect(client.heard()).toEqual([]);
    expect(client.end).toBe("protocol");
    expect(node.entries).toEqual([]);
    await other.say(concatBytes(PUT, GET));
    expect(other.heard().map(toHex)).toEqual([toHex(SUCCESS)]);
  });

  test("goes on with a put when its client has left, or its time is up", async () => {
    const stored: string[] = [];
    const slow = {
      get: async () => undefined,
      put: async (
        { value }: { readonly value: Uint8Array },
        options: { readonly signal?: AbortSignal } = {},
      ): Promise<void> => {
        await new Promise<void>((resolve, reject) => {
          options.signal?.addEventListener("abort", () => reject(new Error("aborted")));
          clock.schedule(clock.now() + 2 * VOIDPHONE_API_LIMITS.answerMs, resolve);
        });
        stored.push(String.fromCharCode(...value));
      },
    };
    const staying = connectTo(apiGateway(slow), clock);
    await staying.say(put(60, 1, "s"));
    const names = [..."abcdefghijklmnopqrstuvwxyz"];
    const leaving = connectTo(apiGateway(slow), clock);
    await leaving.say(concatBytes(...names.flatMap((name) => [put(60, 1, name), GET])));
    leaving.heard();
    leaving.cut();
    await clock.runUntil(4 * VOIDPHONE_API_LIMITS.answerMs);
    expect(stored.toSorted()).toEqual([...names, "s"].toSorted());
    expect([leaving.end, leaving.heard(), staying.end]).toEqual(["gone", [], undefined]);
  });

  test("closes on a connection that says nothing, or half of something", async () => {
    const half = connectTo(apiGateway(node), clock);
    await half.say(PUT.subarray(0, 9));
    await clock.runUntil(VOIDPHONE_API_LIMITS.messageMs);
    expect([half.end, client.end]).toEqual(["timeout", undefined]);
    await clock.runUntil(VOIDPHONE_API_LIMITS.openMs);
    expect(client.end).toBe("timeout");
    expect(clock.pending).toBe(0);
  });
});
