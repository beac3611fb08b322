import { describe, expect, it } from "vitest";
import { type ErrorCode, SeededRandom } from "../../src/base/index.ts";
import {
  Contact,
  HandOverCore,
  type HandOverEffect,
  type OfferAnswer,
} from "../../src/dht/index.ts";
import { contactAt, randomContacts } from "./nodes.ts";

const TTL = { ttlSeconds: 604_800 };
/** A look at all records takes place at least once in this time. */
const LOOK_MS = 100_000;

type OfferEffect = HandOverEffect & { readonly kind: "offer" };
type OfferAnswering = (offer: OfferEffect) => OfferAnswer;

/** A hand-over of a node that keeps so many records, and knows those who are `near`. */
class Scene {
  readonly core: HandOverCore;
  readonly addresses: readonly Uint8Array[];
  near: readonly Contact[] = [];
  now = 0;

  constructor(records = 1, seed = 1) {
    const random = new SeededRandom(seed);
    this.core = new HandOverCore({
      id: random.bytes(32),
      random,
      neighbourhood: {
        nodesEstimated: 1_000,
        closestKnown: (_address, count, isWanted = () => true) => {
          return this.near.filter(isWanted).slice(0, count);
        },
        isDemoted: () => false,
      },
    });
    this.addresses = Array.from({ length: records }, () => random.bytes(32));
    for (const address of this.addresses) this.keep(address);
  }

  get effects(): HandOverEffect[] {
    const effects: HandOverEffect[] = [];
    for (let next = this.core.poll(); next !== undefined; next = this.core.poll()) {
      effects.push(next);
    }
    return effects;
  }

  get offers(): OfferEffect[] {
    return this.effects.filter((effect) => effect.kind === "offer");
  }

  keep(address: Uint8Array): void {
    this.core.handle({ kind: "kept", address, ...TTL }, this.now);
  }

  answer({ offer }: OfferEffect, answer: OfferAnswer): void {
    this.core.handle({ kind: "answer", offer, answer }, this.now);
  }

  /** Answers these offers, and all that are made then, each at once. */
  answerAll(offers: readonly OfferEffect[], answer: OfferAnswering): OfferEffect[] {
    const made = [...offers];
    for (const offer of made) {
      this.answer(offer, answer(offer));
      made.push(...this.offers);
    }
    return made;
  }

  /** Lets time go by. @returns the offers that were made, and answered if that is told */
  pass(ms: number, answer?: OfferAnswering): OfferEffect[] {
    const made: OfferEffect[] = [];
    const until = this.now + ms;
    for (let at = this.core.deadline(); at <= until; at = this.core.deadline()) {
      this.now = at;
      this.core.timeout(at);
      const { offers } = this;
      made.push(...(answer === undefined ? offers : this.answerAll(offers, answer)));
    }
    this.now = until;
    return made;
  }
}

const taken = (): OfferAnswer => ({ kind: "taken" });
const failed = (code: ErrorCode) => (): OfferAnswer => ({ kind: "failed", code });

describe("the offers of a hand-over", () => {
  it("go to a newcomer, some at once, each record once", () => {
    const scene = new Scene(100);
    scene.near = randomContacts(2, 1);
    const first = scene.pass(LOOK_MS);
    expect(first).toHaveLength(16);
    const all = scene.answerAll(first, taken);
    expect(all).toHaveLength(100);
    expect(new Set(all.map(({ address }) => String(address))).size).toBe(100);
    expect(scene.pass(10 * LOOK_MS, taken)).toEqual([]);
    expect(scene.core.counts).toEqual({ watched: 100, handedOver: 100, failed: 0 });
  });

  it("are as many as may wait, and the others come at the next look", () => {
    const scene = new Scene(12_000);
    scene.near = randomContacts(2, 1);
    const made = scene.answerAll(scene.pass(LOOK_MS), taken);
    expect(made).toHaveLength(8_192 + 16);
    expect(scene.pass(2 * LOOK_MS, taken)).toHaveLength(12_000 - made.length);
    expect(scene.core.counts.handedOver).toBe(12_000);
  });

  it.each([
    ["CULVERT_BUSY", true],
    ["CULVERT_CONFLICT", false],
  ] as const)("are made again at the next look after %s: %s", (code, isAgain) => {
    const scene = new Scene();
    scene.near = randomContacts(2, 1);
    expect(scene.pass(LOOK_MS, failed(code))).toHaveLength(1);
    expect(scene.pass(LOOK_MS, taken)).toHaveLength(isAgain ? 1 : 0);
    expect(scene.core.counts).toMatchObject({ handedOver: isAgain ? 1 : 0, failed: 1 });
  });

  it("end with a record that is gone, unless it was stored again meanwhile", () => {
    const scene = new Scene(2);
    scene.near = randomContacts(2, 1);
    const [lost, kept] = scene.pass(LOOK_MS);
    if (lost === undefined || kept === undefined) throw new Error("two offers");
    scene.keep(kept.address);
    for (const offer of [lost, kept]) scene.answer(offer, { kind: "gone" });
    expect(scene.core.counts.watched).toBe(1);
    expect(scene.pass(LOOK_MS, taken).map(({ address }) => address)).toEqual([kept.address]);
  });

  it("take no answer twice", () => {
    const scene = new Scene();
    scene.near = randomContacts(2, 1);
    const [offer] = scene.pass(LOOK_MS);
    if (offer === undefined) throw new Error("one offer");
    scene.answer(offer, taken());
    scene.answer(offer, { kind: "gone" });
    expect(scene.core.counts).toEqual({ watched: 1, handedOver: 1, failed: 0 });
  });

  it("are the same each time from one seed", () => {
    const run = (): unknown => {
      const scene = new Scene(50, 7);
      scene.near = randomContacts(2, 3);
      return scene.pass(LOOK_MS, taken);
    };
    expect(run()).toEqual(run());
  });
});

