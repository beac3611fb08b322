import { beforeEach, describe, expect, it } from "vitest";
import { isCulvertError, SeededRandom } from "../../../src/base/index.ts";
import { DhtNode, encodeDhtRequest } from "../../../src/dht/index.ts";
import { nodeIdText } from "../../../src/identity/index.ts";
import { VirtualClock } from "../../../src/testing/index.ts";

const PING = encodeDhtRequest({ kind: "ping" }, undefined);
const random = new SeededRandom(1);

let clock: VirtualClock;
let hosts: Map<string, string>;
let node: DhtNode;

beforeEach(() => {
  clock = new VirtualClock();
  hosts = new Map();
  const network = { request: () => Promise.reject(new Error("nobody is asked")) };
  const hostOf = (id: Uint8Array): string | undefined => hosts.get(nodeIdText(id));
  node = new DhtNode({ network, clock, random }, { id: random.bytes(32), hostOf });
});

/** A peer that is heard at this host. */
function peerAt(host: string): Uint8Array {
  const id = random.bytes(32);
  hosts.set(nodeIdText(id), host);
  return id;
}

/** How many of so many requests of one peer are answered. */
function answered(id: Uint8Array, requests: number, source: string = "somewhere"): number {
  let count = 0;
  for (let i = 0; i < requests; i++) {
    try {
      node.serve(PING, { id, source, isAddressProven: true });
      count += 1;
    } catch (error) {
      if (!isCulvertError(error, "CULVERT_BUSY")) throw error;
    }
  }
  return count;
}

describe("the requests that a node answers", () => {
  it("are bounded for one peer, which takes none of its neighbours'", () => {
    const [greedy, neighbour] = [peerAt("192.0.2.1"), peerAt("192.0.2.2")];
    expect(answered(greedy, 20_000)).toBe(2_048);
    expect(answered(neighbour, 1_000)).toBe(1_000);
    clock.advance(10_000);
    expect(answered(greedy, 20_000)).toBe(2_048);
    expect(answered(neighbour, 1_000)).toBe(1_000);
  });

  it.each([
    ["one allocation", (i: number) => `2001:db8:0:${(i * 256).toString(16)}::1`, ""],
    ["one relay", () => undefined, "relay:1"],
  ])("are bounded for all peers of %s", (_, hostOf, source) => {
    let total = 0;
    for (let i = 0; i < 32; i++) {
      const host = hostOf(i);
      const id = host === undefined ? random.bytes(32) : peerAt(host);
      total += answered(id, 1_000, source === "" ? `network ${i}` : source);
    }
    expect(total).toBe(8_192);
    expect(answered(peerAt("2001:db9::1"), 1_000)).toBe(1_000);
  });
});
