import { createHash } from "node:crypto";
import { beforeEach, describe, expect, it } from "vitest";
import { CulvertError, SeededRandom, toHex, utf8 } from "../../../src/base/index.ts";
import { VirtualClock } from "../../../src/testing/index.ts";
import {
  type CallPeer,
  MIDTERM,
  type VoidphoneContact,
  VoidphonePeerNetwork,
} from "../../../src/voidphone/index.ts";

const self = { id: new Uint8Array(32).fill(1), host: "192.0.2.1", port: 7_402 };
const place = { host: "192.0.2.7", port: 7_402 };
const key = new Uint8Array(32).fill(9);

/** In the dialect `midterm` nothing tells who answers, unless a peer names itself. */
describe("a peer that is joined and does not name itself", () => {
  let clock: VirtualClock;
  let network: VoidphonePeerNetwork;
  let values: Map<string, Uint8Array>;
  let isThere: boolean;
  /** What it names. */
  let named: VoidphoneContact[];
  let asked: string[];

  const call: CallPeer = async ({ host }, request) => {
    asked.push(`${host} ${request.kind}`);
    if (!isThere || host !== place.host) throw new CulvertError("CULVERT_UNREACHABLE");
    const { rpcId } = request;
    if (request.kind === "store") {
      values.set(toHex(request.key), request.value.slice());
      return { kind: "stored", rpcId, key: request.key, value: request.value };
    }
    const value = request.kind === "find-value" ? values.get(toHex(request.key)) : undefined;
    if (value !== undefined) return { kind: "value", rpcId, key, value };
    if (request.kind === "ping") return { kind: "pong", rpcId };
    return { kind: "nodes", rpcId, contacts: named };
  };

  beforeEach(() => {
    [clock, values, isThere, named, asked] = [new VirtualClock(), new Map(), true, [], []];
    const random = new SeededRandom(1);
    network = new VoidphonePeerNetwork(
      { dialect: MIDTERM, self },
      { clock, random, callPeer: call },
    );
  });

  const run = <T>(task: Promise<T>): Promise<T> => clock.runPromise(task, 60_000);
  const entry = { key, value: utf8("v"), ttlSeconds: 60, replication: 20 };

  it("is asked all the same, and named to nobody", async () => {
    expect(await run(network.join(place))).toBe(1);
    expect(await run(network.store(entry))).toBe(1);
    expect(await run(network.get(key))).toEqual(utf8("v"));
    expect(network.closest(key, Number.POSITIVE_INFINITY)).toEqual([]);
    expect(await run(network.find(key))).toEqual([]);
  });

  it("has its own id as soon as somebody tells it, and is asked once then", async () => {
    await run(network.join(place));
    named = [{ id: key, ...place }];
    expect(await run(network.find(key))).toEqual([]);
    asked = [];
    // Around the id that stood in the place of its own, too.
    const made = createHash("sha256").update("192.0.2.7 7402").digest();
    expect(await run(network.find(new Uint8Array(made)))).toEqual(named);
    expect(asked).toEqual(["192.0.2.7 find-node"]);
    expect(network.closest(key, 9)).toEqual(named);
  });

  it("is asked once more when it did not answer, then not again", async () => {
    await run(network.join(place));
    isThere = false;
    expect(await run(network.get(key))).toBeUndefined();
    isThere = true;
    expect(await run(network.store(entry))).toBe(1);
    isThere = false;
    for (let time = 0; time < 3; time++) await run(network.get(key));
    expect(asked.filter((each) => each.endsWith("find-value"))).toHaveLength(3);
  });

  it("is nobody when it was only pinged, or is where we are", async () => {
    expect(await run(network.ping(place))).toBe(true);
    expect(await run(network.store(entry))).toBe(0);
    const us = new VoidphonePeerNetwork(
      { dialect: MIDTERM, self: { ...self, ...place } },
      { clock, callPeer: call },
    );
    expect(await run(us.join(place))).toBe(0);
    expect(await run(us.store(entry))).toBe(0);
  });
});
