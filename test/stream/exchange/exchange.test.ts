import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { exchangeFixture } from "../exchange-fixture.ts";

const NEVER = Number.POSITIVE_INFINITY;
/** The longest that a first time-out can be: the guess and its jitter. */
const GUESS_MS = 3_000 * 1.1;

describe("a turn of an exchange", () => {
  const due = { deadline: () => 0 };

  it("has room for four requests, and another turn is asked for once", () => {
    const { exchange, effects, put, get } = exchangeFixture({}, 4);
    put(0, 0);
    get(0, 0);
    put(1, 0);
    expect([exchange.mayPut(0), exchange.mayGet(0)]).toEqual([true, true]);
    exchange.endTurn(due, 0);
    expect(effects.map(({ kind }) => kind)).toEqual(["put", "get", "put"]);
    get(1, 0);
    expect([exchange.mayPut(0), exchange.mayGet(0)]).toEqual([false, false]);
    exchange.endTurn(due, 0);
    exchange.endTurn(due, 0);
    expect(effects.slice(3).map(({ kind }) => kind)).toEqual(["get", "turn"]);
    expect([exchange.readyAt("put", 0), exchange.readyAt("get", 0)]).toEqual([NEVER, NEVER]);
    exchange.beginTurn();
    expect([exchange.mayPut(0), exchange.readyAt("get", 0)]).toEqual([true, 0]);
  });

  it("is followed by none as long as nothing is due", () => {
    const { exchange, effects, put } = exchangeFixture({}, 2);
    put(0, 0);
    put(1, 0);
    exchange.endTurn({ deadline: () => 5 }, 0);
    expect(effects).toHaveLength(2);
    // A timer may ask for the next turn.
    expect(exchange.readyAt("put", 0)).toBe(0);
    exchange.endTurn({ deadline: () => 5 }, 5);
    expect(effects.at(-1)?.kind).toBe("turn");
  });
});

describe("the windows of an exchange", () => {
  it("hold so many puts, and as many gets, each of them freed by an answer", () => {
    const { exchange, put, get } = exchangeFixture({ window: 2 });
    const puts = [put(0, 0), put(1, 0)];
    expect([exchange.mayPut(0), exchange.mayGet(0), exchange.readyAt("put", 0)]).toEqual([
      false,
      true,
      NEVER,
    ]);
    get(0, 0);
    get(1, 0);
    expect([exchange.mayGet(0), exchange.readyAt("get", 0)]).toEqual([false, NEVER]);
    exchange.settle(puts[0]?.id ?? 0, 5);
    expect([exchange.mayPut(5), exchange.mayGet(5), exchange.readyAt("put", 5)]).toEqual([
      true,
      false,
      5,
    ]);
  });

  it("count a reservation from the moment it is made until it is given back", () => {
    const { exchange } = exchangeFixture({ window: 1 });
    exchange.reservePut(0);
    expect(exchange.mayPut(0)).toBe(false);
    exchange.releasePut();
    expect(exchange.mayPut(0)).toBe(true);
  });

  it("are freed once by a request that is late, answered, failed or cancelled", () => {
    const endings = fc.array(fc.constantFrom("settle", "fail", "cancel", "late"), {
      minLength: 1,
      maxLength: 6,
    });
    fc.assert(
      fc.property(endings, fc.boolean(), (ways, isPut) => {
        const { exchange, put, get, lateAt } = exchangeFixture({ window: 1 });
        const request = isPut ? put(0, 0) : get(0, 0);
        for (const way of ways) {
          if (way === "settle") exchange.settle(request.id, 1);
          else if (way === "fail") exchange.fail(request.id);
          else if (way === "cancel") exchange.cancel(request);
          else lateAt(GUESS_MS);
        }
        // One more place than before would be one too many.
        const now = GUESS_MS;
        const may = () => (isPut ? exchange.mayPut(now) : exchange.mayGet(now));
        expect(may()).toBe(true);
        if (isPut) put(1, now);
        else get(1, now);
        expect(may()).toBe(false);
      }),
      { seed: 1 },
    );
  });

  it("stay closed for a while after a failure, however many others fail with it", () => {
    const { exchange } = exchangeFixture();
    exchange.pause("CULVERT_UNREACHABLE", 0);
    const until = exchange.readyAt("get", 0);
    exchange.pause("CULVERT_UNREACHABLE", until - 1);
    expect(exchange.readyAt("put", 0)).toBe(until);
    expect([exchange.mayPut(until - 1), exchange.mayGet(until - 1)]).toEqual([false, false]);
    expect([exchange.mayPut(until), exchange.mayGet(until)]).toEqual([true, true]);
  });

  it("stay closed twice as long with each failure, until there is an answer", () => {
    const { exchange, get } = exchangeFixture({ rtoInitialMs: 60_000 });
    let now = 0;
    const pauseMs = (): number => {
      exchange.pause("CULVERT_UNREACHABLE", now);
      const until = exchange.readyAt("get", now);
      const ms = until - now;
      now = until;
      return ms;
    };
    expect(Array.from({ length: 9 }, pauseMs)).toEqual([
      250, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 16_000, 16_000,
    ]);
    exchange.settle(get(0, now).id, now + 1);
    expect(pauseMs()).toBe(250);
  });

  it("open again within an RTO, and after many failures a second: a fast Map loses no time", () => {
    const { exchange, put } = exchangeFixture();
    for (let index = 0; index < 9; index++) exchange.settle(put(index, 0).id, 1);
    let now = 1;
    const pauses: number[] = [];
    for (let failure = 0; failure < 9; failure++) {
      exchange.pause("CULVERT_UNREACHABLE", now);
      const until = exchange.readyAt("put", now);
      pauses.push(until - now);
      now = until;
    }
    expect(pauses[0]).toBeLessThan(60);
    expect(pauses[1]).toBeLessThan(120);
    expect(pauses.slice(5).map(Math.round)).toEqual([1_000, 1_000, 1_000, 1_000]);
  });

  it("give way to a Map that refuses puts, and not gets", () => {
    const { exchange, put } = exchangeFixture({ window: 64 });
    exchange.pause("CULVERT_BUSY", 0);
    const now = exchange.readyAt("put", 0);
    for (let index = 0; index < 32; index++) put(index, now);
    expect([exchange.mayPut(now), exchange.mayGet(now)]).toEqual([false, true]);
  });
});

