import { beforeEach, describe, expect, it } from "vitest";
import { SeededRandom } from "../../../src/base/index.ts";
import type { DhtContext } from "../../../src/dht/exchange/dht-context.ts";
import { ExchangeDesk } from "../../../src/dht/exchange/exchange-desk.ts";
import { Peers } from "../../../src/dht/exchange/peers.ts";
import { RequestRates } from "../../../src/dht/exchange/request-rates.ts";
import { DHT_LIMITS, resolveDhtLimits } from "../../../src/dht/limits.ts";
import { NetworkSize } from "../../../src/dht/table/network-size.ts";
import { RoutingTable } from "../../../src/dht/table/routing-table.ts";
import { ValueUpkeep } from "../../../src/dht/upkeep/value-upkeep.ts";
import { VALUE_LIMITS } from "../../../src/dht/values/value-limits.ts";
import { ValueStore } from "../../../src/dht/values/value-store.ts";
import type { Contact } from "../../../src/dht/wire/contact.ts";
import { byteText, keyOf, textBytes } from "../../../src/dht/wire/key.ts";
import type { DhtRequest } from "../../../src/dht/wire/message.ts";
import { contactAt, keyWith } from "../nodes.ts";

const SELF = keyWith(0);
const LIFE_MS = 3_600_000;
const EXCHANGES_MAX = 2;

let store: ValueStore;
let desk: ExchangeDesk;
let upkeep: ValueUpkeep;
let newcomer: Contact;
let sent: { readonly exchange: number; readonly to: Contact; readonly request: DhtRequest }[];
/** Values stored again, and how many more of them there is room for. */
let again: string[];
let roomForMore: number;
/** Whether another node takes what is stored again, and when that was tried. */
let isTaken: boolean;
let triedAt: number[];

/** A keeper of four values that has just got a neighbour. */
function setUp(exchangesMax: number): void {
  const limits = resolveDhtLimits({ exchangesMax, repairMs: 1_000_000 });
  const random = new SeededRandom(1);
  const peers = new Peers(random, limits);
  const table = new RoutingTable({
    self: SELF,
    secret: random.bytes(16),
    isElsewhere: () => false,
    limits,
  });
  store = new ValueStore({
    limits: VALUE_LIMITS,
    recordRule: () => undefined,
    unixMsAtZero: 0,
  });
  sent = [];
  again = [];
  [triedAt, isTaken] = [[], true];
  roomForMore = Number.POSITIVE_INFINITY;
  const port = {
    send: (exchange: number, to: Contact, request: DhtRequest) =>
      void sent.push({ exchange, to, request }),
    forget: () => {},
    heard: () => {},
    lost: () => {},
  };
  desk = new ExchangeDesk({ peers, port }, limits);
  const context: Partial<DhtContext> = {
    self: SELF,
    limits,
    random,
    table,
    networkSize: new NetworkSize(),
    peers,
    store,
    exchanges: desk,
  };
  upkeep = new ValueUpkeep(context as DhtContext, (key, _value, _isCopy, done) => {
    if (roomForMore === 0) return false;
    roomForMore -= 1;
    again.push(key);
    triedAt.push(clockMs);
    // Later: whom it was stored at is known when they have answered.
    outcomes.push(() => done?.(isTaken, clockMs));
    return true;
  });
  keep(4);
  newcomer = contactAt(keyWith(0, 1));
  table.observe(newcomer, 0);
}

let clockMs = 0;
const outcomes: (() => void)[] = [];

function keep(values: number): void {
  for (let i = 1; i <= values; i++) {
    const value = { kind: "plain", ttlSeconds: LIFE_MS / 1_000, bytes: Uint8Array.of(i) } as const;
    store.put(keyWith(0, 0, i >> 8, i), value, { source: "", now: 0 });
  }
}

beforeEach(() => setUp(EXCHANGES_MAX));

/** Runs what is due until then; what comes of each request that is sent is for `answer`. */
function runUntil(end: number, answer: (exchange: number, now: number) => void): void {
  for (let now = upkeep.deadline(); now <= end; now = upkeep.deadline()) {
    clockMs = now;
    upkeep.timeout(now);
    for (const tell of outcomes.splice(0)) tell();
    for (const { exchange } of sent.slice(-EXCHANGES_MAX)) answer(exchange, now);
  }
}

/** The keys of values that were sent, each once. */
function keysSent(): ReadonlySet<string> {
  return new Set(
    sent.map(({ request }) => (request.kind === "store" ? byteText(request.key) : "")),
  );
}

const stored = (exchange: number, now: number): void =>
  desk.answered(exchange, { kind: "stored", ttlSeconds: 1 }, 1, now);

