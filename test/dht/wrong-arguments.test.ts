import {
  allocationAt,
  Contact,
  DhtNode,
  dhtNetworkOver,
  encodeDhtRequest,
  encodeDhtResponse,
  HandOverCore,
  keyOf,
  PlacedMap,
  PlacementCore,
  restoreContacts,
  saveContacts,
} from "culvert/dht";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { SeededRandom } from "../../src/base/index.ts";
import { VirtualClock } from "../../src/testing/index.ts";
import { expectClear, expectRefused, given, LIKE_BYTES, ODD } from "../odd-arguments.ts";

const NUMBERS: readonly unknown[] = ["1", Number.NaN, -1, 1.5, 1n, Symbol("s"), {}, null];

const key = new Uint8Array(32).fill(1);
const bytes = Uint8Array.of(1, 2);
const random = new SeededRandom(1);
const address = { carrier: "udp", host: "192.0.2.1", port: 9 } as const;
const contact = Contact.of(key, { addresses: [address] });
const plain = { kind: "plain", ttlSeconds: 60, bytes } as const;

describe("a node of the DHT", () => {
  let clock: VirtualClock;
  let node: DhtNode;
  let asked = 0;
  beforeEach(() => {
    asked = 0;
    clock = new VirtualClock();
    const request = () => {
      asked += 1;
      return Promise.resolve({ kind: "pong" } as const);
    };
    node = new DhtNode({ network: { request }, clock, random }, { id: key.slice().fill(2) });
  });
  afterEach(() => {
    // What cannot be is nobody's fault, and nobody hears of it.
    expect(asked).toBe(0);
    node.close();
  });

  async function expectNoTask(task: Promise<unknown>): Promise<void> {
    const error = await clock.runPromise(
      task.then(
        () => "taken",
        (reason: unknown) => reason,
      ),
      1_000,
    );
    expectClear(error);
  }

  it("is refused keys that are none, in whatever it is asked", async () => {
    for (const wrong of [...ODD, ...LIKE_BYTES, new Uint8Array(31), new Uint8Array(33)]) {
      const none = given<Uint8Array>(wrong);
      await expectNoTask(node.put(none, plain));
      await expectNoTask(node.get(none));
      await expectNoTask(node.lookup(none));
      await expectNoTask(node.closest(none));
      expectRefused(() => node.closestKnown(none, 1));
      expectRefused(() => node.withdraw(none));
      expectRefused(() => node.blame(none));
      expectRefused(() => node.isDemoted(none));
      expectRefused(() => keyOf(none));
    }
  });

  it("is refused values that are none: text would have been stored as zeros", async () => {
    for (const wrong of [...ODD, ...LIKE_BYTES]) {
      await expectNoTask(node.put(key, given(wrong)));
      await expectNoTask(node.put(key, { ...plain, bytes: given(wrong) }));
      await expectNoTask(node.put(key, { ...plain, kind: given(wrong) }));
    }
    for (const wrong of [...NUMBERS, undefined, 2 ** 32]) {
      await expectNoTask(node.put(key, { ...plain, ttlSeconds: given(wrong) }));
    }
  });

  it("is refused options that are none: a kind that there is not found any", async () => {
    for (const wrong of [null, 5, "x", Symbol("s")]) {
      await expectNoTask(node.put(key, plain, given(wrong)));
      await expectNoTask(node.get(key, given(wrong)));
      await expectNoTask(node.start([contact], given(wrong)));
      await expectNoTask(node.get(key, { valueKind: given(wrong) }));
      await expectNoTask(node.get(key, { signal: given(wrong) }));
      await expectNoTask(node.put(key, plain, { onLate: given(wrong) }));
    }
    for (const wrong of [...NUMBERS, 0]) {
      await expectNoTask(node.put(key, plain, { replicas: given(wrong) }));
      await expectNoTask(node.put(key, plain, { quorum: given(wrong) }));
    }
    for (const wrong of NUMBERS) {
      await expectNoTask(node.closest(key, { count: given(wrong) }));
      await expectNoTask(node.discover(given(wrong)));
      expectRefused(() => node.closestKnown(key, given(wrong)));
    }
  });

  it("is refused nodes, requests and askers that are none", async () => {
    for (const wrong of ODD) {
      await expectNoTask(node.start(given(Array.isArray(wrong) ? [wrong] : wrong)));
      await expectNoTask(node.start([given(wrong)]));
      expectRefused(() => node.met(given(wrong)));
      expectRefused(() => node.publish(given(wrong)));
      const asker = { source: "192.0.2.9", isAddressProven: true };
      expectRefused(() => node.serve(given(wrong), asker));
      expectRefused(() => node.answer(given(wrong), asker));
      if (typeof wrong === "object" && wrong !== null) continue;
      expectRefused(() => node.answer({ kind: "ping" }, given(wrong)));
      expectRefused(() => node.serve(encodeDhtRequest({ kind: "ping" }), given(wrong)));
    }
  });
});