describe("a pace", () => {
  it("spaces puts and gets on their own, around its mean", () => {
    const { exchange, put, get } = exchangeFixture({ paceMeanMs: 100, window: 1_000 });
    let now = 0;
    for (let index = 0; index < 400; index++) {
      now = exchange.readyAt("put", now);
      expect(exchange.mayPut(now)).toBe(true);
      put(index, now);
      expect(exchange.mayPut(now)).toBe(false);
      if (index === 0) expect(exchange.mayGet(now)).toBe(true);
    }
    expect(now / 400).toBeGreaterThan(80);
    expect(now / 400).toBeLessThan(120);
    get(0, now);
    expect([exchange.mayGet(now), exchange.isPaced]).toEqual([false, true]);
  });

  it("keeps a get at the Map for longer than its frame takes to come", () => {
    const paced = exchangeFixture({ paceMeanMs: 2_000 });
    paced.get(0, 0);
    const open = exchangeFixture();
    open.get(0, 0);
    expect([paced.asked("get")[0]?.waitMs, open.asked("get")[0]?.waitMs]).toEqual([
      128_000, 60_000,
    ]);
  });
});

describe("lateness", () => {
  it("comes after the RTO and its jitter, once, and a late answer still counts", () => {
    const { exchange, get, lateAt } = exchangeFixture();
    const request = get(0, 0, { isLikelyThere: true });
    expect(exchange.deadline()).toBeGreaterThanOrEqual(3_000);
    expect(exchange.deadline()).toBeLessThanOrEqual(GUESS_MS);
    expect(lateAt(2_999)).toEqual([]);
    expect(lateAt(GUESS_MS)).toEqual([request]);
    expect([request.isLate, request.isOpen, exchange.deadline()]).toEqual([true, true, NEVER]);
    expect(exchange.settle(request.id, 4_000)).toBe(request);
    expect([exchange.rto.meanMs, request.isOpen]).toEqual([4_000, false]);
    expect(exchange.settle(request.id, 4_001)).toBeUndefined();
  });

  it("comes a second time to a parked get that is expected now", () => {
    const { exchange, get, lateAt } = exchangeFixture();
    const request = get(0, 0);
    exchange.expect(request, 10);
    expect(lateAt(GUESS_MS)).toEqual([request]);
    exchange.expect(request, 10_000);
    exchange.expect(request, 12_000);
    expect(exchange.deadline()).toBeGreaterThanOrEqual(10_375);
    expect(exchange.deadline()).toBeLessThanOrEqual(10_413);
    expect(lateAt(10_413)).toEqual([request]);
    exchange.cancel(request);
    exchange.expect(request, 20_000);
    expect(exchange.deadline()).toBe(NEVER);
  });

  it("frees the place of a parked get once, though it comes twice", () => {
    const { exchange, get, lateAt } = exchangeFixture({ window: 1 });
    const parked = get(0, 0);
    expect(lateAt(1e5)).toHaveLength(1);
    get(1, 1e5);
    exchange.expect(parked, 1e5);
    expect([lateAt(1e5 + 1_000), exchange.mayGet(1e5 + 1_000)]).toEqual([[parked], false]);
  });

  it("of everything that was sent on a guess comes sooner after the first round trip", () => {
    const { exchange, put, get } = exchangeFixture();
    const first = put(0, 0);
    put(1, 50);
    get(0, 70);
    exchange.settle(first.id, 100);
    expect(exchange.rto.rtoMs()).toBe(300);
    expect(exchange.deadline()).toBeGreaterThanOrEqual(350);
    expect(exchange.deadline()).toBeLessThanOrEqual(380);
    const second = put(2, 100);
    exchange.settle(second.id, 200);
    // Only the first one did that: later ones leave the timers alone.
    expect(exchange.deadline()).toBeLessThanOrEqual(380);
  });

  it("is never set before the instant of the measurement", () => {
    const { exchange, put, get } = exchangeFixture();
    get(0, 0, { isLikelyThere: true });
    const quick = put(1, 990);
    exchange.settle(quick.id, 1_000);
    expect(exchange.deadline()).toBe(1_000);
  });
});

