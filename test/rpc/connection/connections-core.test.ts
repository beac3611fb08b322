import { describe, expect, it } from "vitest";
import { NodeIdentity } from "../../../src/identity/index.ts";
import {
  type CONNECTION_LIMITS,
  resolveConnectionLimits,
} from "../../../src/rpc/connection/connection-limits.ts";
import {
  AT_ONCE_BYTES,
  type ConnectionEffect,
  type ConnectionInput,
  ConnectionsCore,
} from "../../../src/rpc/connection/connections-core.ts";
import { effectsOf } from "../../effects-of.ts";

function peer(n: number): NodeIdentity {
  const seed = new Uint8Array(32);
  new DataView(seed.buffer).setUint32(0, n + 1);
  return new NodeIdentity(seed);
}

class Rig {
  now = 0;
  readonly busy = new Set<Uint8Array>();
  isAwaited = false;
  readonly unwanted = new Set<number>();
  readonly core: ConnectionsCore<number>;
  #message = 0;

  constructor(limits: Partial<typeof CONNECTION_LIMITS> = {}) {
    this.core = new ConnectionsCore({
      limits: resolveConnectionLimits(limits),
      isBusy: (id) => [...this.busy].some((other) => other.every((byte, at) => byte === id[at])),
      isAwaited: () => this.isAwaited,
      isWanted: (message) => !this.unwanted.has(message),
      now: 0,
    });
  }

  give(input: ConnectionInput<number>): ConnectionEffect<number>[] {
    this.core.handle(input, this.now);
    return this.drain();
  }