it("a node is made of parts that do what they have to", () => {
  const network = { request: () => Promise.reject(new Error("nobody")) };
  const parts = { network, clock: new VirtualClock(), random };
  for (const wrong of ODD) {
    expectRefused(() => new DhtNode(given(wrong), { id: key }));
    expectRefused(() => new DhtNode(parts, given(wrong)));
    expectRefused(() => new DhtNode(parts, { id: given(wrong) }));
    for (const name of ["network", "clock", "random"]) {
      expectRefused(() => new DhtNode({ ...parts, [name]: wrong }, { id: key }));
    }
    expectRefused(() => new PlacedMap(given<never>(wrong)));
    expectRefused(() => new PlacementCore(given(wrong)));
    expectRefused(() => new HandOverCore(given(wrong)));
    expectRefused(() => dhtNetworkOver(given(wrong)));
    if (wrong === undefined) continue;
    for (const name of ["recordRule", "takesPrivate", "hostOf", "isRelayed"]) {
      expectRefused(() => new DhtNode(parts, { id: key, [name]: wrong }));
    }
  }
  for (const id of [...LIKE_BYTES, new Uint8Array(31)]) {
    expectRefused(() => new DhtNode(parts, { id: given(id) }));
  }
});

it("a contact is somebody who can be asked: others would refuse what has port 0 in it", () => {
  for (const wrong of ODD) {
    expectRefused(() => Contact.of(given(wrong), { addresses: [address] }));
    expectRefused(() => Contact.of(key, given(wrong)));
    expectRefused(() => Contact.of(key, { addresses: [given(wrong)] }));
    expectRefused(() => Contact.of(key, { addresses: [{ ...address, host: given(wrong) }] }));
    expectRefused(() => Contact.of(key, { addresses: [{ ...address, carrier: given(wrong) }] }));
    expectRefused(() => Contact.of(key, { addresses: [], relays: [given(wrong)] }));
    expectRefused(() => Contact.ofDescriptor(given(wrong)));
    expectRefused(() => allocationAt(given(wrong)));
    expectRefused(() => restoreContacts(given(wrong)));
    expectRefused(() => saveContacts([given(wrong)]));
  }
  for (const port of [...NUMBERS, 0, 65_536]) {
    expectRefused(() => Contact.of(key, { addresses: [{ ...address, port: given(port) }] }));
    expectRefused(() => Contact.claimed(key, { ...address, port: given(port) }));
  }
});

it("no message is made of what is none", () => {
  for (const wrong of ODD) {
    expectRefused(() => encodeDhtRequest(given(wrong)));
    expectRefused(() => encodeDhtResponse(given(wrong)));
    expectRefused(() => encodeDhtRequest({ kind: "find-node", target: given(wrong) }));
    expectRefused(() => encodeDhtResponse({ kind: "refused", reason: given(wrong) }));
    if (wrong === undefined) continue;
    expectRefused(() => encodeDhtRequest({ kind: "ping" }, given(wrong)));
    const find = { kind: "find-value", key, near: key } as const;
    expectRefused(() => encodeDhtRequest({ ...find, valueKind: given(wrong) }));
  }
});

it("a record is put at its address, and is looked for there", async () => {
  const clock = new VirtualClock();
  const nobody = { knowsAll: true, statistics: { nodesEstimated: 1 }, closestKnown: () => [] };
  const dht = { ...nobody, closest: async () => [], isDemoted: () => false, blame: () => {} };
  const map = new PlacedMap({
    ...{ dht, clock, random, isRecord: () => true, isReceipt: () => true },
    mapOf: () => Promise.reject(new Error("nobody")),
  });
  for (const wrong of [...ODD, ...LIKE_BYTES, new Uint8Array(31)]) {
    await map.put(given(wrong)).then(() => expect.unreachable(), expectClear);
    await map.put({ address: given(wrong) }).then(() => expect.unreachable(), expectClear);
    await map.get(given(wrong)).then(() => expect.unreachable(), expectClear);
  }
  for (const waitMs of NUMBERS.filter((each) => each !== 1.5)) {
    const task = map.get(key, { waitMs: given(waitMs) });
    await task.then(() => expect.unreachable(), expectClear);
  }
  map.close();
});