describe("what is learned", () => {
  it("is the time of puts; a get that waited for its frame teaches nothing", () => {
    const { exchange, put, get } = exchangeFixture();
    exchange.settle(get(0, 0).id, 50_000);
    expect(exchange.rto.meanMs).toBeUndefined();
    exchange.settle(get(1, 50_000, { isLikelyThere: true }).id, 50_200);
    expect(exchange.rto.meanMs).toBe(200);
    exchange.settle(get(2, 51_000, { isLikelyThere: true }).id, 59_000);
    expect(exchange.rto.meanMs).toBe(200);
    exchange.settle(put(0, 60_000).id, 61_000);
    expect(exchange.rto.meanMs).toBe(300);
    expect(exchange.counts).toEqual({ puts: 1, gets: 3, answers: 4, timeouts: 0, unopened: 0 });
  });

  it("is the time of a get that hedges, when nothing else has told it", () => {
    const { exchange, get } = exchangeFixture();
    exchange.settle(get(0, 0, { isLikelyThere: true, patience: 0.5 }).id, 200);
    expect(exchange.rto.meanMs).toBe(200);
  });

  it("is little from an answer that comes after hours", () => {
    const { exchange, put } = exchangeFixture();
    for (let now = 0; now < 2_000; now += 100) exchange.settle(put(0, now).id, now + 100);
    const slept = 8 * 3_600_000;
    exchange.settle(put(0, 2_000).id, slept);
    const soon = slept + 20_000;
    for (let now = slept; now < soon; now += 100) exchange.settle(put(0, now).id, now + 100);
    for (let index = 0; index < 64; index++) {
      expect([index, exchange.mayPut(soon)]).toEqual([index, true]);
      put(index, soon);
    }
    expect(exchange.rto.rtoMs()).toBeLessThan(1_000);
  });

  it("is nothing from a failure", () => {
    const { exchange, put } = exchangeFixture();
    const request = put(0, 0);
    expect(exchange.fail(request.id)).toBe(request);
    expect([exchange.fail(request.id), exchange.rto.meanMs, exchange.counts.answers]).toEqual([
      undefined,
      undefined,
      0,
    ]);
  });

  it("is patience, only when several flights in a row are not answered at all", () => {
    const { exchange, put, lateAt } = exchangeFixture();
    exchange.settle(put(0, 0).id, 100);
    const rtoMs = exchange.rto.rtoMs();
    let now = 1_000;
    for (let flight = 1; flight <= 5; flight++) {
      for (let index = 0; index < 8; index++) put(index, now);
      now += 1_500;
      expect(lateAt(now)).toHaveLength(8);
      // A whole flight counts once, and the first three may be plain loss.
      expect(exchange.rto.rtoMs()).toBe(rtoMs * 2 ** Math.max(0, flight - 3));
    }
    expect(exchange.counts.timeouts).toBe(40);
    const answered = put(9, now);
    exchange.settle(answered.id, now + 100);
    expect(exchange.rto.rtoMs()).toBeLessThan(rtoMs * 2);
  });

  it("counts silent flights anew after any answer", () => {
    const { exchange, put, lateAt } = exchangeFixture();
    exchange.settle(put(0, 0).id, 100);
    let now = 1_000;
    for (let flight = 1; flight <= 11; flight++) {
      put(0, now);
      now += 1_500;
      expect(lateAt(now)).toHaveLength(1);
      if (flight % 3 === 0) exchange.settle(put(1, now).id, now + 100);
      now += 200;
    }
    expect(exchange.rto.rtoMs()).toBeLessThan(301);
  });

  it("is that a request was slow and not lost, when its answer comes after all", () => {
    const { exchange, put, lateAt } = exchangeFixture();
    const requests = [0, 1, 2].map((index) => put(index, 0));
    expect(lateAt(60_000)).toHaveLength(3);
    for (const { id } of requests.slice(0, 2)) exchange.settle(id, 60_001);
    expect(exchange.counts).toMatchObject({ answers: 2, timeouts: 1 });
  });

  it("is no patience as long as anything is answered", () => {
    const { exchange, put, lateAt } = exchangeFixture();
    exchange.settle(put(0, 0).id, 100);
    let now = 1_000;
    for (let flight = 0; flight < 20; flight++) {
      put(0, now);
      const answered = put(1, now);
      exchange.settle(answered.id, now + 100);
      now += 1_000;
      lateAt(now);
    }
    expect(exchange.counts.timeouts).toBe(20);
    expect(exchange.rto.rtoMs()).toBeLessThan(301);
  });
});

