import { beforeEach, describe, expect, it } from "vitest";
import { SeededRandom } from "../../../src/base/index.ts";
import { ATTEMPTS_MAX, ExchangeDesk } from "../../../src/dht/exchange/exchange-desk.ts";
import { Peers } from "../../../src/dht/exchange/peers.ts";
import { DHT_LIMITS } from "../../../src/dht/limits.ts";
import type { Contact } from "../../../src/dht/wire/contact.ts";
import { contactAt, keyWith } from "../nodes.ts";

const PONG = { kind: "pong" } as const;
const PING = { kind: "ping" } as const;

let peers: Peers;
let desk: ExchangeDesk;
let contact: Contact;
let sent: { readonly exchange: number; readonly attempt: number }[];
let told: string[];

const owner = {
  slow: () => void told.push("slow"),
  silent: () => void told.push("silent"),
  answered: () => void told.push("answered"),
  failed: () => void told.push("failed"),
};

beforeEach(() => {
  peers = new Peers(new SeededRandom(1), DHT_LIMITS);
  contact = contactAt(keyWith(1));
  sent = [];
  told = [];
  const port = {
    send: (exchange: number, _to: Contact, _request: unknown, attempt: number) =>
      void sent.push({ exchange, attempt }),
    forget: () => {},
    heard: () => {},
    lost: () => void told.push("lost"),
  };
  desk = new ExchangeDesk({ peers, port }, DHT_LIMITS);
});

/** Asks at `now`, and lets so many attempts be late; the time by then. */
function askUntil(attempt: number, now: number): number {
  desk.ask(contact, PING, owner, now);
  let at = now;
  for (let late = 1; late < attempt; late++) {
    at = desk.deadline();
    desk.timeout(at);
  }
  return at;
}

/** The request in flight is answered. */
function answer(attempt: number, now: number): void {
  desk.answered(sent.at(-1)?.exchange ?? 0, PONG, attempt, now);
}

describe("a request without an answer", () => {
  it("is sent three times, and given up at the hard timeout", () => {
    desk.ask(contact, PING, owner, 0);
    let at = 0;
    for (; desk.deadline() < Number.POSITIVE_INFINITY; desk.timeout(at)) at = desk.deadline();
    expect(sent.map(({ attempt }) => attempt)).toEqual([1, 2, ATTEMPTS_MAX]);
    // Slow is not dead: only at the end is it taken for gone.
    expect(told).toEqual(["slow", "silent", "lost", "failed"]);
    expect(at).toBe(DHT_LIMITS.hardTimeoutMs);
  });
});

describe("the round trip of a peer", () => {
  const learn = (): void => {
    for (let i = 0; i < 20; i++) {
      askUntil(1, 1_000 * i);
      answer(1, 1_000 * i + 40);
    }
  };

  it("is that of the attempt that was answered", () => {
    learn();
    const before = peers.softTimeoutMs(contact.key);
    const at = askUntil(2, 50_000);
    expect(sent.at(-1)?.attempt).toBe(2);
    answer(2, at + 40);
    expect(peers.softTimeoutMs(contact.key)).toBeCloseTo(before, 0);
  });

  it("grows by an answer to the first attempt that comes after the second was made", () => {
    learn();
    const before = peers.softTimeoutMs(contact.key);
    askUntil(2, 50_000);
    answer(1, 50_120);
    expect(peers.softTimeoutMs(contact.key)).toBeGreaterThan(2 * before);
  });

  it("begins when the way that had to be made first is there", () => {
    learn();
    const before = peers.softTimeoutMs(contact.key);
    askUntil(1, 50_000);
    const exchange = sent.at(-1)?.exchange ?? 0;
    desk.dialling(exchange, 50_000);
    expect(desk.deadline()).toBeCloseTo(50_000 + 4 * before, 0);
    desk.dialled(exchange, 50_150);
    expect(desk.deadline()).toBeCloseTo(50_150 + before, 0);
    answer(1, 50_190);
    expect(peers.softTimeoutMs(contact.key)).toBeCloseTo(before, 0);
    expect(told).not.toContain("slow");
  });

  it("is not learned from the last attempt, but the peer lives", () => {
    learn();
    const before = peers.softTimeoutMs(contact.key);
    askUntil(ATTEMPTS_MAX, 50_000);
    expect(peers.isSilent(contact.key)).toBe(true);
    answer(ATTEMPTS_MAX, 58_000);
    expect(peers.softTimeoutMs(contact.key)).toBe(before);
    expect(peers.isLate(contact.key)).toBe(false);
  });

  it("is over by the hard timeout, however long it took to make a way", () => {
    askUntil(1, 0);
    desk.dialling(1, 0);
    while (sent.length < ATTEMPTS_MAX) desk.timeout(desk.deadline());
    // What was asked meanwhile went nowhere: the attempts that can be lost are still to be made.
    desk.dialled(1, 6_000);
    let at = 0;
    for (; desk.size > 0; desk.timeout(at)) at = desk.deadline();
    expect(at).toBe(DHT_LIMITS.hardTimeoutMs);
    expect(sent.map(({ attempt }) => attempt)).toEqual([1, 2, 3, 2, 3]);
    expect(told.at(-1)).toBe("failed");
  });
});