describe("what a store holds from an earlier run", () => {
  it("is read once the node has joined, and after longer pauses when that fails", () => {
    const scene = new Scene(0);
    scene.core.handle({ kind: "joined" }, 0);
    expect(scene.effects).toEqual([{ kind: "read" }]);
    const pauses = Array.from({ length: 8 }, () => {
      scene.core.handle({ kind: "unread" }, scene.now);
      const at = scene.core.deadline();
      const pauseMs = at - scene.now;
      scene.now = at;
      scene.core.timeout(at);
      expect(scene.effects).toEqual([{ kind: "read" }]);
      return pauseMs / 60_000;
    });
    expect(pauses).toEqual([1, 2, 4, 8, 16, 32, 60, 60]);
    expect(scene.core.deadline()).toBe(Number.POSITIVE_INFINITY);
  });

  it("is offered to who is near, and what is kept since only to newcomers", () => {
    const scene = new Scene(0);
    const [held, kept] = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)];
    scene.near = randomContacts(2, 1);
    scene.core.handle({ kind: "held", address: held, ...TTL }, 0);
    scene.keep(kept);
    expect(scene.pass(LOOK_MS, taken).map(({ address }) => address)).toEqual([held]);
  });
});

describe("a node whose store was begun anew", () => {
  const mark = (byte: number): Uint8Array => new Uint8Array(16).fill(byte);

  function scene() {
    const scene = new Scene(3);
    const [neighbour, stranger] = randomContacts(2, 2);
    if (neighbour === undefined || stranger === undefined) throw new Error("two nodes");
    scene.near = [neighbour];
    scene.pass(LOOK_MS, taken);
    const says = (byte: number, { id }: Contact = neighbour): boolean => {
      const notice = { id, mark: mark(byte) };
      const isBelieved = scene.core.believes(notice, scene.now);
      scene.core.handle({ kind: "new-store", ...notice }, scene.now);
      return isBelieved;
    };
    return { scene, stranger, says };
  }

  it("is offered what it should have, once for each mark", () => {
    const { scene: at, says } = scene();
    expect([says(1), says(1)]).toEqual([true, true]);
    expect(at.pass(LOOK_MS, taken)).toHaveLength(3);
    expect(says(1)).toBe(true);
    expect(at.pass(LOOK_MS, taken)).toEqual([]);
  });

  it("is believed no more often than it could be away", () => {
    const { scene: at, says } = scene();
    expect([1, 1, 2, 3, 4].map((byte) => says(byte))).toEqual([true, true, true, true, false]);
    at.pass(900_000, taken);
    expect([says(4), says(5)]).toEqual([true, false]);
  });

  it("is not believed when it is no neighbour", () => {
    const { scene: at, stranger, says } = scene();
    expect(says(1, stranger)).toBe(false);
    expect(at.pass(LOOK_MS, taken)).toEqual([]);
  });
});