describe("requests that stay open", () => {
  it("are bounded: the oldest late one is cancelled", () => {
    const { exchange, put, lateAt, asked } = exchangeFixture({ window: 4 });
    const requests = [];
    let now = 0;
    for (let round = 0; round < 12; round++) {
      for (let i = 0; i < 4; i++) requests.push(put(4 * round + i, now));
      now += 120_000;
      expect(lateAt(now)).toHaveLength(4);
    }
    const open = requests.filter(({ isOpen }) => isOpen);
    expect(open).toHaveLength(32);
    expect(open[0]?.index).toBe(16);
    expect(asked("cancel").map(({ request }) => request)).toEqual(
      requests.slice(0, 16).map(({ id }) => id),
    );
    exchange.cancelAll();
    expect([asked("cancel").length, exchange.deadline()]).toEqual([48, NEVER]);
  });

  it("get a number each that is never used again", () => {
    const { put, get, asked } = exchangeFixture();
    const ids = [put(0, 0), get(0, 0), put(0, 1), get(0, 1)].map(({ id }) => id);
    expect(new Set(ids).size).toBe(4);
    const [first] = asked("put");
    expect([first?.request, first?.frameId.length, first?.cell.length, first?.ttlSeconds]).toEqual([
      ids[0],
      32,
      100,
      604_800,
    ]);
  });

  it("keeps to as many puts as its transport gains by, and to twice as many gets", () => {
    const { exchange, put } = exchangeFixture({ window: 8 });
    expect(exchange.getsAhead).toBe(8);
    exchange.heed({ putsAtOnce: 3 });
    expect(exchange.getsAhead).toBe(6);
    for (let index = 0; index < 3; index++) {
      expect(exchange.mayPut(0)).toBe(true);
      put(index, 0);
    }
    expect(exchange.mayPut(0)).toBe(false);
    exchange.heed({ putsAtOnce: 5 });
    expect([exchange.mayPut(0), exchange.getsAhead]).toEqual([true, 8]);
    exchange.heed({});
    for (let index = 3; index < 8; index++) put(index, 0);
    expect([exchange.mayPut(0), exchange.getsAhead]).toEqual([false, 8]);
  });
});
