import { beforeEach, describe, expect, test } from "vitest";
import { concatBytes, SeededRandom, toHex, utf8 } from "../../../src/base/index.ts";
import { VirtualClock } from "../../../src/testing/index.ts";
import {
  encodeOnionRequest,
  type OnionGateway,
  type OnionNotice,
  type OnionRequest,
  onionGateway,
  readOnionNotice,
  readOnionRequest,
  rpsGateway,
  VOIDPHONE_ONION_LIMITS,
} from "../../../src/voidphone/index.ts";
import { type Client, connectTo } from "../gateway-rig.ts";
import { MemoryTunnels } from "../memory-tunnels.ts";
import { patched, resized, vector } from "../vectors.ts";

const HOST_KEY = utf8("a key that nobody here can read");
const target = { host: "192.0.2.2", port: 7, hostKey: HOST_KEY };
const BUILD = encodeOnionRequest({ kind: "build", target });

let clock: VirtualClock;
let here: MemoryTunnels;
let there: MemoryTunnels;
let gateway: OnionGateway;
let far: OnionGateway;
let client: Client;
beforeEach(() => {
  clock = new VirtualClock();
  const network = new Map<string, MemoryTunnels>();
  here = new MemoryTunnels(network, "192.0.2.1 7");
  there = new MemoryTunnels(network, "192.0.2.2 7");
  gateway = onionGateway(here, { random: new SeededRandom(1) });
  far = onionGateway(there, { random: new SeededRandom(2) });
  client = connectTo(gateway, clock);
});

const notices = (of: Client): OnionNotice[] => of.heard().map(readOnionNotice);
const say = (of: Client, ...requests: OnionRequest[]): Promise<void> =>
  of.say(concatBytes(...requests.map(encodeOnionRequest)));

/** Builds one tunnel, and names it. */
async function build(of = client): Promise<number> {
  await of.say(BUILD);
  const [ready] = notices(of);
  if (ready?.kind !== "ready") throw new Error(ready?.kind);
  expect(ready.hostKey).toEqual(HOST_KEY);
  return ready.tunnelId;
}

/** The tunnel that a client has been told of. */
function incomingOf(of: Client): number {
  const [notice] = notices(of);
  if (notice?.kind !== "incoming") throw new Error(notice?.kind);
  return notice.tunnelId;
}