describe("what a hand-over costs", () => {
  const RECORDS = 1_500;
  const HOURS = 2;
  /** As many copies of all as one has at first, and those that it may have again. */
  const COPIES_MAX = 4 + 4 * HOURS;

  /** Each minute somebody is there or nobody. @returns how often all records were read */
  function copies(nearAt: (minute: number) => readonly Contact[], answer = taken): number {
    const scene = new Scene(RECORDS);
    let offers = 0;
    for (let minute = 0; minute < 60 * HOURS; minute++) {
      scene.near = nearAt(minute);
      offers += scene.pass(60_000, answer).length;
    }
    return offers / RECORDS;
  }

  it("is bounded where a neighbour comes and goes each minute", () => {
    const near = randomContacts(2, 1);
    const made = copies((minute) => (minute % 2 === 0 ? near : []));
    expect(made).toBeGreaterThan(4);
    expect(made).toBeLessThanOrEqual(COPIES_MAX);
  });

  it("is bounded where it has another name each time", () => {
    const hosts = Array.from({ length: 200 }, (_, i) => `198.51.100.${i}`);
    const names = randomContacts(2, 200).map(({ key }, i) => contactAt(key, hosts[i]));
    expect(copies((minute) => names.slice(minute, minute + 1))).toBeLessThanOrEqual(COPIES_MAX);
    const relays = [new Uint8Array(32).fill(9)];
    const behindRelay = names.map(({ id }) => Contact.of(id, { addresses: [], relays }));
    const made = copies((minute) => behindRelay.slice(minute, minute + 1));
    expect(made).toBeLessThanOrEqual(COPIES_MAX);
  });

  it("is bounded where it comes by another relay each time that nobody knows", () => {
    const names = randomContacts(2, 200).map(({ id }, i) => {
      return Contact.of(id, { addresses: [], relays: [new Uint8Array(32).fill(i)] });
    });
    const made = copies((minute) => names.slice(minute, minute + 1));
    expect(made).toBeLessThanOrEqual(COPIES_MAX);
  });

  it("is not used up by who comes by a relay and names its network", () => {
    const host = "198.51.100.7";
    const names = randomContacts(2, 60).map(({ key }) => contactAt(key, host).heardThroughRelay());
    const [honest] = randomContacts(3, 1).map(({ key }) => contactAt(key, host).heardAt(host));
    if (honest === undefined) throw new Error("one node");
    const scene = new Scene(RECORDS);
    for (const name of names) {
      scene.near = [name];
      scene.pass(60_000, taken);
    }
    scene.near = [honest];
    const own = scene.pass(2 * LOOK_MS, taken).filter(({ to }) => to === honest);
    expect(own).toHaveLength(RECORDS);
  });

  it("is bounded where it takes nothing", () => {
    const near = randomContacts(2, 1);
    expect(copies(() => near, failed("CULVERT_FULL"))).toBeLessThanOrEqual(COPIES_MAX);
  });

  it("is next to nothing where it is not there, which is not held against it", () => {
    const scene = new Scene(RECORDS);
    scene.near = randomContacts(2, 1);
    const made = scene.pass(HOURS * 3_600_000, failed("CULVERT_UNREACHABLE"));
    expect(made.length).toBeLessThan(HOURS * RECORDS);
    scene.pass(2 * LOOK_MS, taken);
    expect(scene.core.counts.handedOver).toBe(RECORDS);
  });

  it("is not counted for what waited for one that was not there", () => {
    const scene = new Scene(RECORDS);
    scene.near = randomContacts(2, 1);
    for (let look = 0; look < 6; look++) {
      const open = scene.pass(LOOK_MS);
      for (const offer of open) scene.answer(offer, failed("CULVERT_UNREACHABLE")());
    }
    scene.pass(2 * LOOK_MS, taken);
    expect(scene.core.counts.handedOver).toBe(RECORDS);
  });

  it("is for whole copies, not for the same part each time", () => {
    const scene = new Scene(RECORDS);
    const near = randomContacts(2, 1);
    const offered = new Set<string>();
    for (let minute = 0; minute < 120; minute++) {
      scene.near = minute % 2 === 0 ? near : [];
      // What was left of the first copies is used up by then.
      if (minute === 60) offered.clear();
      for (const { address } of scene.pass(60_000, taken)) offered.add(String(address));
    }
    expect(offered.size).toBe(RECORDS);
  });

  it("leaves whoever stays all that it lacks a quarter of an hour later", () => {
    const scene = new Scene(RECORDS);
    const near = randomContacts(2, 1);
    const has = new Set<string>();
    const take = ({ address }: OfferEffect): OfferAnswer => {
      has.add(String(address));
      return taken();
    };
    for (let minute = 0; minute < 120; minute++) {
      scene.near = minute % 2 === 0 ? near : [];
      scene.pass(60_000, take);
    }
    has.clear();
    scene.near = near;
    scene.pass(900_000 + 2 * LOOK_MS, take);
    expect(has.size).toBe(RECORDS);
  });

  it("leaves others their places, however many names one has that never answers", () => {
    const scene = new Scene(RECORDS);
    const silent = randomContacts(2, 3).map(({ key }, i) => contactAt(key, `198.51.100.${i}`));
    const [honest] = randomContacts(3, 1);
    if (honest === undefined) throw new Error("one node");
    scene.near = [...silent, honest];
    const has = new Set<string>();
    let offers = scene.pass(LOOK_MS);
    while (offers.some(({ to }) => to === honest)) {
      const own = offers.filter(({ to }) => to === honest);
      for (const offer of own) has.add(String(offer.address));
      for (const offer of own) scene.answer(offer, taken());
      offers = scene.offers;
    }
    expect(has.size).toBe(RECORDS);
  });
});
