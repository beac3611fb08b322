import { describe, expect, it } from "vitest";
import { type Clock, CulvertError } from "../../../src/base/index.ts";
import {
  Contact,
  DHT_LIMITS,
  type DhtRequest,
  type DhtValue,
  dhtNetworkOver,
  encodeDhtResponse,
  restoreContacts,
} from "../../../src/dht/index.ts";
import { nodeIdText } from "../../../src/identity/index.ts";
import { Street } from "../street.ts";

const PLAIN: DhtValue = { kind: "plain", ttlSeconds: 300, bytes: Uint8Array.of(1, 2, 3) };

function first<T>(items: readonly T[], at = 0): T {
  const item = items[at];
  if (item === undefined) throw new Error("too few");
  return item;
}

describe("a node of the DHT", () => {
  it("joins, and finds what another one has put", async () => {
    const street = new Street();
    const hosts = await street.populate(12);
    const { node } = first(hosts, 3);
    expect(node.contacts.length).toBe(11);
    const key = new Uint8Array(32).fill(9);
    const reply = await street.clock.runPromise(node.put(key, PLAIN, { replicas: 6, quorum: 6 }));
    expect(reply).toEqual({ stored: 6, ttlSeconds: 300, refusals: [] });
    const found = await street.clock.runPromise(first(hosts, 8).node.get(key));
    expect(found?.bytes).toEqual(PLAIN.bytes);
    const missing = new Uint8Array(32).fill(8);
    expect(await street.clock.runPromise(node.get(missing))).toBeUndefined();
  });

  it("goes by the calendar as it is, once a clock that was wrong has been set", async () => {
    const street = new Street();
    const hosts = await street.populate(12);
    const { clock } = street;
    let aheadMs = 8 * 3_600_000;
    const wrong: Clock = {
      now: () => clock.now(),
      unixMs: () => clock.unixMs() + aheadMs,
      schedule: (at, run) => clock.schedule(at, run),
    };
    const late = street.add(wrong);
    await clock.runPromise(late.node.start([first(hosts).contact]));
    const other = first(hosts, 3);
    const descriptor = street.descriptor(other, 1);
    other.node.publish(descriptor);
    await clock.runUntil(clock.now() + 10_000);
    const look = () => clock.runPromise(late.node.lookup(other.identity.id));
    expect(await look()).toBeUndefined();
    aheadMs = 0;
    expect((await look())?.claims.sequence).toBe(1);
    const value = { kind: "descriptor", ttlSeconds: 3_600, bytes: descriptor.toBytes() } as const;
    expect(first(hosts).node.contacts.length).toBe(12);
    const put = first(hosts).node.put(other.identity.id, value, { replicas: 13, quorum: 13 });
    expect(await clock.runPromise(put)).toMatchObject({ stored: 13 });
  });

  it("refuses to put what no message has room for, and forgets nobody over it", async () => {
    const street = new Street();
    const { node } = first(await street.populate(6), 3);
    const key = new Uint8Array(32).fill(9);
    const tooLarge = node.put(key, { ...PLAIN, bytes: new Uint8Array(65_496) });
    const tooOld = node.put(key, { ...PLAIN, ttlSeconds: 2 ** 32 });
    const partly = node.put(key, { ...PLAIN, ttlSeconds: 1.5 });
    const outcomes = Promise.allSettled([tooLarge, tooOld, partly]);
    expect(await street.clock.runPromise(outcomes)).toMatchObject([
      { reason: { code: "CULVERT_TOO_LARGE" } },
      { reason: { name: "RangeError" } },
      { reason: { name: "RangeError" } },
    ]);
    expect(node.contacts).toHaveLength(5);
    const largest = { ...PLAIN, bytes: new Uint8Array(65_495), ttlSeconds: 2 ** 32 - 1 };
    const put = node.put(key, largest, { replicas: 6, quorum: 6 });
    expect(await street.clock.runPromise(put)).toMatchObject({ stored: 6 });
  });

  it("publishes a descriptor that holds for longer than can be asked for", async () => {
    const street = new Street();
    const hosts = await street.populate(6);
    const subject = first(hosts, 1);
    subject.node.publish(street.descriptor(subject, 1, 2 ** 40));
    // Before whoever was forgotten is met again, and handed what it did not get.
    await street.clock.runUntil(street.clock.now() + 500);
    expect(subject.node.contacts).toHaveLength(5);
    expect(hosts.map(({ node }) => node.statistics.values)).toEqual([1, 1, 1, 1, 1, 1]);
  });

  it("keeps in its table who is busy, and asks others", async () => {
    const street = new Street();
    const hosts = await street.populate(12);
    const key = new Uint8Array(32).fill(9);
    await street.clock.runPromise(first(hosts, 3).node.put(key, PLAIN, { quorum: 12 }));
    const { node } = first(hosts, 5);
    const others = hosts.filter((host) => host.node !== node);
    for (const { identity } of others.slice(3)) street.busy.add(nodeIdText(identity.id));
    expect(await street.clock.runPromise(node.closest(key))).toHaveLength(3);
    expect(node.contacts).toHaveLength(11);
  });

  it("does not take for missing what it could ask nobody for", async () => {
    const street = new Street();
    const hosts = await street.populate(6);
    const { node, identity } = first(hosts, 3);
    for (const host of hosts) street.busy.add(nodeIdText(host.identity.id));
    const busy = { code: "CULVERT_BUSY" };
    const key = new Uint8Array(32).fill(9);
    await expect(street.clock.runPromise(node.get(key))).rejects.toMatchObject(busy);
    await expect(street.clock.runPromise(node.closest(key))).rejects.toMatchObject(busy);
    const descriptor = street.descriptor(first(hosts, 1), 1).toBytes();
    const value = { kind: "descriptor", ttlSeconds: 60, bytes: descriptor } as const;
    const invalid = node.put(identity.id, value);
    await expect(street.clock.runPromise(invalid)).rejects.toMatchObject({
      code: "CULVERT_REFUSED",
    });
    street.busy.clear();
    expect(await street.clock.runPromise(node.get(key))).toBeUndefined();
    expect(node.contacts).toHaveLength(5);
  });

  it("tells who puts a value why some nodes refused it, though others keep it", async () => {
    const street = new Street();
    const hosts = await street.populate(8);
    const subject = first(hosts, 1);
    const put = (sequence: number, replicas: number) => {
      const bytes = street.descriptor(subject, sequence).toBytes();
      const value = { kind: "descriptor", ttlSeconds: 60, bytes } as const;
      const options = { replicas, quorum: replicas };
      return street.clock.runPromise(first(hosts, 5).node.put(subject.identity.id, value, options));
    };
    expect(await put(2, 3)).toMatchObject({ stored: 3, refusals: [] });
    expect(await put(1, 8)).toMatchObject({ stored: 5, refusals: ["stale"] });
  });

  it("looks up the newest descriptor of a node, and refuses an older one", async () => {
    const street = new Street();
    const hosts = await street.populate(8);
    const [subject, asker] = [first(hosts, 1), first(hosts, 5)];
    subject.node.publish(street.descriptor(subject, 5));
    await street.clock.runUntil(street.clock.now() + 5_000);
    const found = await street.clock.runPromise(asker.node.lookup(subject.identity.id));
    expect(found?.claims.sequence).toBe(5);
    const old = street.descriptor(subject, 4);
    const value = { kind: "descriptor", ttlSeconds: 60, bytes: old.toBytes() } as const;
    const replay = asker.node.put(subject.identity.id, value);
    await expect(street.clock.runPromise(replay)).rejects.toMatchObject({
      code: "CULVERT_CONFLICT",
      remote: true,
      detail: { reason: "stale" },
    });
    const unknown = new Uint8Array(32).fill(1);
    expect(await street.clock.runPromise(asker.node.lookup(unknown))).toBeUndefined();
  });

  it("publishes again soon what no other node has taken", async () => {
    const street = new Street();
    const hosts = await street.populate(8);
    const [subject, asker] = [first(hosts, 1), first(hosts, 5)];
    for (const name of street.hosts.keys()) street.busy.add(name);
    subject.node.publish(street.descriptor(subject, 5));
    await street.clock.runUntil(street.clock.now() + 14_000);
    street.busy.clear();
    await street.clock.runUntil(street.clock.now() + 30_000);
    subject.node.close();
    const found = await street.clock.runPromise(asker.node.lookup(subject.identity.id));
    expect(found?.claims.sequence).toBe(5);
  });

  it("discovers nodes that have published themselves, with good descriptors", async () => {
    const street = new Street();
    const hosts = await street.populate(8);
    for (const host of hosts) host.node.publish(street.descriptor(host, 1));
    await street.clock.runUntil(street.clock.now() + 10_000);
    const { node, identity } = first(hosts);
    const met = await street.clock.runPromise(node.discover(5));
    const ids = new Set(met.map(({ id }) => nodeIdText(id)));
    expect(ids.size).toBe(5);
    expect(ids.has(nodeIdText(identity.id))).toBe(false);
  });

  it("discovers others though one of them cannot be looked up for now", async () => {
    const street = new Street();
    const hosts = await street.populate(8);
    for (const host of hosts) host.node.publish(street.descriptor(host, 1));
    await street.clock.runUntil(street.clock.now() + 10_000);
    const { node } = first(hosts);
    const { lookup } = node;
    let lookups = 0;
    node.lookup = async (id, options) => {
      lookups += 1;
      if (lookups % 4 === 2) throw new CulvertError("CULVERT_BUSY");
      return await lookup.call(node, id, options);
    };
    expect(await street.clock.runPromise(node.discover(5))).toHaveLength(5);
    node.lookup = () => Promise.reject(new CulvertError("CULVERT_BUSY"));
    await expect(street.clock.runPromise(node.discover(5))).rejects.toThrow(
      expect.objectContaining({ code: "CULVERT_BUSY" }),
    );
  });

  it("tells the closest live nodes", async () => {
    const street = new Street();
    const hosts = await street.populate(10);
    const gone = first(hosts, 4);
    street.mute.add(nodeIdText(gone.identity.id));
    const closest = await street.clock.runPromise(first(hosts).node.closest(gone.identity.id));
    expect(closest).toHaveLength(8);
    expect(closest.some(({ key }) => key === gone.contact.key)).toBe(false);
  });

  it("says when it takes long, once, and stops when it is told to", async () => {
    const street = new Street();
    const hosts = await street.populate(4);
    for (const { identity } of hosts.slice(1)) street.mute.add(nodeIdText(identity.id));
    const controller = new AbortController();
    let lateCount = 0;
    const waiting = first(hosts).node.get(new Uint8Array(32), {
      signal: controller.signal,
      onLate: () => {
        lateCount += 1;
      },
    });
    const outcome = expect(waiting).rejects.toMatchObject({ name: "AbortError" });
    await street.clock.runUntil(() => lateCount > 0, 2_000);
    expect(lateCount).toBe(1);
    controller.abort();
    await outcome;
    expect(first(hosts).node.statistics.operations).toBe(0);
  });

  it("tells everybody who waits that it was closed, and leaves nothing behind", async () => {
    const street = new Street();
    const hosts = await street.populate(4);
    const closed = { code: "CULVERT_CLOSED" };
    const waiting = expect(first(hosts).node.get(new Uint8Array(32))).rejects.toMatchObject(closed);
    for (const { node } of hosts) node.close();
    for (const { node } of hosts) node.close();
    await waiting;
    await expect(first(hosts).node.get(new Uint8Array(32))).rejects.toMatchObject(closed);
    const ping: DhtRequest = { kind: "ping" };
    const asker = { source: "", isAddressProven: true };
    expect(() => first(hosts).node.answer(ping, asker)).toThrow(expect.objectContaining(closed));
    await street.clock.runUntil(street.clock.now() + 60_000);
    expect(street.clock.pending).toBe(0);
  });

  it("comes back with its table, though nobody of its bootstrap list is there", async () => {
    const street = new Street();
    const hosts = await street.populate(10);
    const old = first(hosts, 6);
    const saved = old.node.save();
    old.node.close();
    const fresh = street.add();
    const known = await street.clock.runPromise(fresh.node.start(restoreContacts(saved)));
    expect(known).toBeGreaterThan(0);
    await street.clock.runUntil(street.clock.now() + 20_000);
    expect(fresh.node.contacts.length).toBe(9);
  });

  it("goes on trying while nobody answers", async () => {
    const street = new Street();
    const [one, two] = [street.add(), street.add()];
    const mute = nodeIdText(one.identity.id);
    street.mute.add(mute);
    expect(await street.clock.runPromise(two.node.start([one.contact]))).toBe(0);
    street.mute.delete(mute);
    await street.clock.runUntil(street.clock.now() + 30_000);
    expect(two.node.contacts.map(({ key }) => key)).toEqual([one.contact.key]);
  });

  it("finds the others after an outage in which whom all began with went for good", async () => {
    const street = new Street();
    const [beginner, ...others] = await street.populate(6);
    for (const { identity } of street.hosts.values()) street.mute.add(nodeIdText(identity.id));
    await street.clock.runUntil(street.clock.now() + 4 * 3_600_000);
    expect(others.map(({ node }) => node.contacts.length)).toEqual([0, 0, 0, 0, 0]);
    for (const { identity } of others) street.mute.delete(nodeIdText(identity.id));
    beginner?.node.close();
    await street.clock.runUntil(street.clock.now() + 900_000);
    expect(others.map(({ node }) => node.contacts.length)).toEqual([4, 4, 4, 4, 4]);
  });

  it("tells the carrier of bytes that are no request, and stores nothing", async () => {
    const street = new Street();
    const { node } = street.add();
    const asker = { source: "a", isAddressProven: true };
    for (const bytes of [[], [1], [1, 4, 0, 1, 2], [9, 1, 0]]) {
      expect(() => node.serve(Uint8Array.from(bytes), asker)).toThrow(
        expect.objectContaining({ code: "CULVERT_PROTOCOL" }),
      );
    }
    expect(node.statistics.values).toBe(0);
  });

  it("stores for a stranger only when its address is proven, by a token or a round trip", () => {
    const street = new Street();
    const { node } = street.add();
    const key = new Uint8Array(32).fill(3);
    const store = { kind: "store", key, value: PLAIN, isCopy: false } as const;
    const stranger = {
      id: new Uint8Array(32).fill(1),
      source: "192.0.2.0/24",
      isAddressProven: false,
    };
    const refused = { kind: "refused", reason: "token" };
    expect(node.answer(store, stranger)).toEqual(refused);
    const nodes = node.answer({ kind: "find-node", target: key }, stranger);
    const token = nodes.kind === "nodes" ? nodes.token : undefined;
    expect(token).toHaveLength(16);
    const withToken = { ...store, ...(token && { token }) };
    expect(node.answer(withToken, { ...stranger, source: "198.51.100.0/24" })).toEqual(refused);
    expect(node.answer(withToken, { ...stranger, id: new Uint8Array(32) })).toEqual(refused);
    expect(node.answer(withToken, stranger).kind).toBe("stored");
    // Good for one to two periods, wherever in its own it was given.
    street.clock.advance(DHT_LIMITS.tokenMs);
    expect(node.answer(withToken, stranger).kind).toBe("stored");
    street.clock.advance(DHT_LIMITS.tokenMs);
    expect(node.answer(withToken, stranger)).toEqual(refused);
    expect(node.answer(store, { ...stranger, isAddressProven: true }).kind).toBe("stored");
  });
});

it("is encoded once for all keepers of a put, and anew when the asker has moved", async () => {
  const key = new Uint8Array(32).fill(3);
  const request: DhtRequest = { kind: "store", key, value: PLAIN, isCopy: false };
  const at = (port: number): Contact => {
    const address = { carrier: "udp", host: "127.0.0.1", port } as const;
    return Contact.of(key, { addresses: [address] });
  };
  const sent: Uint8Array[] = [];
  let sender = at(1);
  const network = dhtNetworkOver(
    async (_to, message) => {
      sent.push(message);
      return encodeDhtResponse({ kind: "stored", ttlSeconds: 1 });
    },
    () => sender,
  );
  const how = { signal: new AbortController().signal, isLast: false };
  for (const port of [2, 3]) await network.request(at(port), request, how);
  sender = at(9);
  await network.request(at(2), request, how);
  await network.request(at(2), { ...request }, how);
  expect(sent[1]).toBe(sent[0]);
  expect(sent[2]).not.toEqual(sent[0]);
  expect(sent[3]).toEqual(sent[2]);
});