describe("the onion module's API", () => {
  test("builds a tunnel, echoes the key, carries data both ways", async () => {
    const listener = connectTo(far, clock);
    const tunnelId = await build();
    const incoming = incomingOf(listener);
    await say(client, { kind: "data", tunnelId, data: utf8("there") });
    await say(listener, { kind: "data", tunnelId: incoming, data: utf8("and back") });
    expect(notices(listener)).toEqual([{ kind: "data", tunnelId: incoming, data: utf8("there") }]);
    expect(notices(client)).toEqual([{ kind: "data", tunnelId, data: utf8("and back") }]);
  });

  test("takes what was recorded, and answers with what was recorded", async () => {
    const request = readOnionRequest(vector("ONION_TUNNEL_BUILD 560").bytes);
    if (request.kind !== "build") throw new Error(request.kind);
    await client.say(vector("ONION_TUNNEL_BUILD 560").bytes);
    // Nobody is there: the request was fine, and has failed.
    expect(notices(client)).toEqual([{ kind: "error", request: "build", tunnelId: 0 }]);
    await client.say(vector("ONION_TUNNEL_DATA 564 (out").bytes);
    expect(client.heard().map(toHex)).toEqual([toHex(vector("ONION_ERROR 565 (DATA").bytes)]);
    here.mood = "fails";
    await client.say(vector("ONION_COVER").bytes);
    expect(client.heard().map(toHex)).toEqual([toHex(vector("ONION_ERROR 565 (COVER").bytes)]);
    expect(client.end).toBeUndefined();
  });

  test("tells every client of what comes in, until each has taken leave", async () => {
    const listeners = [connectTo(far, clock), connectTo(far, clock), connectTo(far, clock)];
    const tunnelId = await build();
    const ids = listeners.map(incomingOf);
    const [id = 0] = ids;
    expect(ids).toEqual([id, id, id]);
    const late = connectTo(far, clock);
    const [first, second, third] = listeners;
    if (first === undefined || second === undefined || third === undefined) throw new Error();
    const heardBy = async (): Promise<number[]> => {
      await say(client, { kind: "data", tunnelId, data: utf8("x") });
      return [first, second, third, late].map((of) => notices(of).length);
    };
    expect(await heardBy()).toEqual([1, 1, 1, 0]);
    await say(first, { kind: "destroy", tunnelId: id });
    expect(await heardBy()).toEqual([0, 1, 1, 0]);
    // A client that goes away takes leave.
    second.cut();
    expect(await heardBy()).toEqual([0, 0, 1, 0]);
    expect(there.open[0]?.isDestroyed).toBe(false);
    await say(third, { kind: "destroy", tunnelId: id });
    expect(there.open[0]?.isDestroyed).toBe(true);
    expect(await heardBy()).toEqual([0, 0, 0, 0]);
    expect(notices(client)).toMatchObject([{ kind: "error", request: "data", tunnelId }]);
  });

  test("takes down what nobody is there to hear of, or not any more", async () => {
    await build();
    expect(there.open[0]?.isDestroyed).toBe(true);
    here.mood = "hangs";
    await client.say(BUILD);
    client.cut();
    here.release();
    await clock.runUntil(clock.now());
    expect(here.open.at(-1)?.isDestroyed).toBe(true);
  });

  test("says that a build that takes too long has failed, and takes it down later", async () => {
    here.mood = "hangs";
    await client.say(BUILD);
    await clock.runUntil(clock.now() + VOIDPHONE_ONION_LIMITS.answerMs);
    expect(notices(client)).toEqual([{ kind: "error", request: "build", tunnelId: 0 }]);
    here.release();
    await clock.runUntil(clock.now());
    expect(notices(client)).toEqual([]);
    expect(here.open.at(-1)?.isDestroyed).toBe(true);
  });

  test("says what has failed, and only to who asked", async () => {
    const listener = connectTo(far, clock);
    const other = connectTo(gateway, clock);
    const tunnelId = await build();
    notices(listener);
    const unknown = (tunnelId ^ 1) >>> 0;
    await say(
      client,
      { kind: "data", tunnelId, data: new Uint8Array(1_001) },
      { kind: "data", tunnelId: unknown, data: utf8("x") },
      { kind: "destroy", tunnelId: unknown },
      { kind: "build", target: { ...target, port: 0 } },
    );
    expect(notices(client)).toEqual([
      { kind: "error", request: "data", tunnelId },
      { kind: "error", request: "data", tunnelId: unknown },
      { kind: "error", request: "destroy", tunnelId: unknown },
      { kind: "error", request: "build", tunnelId: 0 },
    ]);
    // A tunnel of somebody else is none.
    await say(other, { kind: "destroy", tunnelId }, { kind: "data", tunnelId, data: utf8("x") });
    expect(notices(other).map(({ kind }) => kind)).toEqual(["error", "error"]);
    expect([notices(listener), client.end, other.end]).toEqual([[], undefined, undefined]);
  });

  test("sends cover for who has no tunnel, and closes on who has one", async () => {
    connectTo(far, clock);
    await say(client, { kind: "cover", coverBytes: 1_000 });
    expect([notices(client), here.covers]).toEqual([[], [1_000]]);
    const tunnelId = await build();
    await say(client, { kind: "destroy", tunnelId }, { kind: "cover", coverBytes: 5 });
    expect([client.end, here.covers]).toEqual([undefined, [1_000, 5]]);
    await build();
    await say(client, { kind: "cover", coverBytes: 6 });
    expect([client.end, here.covers]).toEqual(["protocol", [1_000, 5]]);
    expect(here.open.every(({ isDestroyed }) => isDestroyed)).toBe(true);
  });

  test.each<[string, Uint8Array]>([
    ["a size below 4", Uint8Array.of(0, 0, 2, 0x30)],
    ["a build without a key", resized(BUILD, 12)],
    ["a build that is cut off", resized(BUILD, 9)],
    ["a build of IPv6 without room for the address", patched(resized(BUILD, 20), 4, 0, 1)],
    ["a destroy that is too long", resized(vector("ONION_TUNNEL_DESTROY").bytes, 9)],
    ["a cover that is too short", resized(vector("ONION_COVER").bytes, 6)],
    ["a notice", vector("ONION_TUNNEL_READY").bytes],
    ["an incoming", vector("ONION_TUNNEL_INCOMING").bytes],
    ["an error", vector("ONION_ERROR 565 (DATA").bytes],
    ["an RPS query", vector("RPS_QUERY").bytes],
  ])("closes on %s, without a word, and others go on", async (_name, bad) => {
    const other = connectTo(gateway, clock);
    await client.say(bad);
    expect([client.heard(), client.end]).toEqual([[], "protocol"]);
    connectTo(far, clock);
    await build(other);
  });

  test("loses data, not tunnels, for a client that does not read", async () => {
    const listener = connectTo(far, clock);
    const tunnelId = await build();
    incomingOf(listener);
    await say(client, { kind: "data", tunnelId, data: utf8("x") });
    expect(notices(listener).length).toBe(1);
    listener.unsentBytes = VOIDPHONE_ONION_LIMITS.unsentBytesHigh + 1;
    await listener.say(new Uint8Array());
    await say(client, { kind: "data", tunnelId, data: utf8("x") });
    await build();
    expect(notices(listener).map(({ kind }) => kind)).toEqual(["incoming"]);
  });

  test("keeps room for a client's own tunnels, whoever builds some to it", async () => {
    const stranger = connectTo(far, clock);
    const toUs = { ...target, host: "192.0.2.1" };
    for (let count = 0; count < 64; count++) await say(stranger, { kind: "build", target: toUs });
    expect(notices(client).filter(({ kind }) => kind === "incoming").length).toBe(64);
    connectTo(far, clock);
    await build();
    const alive = here.open.filter(({ isDestroyed }) => !isDestroyed);
    expect(alive.length).toBe(33);
  });

  test("tells of a call, however many tunnels somebody else has built to it", async () => {
    const toUs = { ...target, host: "192.0.2.1" };
    const flood = async (source: string, count: number): Promise<void> => {
      there.source = source;
      const stranger = connectTo(far, clock);
      for (let i = 0; i < count; i++) await say(stranger, { kind: "build", target: toUs });
    };
    const alive = (): number => here.open.filter(({ isDestroyed }) => !isDestroyed).length;
    await flood("one way", 32);
    notices(client);
    await flood("another", 1);
    const call = incomingOf(client);
    // It is not the call that gives way to more of them, and it can be answered.
    await flood("one way", 40);
    await say(client, { kind: "data", tunnelId: call, data: utf8("yes?") });
    expect(notices(client).filter(({ kind }) => kind === "error")).toEqual([]);
    // By as many ways as there are places: what is answered stays, what is not gives way.
    for (let way = 0; way < 50; way++) await flood(`way ${way}`, 2);
    await say(client, { kind: "data", tunnelId: call, data: utf8("still there?") });
    expect(notices(client).filter(({ kind }) => kind === "error")).toEqual([]);
    await flood("a late one", 1);
    expect(notices(client).map(({ kind }) => kind)).toEqual(["incoming"]);
    expect(alive()).toBe(32);
  });

  test("has room for so many tunnels of one client", async () => {
    // Each far client takes half as many that come in, and keeps what it has answered.
    for (const _ of [1, 2]) {
      const listener = connectTo(far, clock);
      for (let count = 0; count < 32; count++) {
        await build();
        await say(listener, { kind: "data", tunnelId: incomingOf(listener), data: utf8("yes?") });
        notices(client);
      }
    }
    await client.say(BUILD);
    expect(notices(client)).toEqual([{ kind: "error", request: "build", tunnelId: 0 }]);
    gateway.close();
    expect(here.open.filter(({ isDestroyed }) => !isDestroyed)).toEqual([]);
  });
});

describe("the API for random peer sampling", () => {
  const peer = {
    host: "2001:db8::1",
    port: 4,
    portMappings: [{ app: 560, port: 5 }],
    hostKey: HOST_KEY,
  };

  test("names a random peer, and closes when it knows nobody", async () => {
    let known: typeof peer | undefined = peer;
    const asking = connectTo(rpsGateway({ sample: async () => known }), clock);
    await asking.say(vector("RPS_QUERY").bytes);
    const [answer] = asking.heard();
    expect(toHex(answer ?? new Uint8Array())).toContain(toHex(HOST_KEY));
    known = undefined;
    await asking.say(vector("RPS_QUERY").bytes);
    expect([asking.heard(), asking.end]).toEqual([[], "finished"]);
  });

  test("closes on what is no query", async () => {
    const asking = connectTo(rpsGateway({ sample: async () => peer }), clock);
    await asking.say(resized(vector("RPS_QUERY").bytes, 5));
    expect([asking.heard(), asking.end]).toEqual([[], "protocol"]);
  });
});