describe("a newcomer among the closest", () => {
  it("gets every value, however few requests may be in flight", () => {
    upkeep.joined(newcomer, 0);
    runUntil(10_000, stored);
    expect(keysSent().size).toBe(4);
    // A copy takes the place of nothing that was written since, and lives no longer than this one.
    for (const { request } of sent) {
      expect(request).toMatchObject({ kind: "store", isCopy: true });
      const seconds = request.kind === "store" ? request.value.ttlSeconds : Number.NaN;
      expect(seconds).toBeLessThan(LIFE_MS / 1_000);
      expect(seconds).toBeGreaterThan(LIFE_MS / 1_000 - 15);
    }
  });

  it("gets no more in a second than it answers", () => {
    setUp(DHT_LIMITS.exchangesMax);
    keep(2_000);
    const rates = new RequestRates();
    const asker = { id: textBytes(SELF), source: "", isAddressProven: true };
    upkeep.joined(newcomer, 0);
    let asked = 0;
    for (let now = upkeep.deadline(); now < 20_000; now = upkeep.deadline()) {
      upkeep.timeout(now);
      for (; asked < sent.length; asked++) {
        expect(rates.admits(asker, "192.0.2.1", now)).toBe(true);
        stored(sent[asked]?.exchange ?? 0, now);
      }
    }
    expect(asked).toBe(2_000);
  });

  it("that is busy gets them later", () => {
    upkeep.joined(newcomer, 0);
    runUntil(10_000, (exchange, now) => desk.failed(exchange, now, true));
    const before = sent.length;
    runUntil(100_000, stored);
    expect(new Set(sent.slice(before).map(({ exchange }) => exchange)).size).toBe(4);
    expect(keysSent().size).toBe(4);
  });

  it("that stays busy is not asked for ever, nor one that is gone again", () => {
    upkeep.joined(newcomer, 0);
    runUntil(LIFE_MS / 2, (exchange, now) => desk.failed(exchange, now, true));
    expect(sent.length).toBeLessThanOrEqual(20);
    sent = [];
    upkeep.joined(newcomer, LIFE_MS / 2);
    runUntil(LIFE_MS, (exchange, now) => desk.failed(exchange, now, false));
    expect(sent.length).toBe(4);
  });
});

it("repairs every value, however few repairs may wait", () => {
  upkeep.start(0);
  roomForMore = 2;
  runUntil(2_500_000, stored);
  expect(again.length).toBe(2);
  roomForMore = 2;
  runUntil(upkeep.deadline() + 1_000, stored);
  expect(new Set(again).size).toBe(4);
});

it("hands a value over once, however long its repair waits", () => {
  upkeep.start(0);
  roomForMore = 0;
  upkeep.joined(newcomer, 1_300_000);
  runUntil(2_600_000, stored);
  const copies = sent.filter(({ request }) => request.kind === "store").length;
  expect(copies).toBeLessThanOrEqual(keysSent().size);
  roomForMore = 4;
  runUntil(upkeep.deadline() + 1_000, stored);
  expect(keysSent().size).toBe(4);
  expect(sent.length).toBe(4);
});

it("publishes what there was no room for when there is", () => {
  roomForMore = 0;
  const value = { kind: "plain", ttlSeconds: 3_600, bytes: Uint8Array.of(9) } as const;
  upkeep.publish(keyOf(new Uint8Array(32).fill(9)), value, 0);
  runUntil(1_000, stored);
  roomForMore = 1;
  runUntil(2_000, stored);
  expect(again.length).toBe(1);
});

describe("what a node publishes", () => {
  const key = keyOf(new Uint8Array(32).fill(9));
  const value = { kind: "plain", ttlSeconds: 3_600, bytes: Uint8Array.of(9) } as const;

  it("is stored three times in its life, until it is withdrawn", () => {
    upkeep.publish(key, value, 0);
    runUntil(2 * LIFE_MS - 1, stored);
    expect(triedAt).toEqual([0, 1, 2, 3, 4, 5].map((third) => (third * LIFE_MS) / 3));
    upkeep.withdraw(key, "plain");
    runUntil(4 * LIFE_MS, stored);
    expect(triedAt).toHaveLength(6);
  });

  it("is tried again after growing pauses while nobody takes it, then as it should be", () => {
    isTaken = false;
    upkeep.publish(key, value, 0);
    runUntil(800_000, stored);
    expect(triedAt.map((at) => at / 1_000)).toEqual([0, 15, 45, 105, 225, 465]);
    triedAt = [];
    isTaken = true;
    runUntil(LIFE_MS, stored);
    expect(triedAt.map((at) => at / 1_000)).toEqual([945, 2_145, 3_345]);
    // No pause is longer than a third of its life, and the next ones begin anew.
    isTaken = false;
    triedAt = [];
    runUntil(3_345_000 + 1_200_000 + 50_000, stored);
    expect(triedAt.map((at) => at / 1_000 - 4_545)).toEqual([0, 15, 45]);
  });

  it("is of so many values at the most, each of which may be told anew", () => {
    const keyed = (at: number) => keyWith(1, 0, at >> 8, at);
    for (let at = 0; at < 256; at++) expect(upkeep.publish(keyed(at), value, 0)).toBe(true);
    expect(upkeep.publish(keyed(256), value, 0)).toBe(false);
    expect(upkeep.publish(keyed(0), value, 0)).toBe(true);
    upkeep.withdraw(keyed(0), "plain");
    expect(upkeep.publish(keyed(256), value, 0)).toBe(true);
  });
});