  send(n: number, length: number = 10): ConnectionEffect<number>[] {
    this.#message += 1;
    const bytes = new Uint8Array(length);
    return this.give({ kind: "send", peer: peer(n).id, message: this.#message, bytes });
  }

  /** Connects a peer without a message. */
  open(n: number, isFull = false): ConnectionEffect<number>[] {
    return this.give({ kind: "opened", peer: peer(n).id, connection: n, isFull });
  }

  /** Lets timers run up to an instant. */
  at(now: number): ConnectionEffect<number>[] {
    const effects: ConnectionEffect<number>[] = [];
    while (this.core.deadline() <= now) {
      this.now = this.core.deadline();
      this.core.timeout(this.now);
      effects.push(...this.drain());
    }
    this.now = now;
    return effects;
  }

  drain(): ConnectionEffect<number>[] {
    return [...effectsOf(this.core)];
  }
}

const kinds = (effects: readonly ConnectionEffect<number>[]): string[] =>
  effects.map(({ kind }) => kind);
const closed = (effects: readonly ConnectionEffect<number>[]): number[] =>
  effects.flatMap((effect) => (effect.kind === "close" ? [effect.connection] : []));

describe("the way to a peer", () => {
  it("is an open connection, before all others", () => {
    const rig = new Rig();
    rig.open(1);
    expect(rig.send(1)).toMatchObject([{ kind: "transmit", connection: 1, message: 1 }]);
  });

  it("is dialled once for all that waits, and takes it when it opens", () => {
    const rig = new Rig();
    expect(rig.send(1)).toMatchObject([{ kind: "dial", peer: peer(1).id }]);
    expect(rig.send(1)).toEqual([]);
    expect(rig.open(1)).toMatchObject([{ message: 1 }, { message: 2 }]);
  });

  it("that does not exist is a local failure, at once; the next message tries again", () => {
    const rig = new Rig();
    const failed = { kind: "dialFailed", peer: peer(1).id, isBusy: false } as const;
    rig.send(1);
    rig.send(1);
    expect(rig.give(failed)).toEqual([
      { kind: "unsent", message: 1, isBusy: false },
      { kind: "unsent", message: 2, isBusy: false },
    ]);
    expect([rig.core.connectionCount, rig.give(failed)]).toEqual([0, []]);
    expect(kinds(rig.send(1))).toEqual(["dial"]);
  });

  it("may be made by the peer meanwhile", () => {
    const rig = new Rig();
    rig.send(1);
    expect(kinds(rig.open(1))).toEqual(["transmit"]);
    expect(rig.give({ kind: "dialFailed", peer: peer(1).id, isBusy: false })).toEqual([]);
  });

  it("is sought again when it breaks under what waits", () => {
    const rig = new Rig();
    rig.open(1);
    rig.give({ kind: "full", peer: peer(1).id, connection: 1 });
    expect(rig.send(1)).toEqual([]);
    const broken = rig.give({ kind: "closed", peer: peer(1).id, connection: 1 });
    expect(kinds(broken)).toEqual(["disturbed", "dial"]);
    expect(kinds(rig.open(1))).toEqual(["transmit"]);
  });

  it("takes no more than it can when it is told twice that it is there", () => {
    const rig = new Rig();
    rig.open(1);
    rig.give({ kind: "full", peer: peer(1).id, connection: 1 });
    rig.send(1);
    expect(rig.open(1, true)).toEqual([]);
    const writable = rig.give({ kind: "writable", peer: peer(1).id, connection: 1 });
    expect(writable).toMatchObject([{ kind: "transmit", message: 1 }]);
  });

  it("is not given up by news of an old connection", () => {
    const rig = new Rig();
    rig.open(1);
    rig.give({ kind: "opened", peer: peer(1).id, connection: 9, isFull: false });
    const news = rig.give({ kind: "closed", peer: peer(1).id, connection: 1 });
    expect(news.map(({ kind }) => kind)).toEqual(["disturbed"]);
    expect(rig.send(1)).toMatchObject([{ kind: "transmit", connection: 9 }]);
  });
});

describe("keeping connections", () => {
  it("closes what was idle for 600 s, looking every 5 s", () => {
    const rig = new Rig();
    rig.open(1);
    expect(rig.core.deadline()).toBe(5_000);
    expect(closed(rig.at(599_999))).toEqual([]);
    expect(closed(rig.at(605_000))).toEqual([1]);
    expect(rig.core.deadline()).toBe(Number.POSITIVE_INFINITY);
  });

  it("keeps the 32 that were used last, and closes the others within 5 s", () => {
    const rig = new Rig();
    for (let n = 1; n <= 40; n++) rig.open(n);
    rig.give({ kind: "heard", peer: peer(1).id });
    expect(closed(rig.at(5_000))).toEqual([2, 3, 4, 5, 6, 7, 8, 9]);
  });

  it("never closes one that is busy or that messages wait for", () => {
    const rig = new Rig({ idleKept: 0 });
    for (let n = 1; n <= 3; n++) rig.open(n);
    rig.busy.add(peer(1).id);
    rig.give({ kind: "full", peer: peer(2).id, connection: 2 });
    rig.send(2);
    expect(closed(rig.at(5_000))).toEqual([3]);
    expect(closed(rig.at(3_600_000))).toEqual([]);
    rig.busy.clear();
    expect(closed(rig.at(3_605_000))).toEqual([1]);
  });

  it("makes room at 512 by closing the longest idle, and refuses when all are busy", () => {
    const rig = new Rig();
    for (let n = 1; n <= 512; n++) rig.open(n);
    const full = rig.send(513);
    expect(closed(full)).toEqual([1]);
    expect(kinds(full)).toContain("dial");
    expect(rig.core.connectionCount).toBe(512);
    const busy = new Rig({ connectionsMax: 2 });
    for (const n of [1, 2]) {
      busy.open(n);
      busy.busy.add(peer(n).id);
    }
    expect(busy.send(3)).toMatchObject([{ kind: "unsent", isBusy: true }]);
    expect(closed(busy.open(4))).toEqual([4]);
  });
});

describe("the throttle", () => {
  it("lets a burst of one connection through, and the rest as its bucket fills", () => {
    const rig = new Rig({ bytesBurst: 1_000, bytesPerSecond: 1_000 });
    rig.open(1);
    const sent = Array.from({ length: 15 }, () => rig.send(1, 100)).flat();
    expect(kinds(sent)).toEqual(Array.from({ length: 10 }, () => "transmit"));
    expect(rig.core.deadline()).toBeCloseTo(100);
    expect(kinds(rig.at(99))).toEqual([]);
    expect(kinds(rig.at(251))).toEqual(["transmit", "transmit"]);
    expect(kinds(rig.at(600))).toHaveLength(3);
  });

  it("holds all connections together to the total, none of them for ever", () => {
    const rig = new Rig({ totalBytesBurst: 1_000, totalBytesPerSecond: 1_000 });
    for (const n of [1, 2, 3, 4]) rig.open(n);
    const bursts = [1, 2, 3, 4].flatMap((n) => Array.from({ length: 10 }, () => rig.send(n, 100)));
    expect(kinds(bursts.flat())).toHaveLength(10);
    const later = rig.at(3_100).filter(({ kind }) => kind === "transmit");
    expect(later).toHaveLength(30);
  });

  it("opens again for whoever waits for the shortest time, whatever others wait for", () => {
    const rig = new Rig({ bytesBurst: 1_000, bytesPerSecond: 1_000 });
    for (const n of [1, 2]) {
      rig.open(n);
      expect(kinds(rig.send(n, 1_000))).toEqual(["transmit"]);
    }
    expect([...rig.send(1, 100), ...rig.send(2, 900)]).toEqual([]);
    expect(rig.at(101)).toMatchObject([{ kind: "transmit", connection: 1 }]);
    expect(rig.at(901)).toMatchObject([{ kind: "transmit", connection: 2 }]);
  });

  it("lets a message through that is larger than a whole bucket", () => {
    const rig = new Rig({ bytesBurst: 100, bytesPerSecond: 100 });
    rig.open(1);
    expect(kinds(rig.send(1, 5_000))).toEqual(["transmit"]);
  });
});

describe("what waits", () => {
  it("is bounded for each peer and in all, and no peer is read that does not read", () => {
    const rig = new Rig({
      queuedBytesPerPeerMax: 1_000,
      queuedBytesMax: 1_500,
      queuedBytesHigh: 500,
    });
    for (const n of [1, 2]) {
      rig.open(n);
      rig.give({ kind: "full", peer: peer(n).id, connection: n });
    }
    expect(rig.send(1, 500)).toEqual([]);
    expect(rig.send(1, 500)).toMatchObject([{ kind: "reading", isReading: false }]);
    expect(kinds(rig.send(1, 1))).toEqual(["unsent"]);
    expect(rig.send(2, 500)).toEqual([]);
    const freed = rig.give({ kind: "writable", peer: peer(1).id, connection: 1 });
    expect(kinds(freed)).toEqual(["transmit", "transmit", "reading"]);
  });

  it("lets a peer be read whose answer is awaited; others are stopped on a new link too", () => {
    const rig = new Rig({ queuedBytesHigh: 500 });
    rig.open(1, true);
    rig.isAwaited = true;
    expect(rig.send(1, 1_000)).toEqual([]);
    rig.isAwaited = false;
    expect(rig.send(1)).toMatchObject([{ kind: "reading", isReading: false }]);
    const opened = { kind: "opened", peer: peer(1).id, connection: 9, isFull: true } as const;
    expect(rig.give(opened)).toMatchObject([
      { kind: "close", connection: 1 },
      { kind: "reading", isReading: false },
    ]);
    rig.isAwaited = true;
    expect(rig.send(1)).toMatchObject([{ kind: "reading", isReading: true }]);
  });

  it("does not wait for ever for a peer that waits for this one to read", () => {
    const rig = new Rig({ queuedBytesHigh: 500 });
    rig.open(1, true);
    expect(rig.send(1, 1_000)).toMatchObject([{ kind: "reading", isReading: false }]);
    expect(rig.at(10_000)).toMatchObject([{ kind: "reading", isReading: true }]);
    // And reads on until half of that has gone, whatever else comes to wait.
    expect(rig.send(1, 1_000)).toEqual([]);
    const freed = rig.give({ kind: "writable", peer: peer(1).id, connection: 1 });
    expect(kinds(freed)).toEqual(["transmit", "transmit"]);
    rig.give({ kind: "full", peer: peer(1).id, connection: 1 });
    expect(rig.send(1, 1_000)).toMatchObject([{ kind: "reading", isReading: false }]);
  });

  it("lets who only wants a connection pass by what waits for room on it", () => {
    const rig = new Rig();
    rig.open(1, true);
    expect(rig.send(1)).toEqual([]);
    expect(rig.send(1, 0)).toMatchObject([{ kind: "transmit", message: 2 }]);
  });

  it("is dropped when nobody wants it any more, and gives its room to others", () => {
    const rig = new Rig({ queuedBytesPerPeerMax: 1_000 });
    rig.open(1, true);
    for (let message = 1; message <= 10; message++) expect(rig.send(1, 100)).toEqual([]);
    for (const message of [1, 3, 10]) rig.unwanted.add(message);
    expect(rig.send(1, 300)).toEqual([]);
    expect(kinds(rig.send(1, 1))).toEqual(["unsent"]);
    for (const message of [2, 11]) rig.unwanted.add(message);
    const freed = rig.give({ kind: "writable", peer: peer(1).id, connection: 1 });
    const sent = freed.map((effect) => effect.kind === "transmit" && effect.message);
    expect(sent).toEqual([4, 5, 6, 7, 8, 9]);
  });

  it("goes out a part at a time: what a connection was not given yet can be given up", () => {
    const rig = new Rig();
    for (let message = 1; message <= 9; message++) rig.send(1, AT_ONCE_BYTES / 4);
    const given = (effects: readonly ConnectionEffect<number>[]): number[] =>
      effects.flatMap((effect) => (effect.kind === "transmit" ? [effect.message] : []));
    expect(given(rig.open(1))).toEqual([1, 2, 3, 4]);
    rig.unwanted.add(5);
    const writable = { kind: "writable", peer: peer(1).id, connection: 1 } as const;
    expect(given(rig.give(writable))).toEqual([6, 7, 8, 9]);
  });

  it("may be one message of any size", () => {
    const rig = new Rig({ queuedBytesPerPeerMax: 1_000 });
    rig.open(1, true);
    expect(rig.send(1, 5_000)).toEqual([]);
    expect(kinds(rig.send(1, 1))).toEqual(["unsent"]);
  });

  it("gives way where it is most: some that do not read are in nobody else's way", () => {
    const rig = new Rig({ queuedBytesPerPeerMax: 1_000, queuedBytesMax: 1_500 });
    for (const n of [1, 2, 3]) {
      rig.open(n);
      rig.give({ kind: "full", peer: peer(n).id, connection: n });
    }
    for (const n of [1, 1, 2]) expect(rig.send(n, 500)).toEqual([]);
    // Whoever has most himself is refused; for anybody else that one's oldest is given up.
    expect(rig.send(1, 1)).toMatchObject([{ kind: "unsent", message: 4, isBusy: true }]);
    expect(rig.send(3, 450)).toMatchObject([{ kind: "unsent", message: 1, isBusy: true }]);
    expect(rig.send(2, 101)).toMatchObject([{ kind: "unsent", message: 6, isBusy: true }]);
    const freed = rig.give({ kind: "writable", peer: peer(1).id, connection: 1 });
    expect(freed).toMatchObject([{ kind: "transmit", message: 2 }]);
  });

  it("keeps no memory that it shares with others", () => {
    const rig = new Rig();
    const shared = new Uint8Array(1_000).fill(7).subarray(100, 110);
    const send = { kind: "send", peer: peer(1).id, message: 1, bytes: shared } as const;
    rig.give(send);
    const [waited] = rig.open(1).filter((effect) => effect.kind === "transmit");
    expect(waited?.bytes).toEqual(shared);
    expect(waited?.bytes.buffer.byteLength).toBe(10);
    const [sent] = rig.give(send).filter((effect) => effect.kind === "transmit");
    expect(sent?.bytes).toBe(shared);
  });

  it("is given back at the end, of every peer, and is not sent any more", () => {
    const rig = new Rig();
    for (const n of [1, 2, 1]) rig.send(n);
    rig.open(3);
    rig.give({ kind: "full", peer: peer(3).id, connection: 3 });
    rig.send(3);
    const waiting = rig.core.takeWaiting();
    expect(waiting.map(({ message }) => message)).toEqual([2, 1, 3, 4]);
    expect(waiting.map(({ connection }) => connection)).toEqual([...Array(3).fill(undefined), 3]);
    expect(rig.core.takeWaiting()).toEqual([]);
    expect(rig.open(1, true)).toEqual([]);
  });
});
