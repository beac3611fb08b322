import { describe, expect, test } from "vitest";
import { recordOf } from "../fixtures.ts";
import { Rig, STORED, UNIX_MS } from "../map-core-rig.ts";

describe("turns", () => {
  test("nothing is done before one, and one is asked for once", () => {
    const rig = new Rig();
    rig.put(1, recordOf(1));
    rig.get(2, 2);
    expect(rig.said()).toEqual(["turn"]);
    rig.turn();
    expect(rig.said()).toEqual(["lookup", "commit:1"]);
  });

  test("do a bounded amount of work: sixteen verifications, then another turn", () => {
    const rig = new Rig();
    for (let i = 0; i < 40; i++) rig.put(i, recordOf(i));
    rig.said();
    rig.turn();
    expect(rig.said()).toEqual(["commit:16", "turn"]);
    rig.turn();
    rig.turn();
    expect(rig.said()).toEqual(["turn"]);
  });

  test("what comes while a commit is under way is one commit, once that has ended", () => {
    const rig = new Rig();
    for (let i = 0; i < 40; i++) rig.put(i, recordOf(i));
    for (let i = 0; i < 3; i++) rig.turn();
    rig.said();
    rig.committed(Array.from({ length: 16 }, () => STORED));
    expect(rig.said().at(-1)).toBe("commit:24");
    rig.committed(undefined);
    expect(rig.said().filter((kind) => kind.endsWith("busy")).length).toBe(24);
    expect(rig.core.isIdle).toBe(true);
  });

  test("serve askers in turn, whatever their queues", () => {
    const rig = new Rig();
    rig.open(2);
    for (let i = 0; i < 100; i++) rig.put(i, recordOf(i));
    rig.put(1_000, { ...recordOf(500), payload: new Uint8Array(1) }, 2);
    rig.said();
    rig.turn();
    expect(rig.said()).toContain("1000:refused");
  });

  test("pause while too many bytes are on their way to the store", () => {
    const rig = new Rig({ committingBytesMax: 500 });
    for (let i = 0; i < 40; i++) rig.put(i, recordOf(i));
    rig.said();
    rig.turn();
    expect(rig.said()).toEqual(["commit:4"]);
    rig.committed(Array.from({ length: 4 }, () => STORED));
    expect(rig.said().at(-1)).toBe("turn");
  });

  test("do less of what is long, though it is refused", () => {
    const rig = new Rig();
    const long = recordOf(1, { payloadSize: 64 * 1_024 });
    for (let i = 0; i < 8; i++) rig.put(i, long);
    rig.said();
    rig.turn();
    expect(rig.said().filter((kind) => kind.endsWith("refused"))).toHaveLength(4);
  });

  test("an asker above its rate waits for its tokens, and loses nothing", () => {
    const rig = new Rig({ requestsPerSecond: 10, requestsBurst: 3 });
    for (let i = 0; i < 5; i++) rig.get(i, i);
    rig.turn();
    expect(rig.said().filter((kind) => kind === "lookup").length).toBe(3);
    rig.timeout(0);
    rig.said();
    expect(rig.core.deadline()).toBe(100);
    rig.timeout(100);
    rig.turn();
    expect(rig.said()).toContain("lookup");
    rig.timeout(200);
    rig.turn();
    expect(rig.said()).toContain("lookup");
  });
});

describe("queues", () => {
  test("a full one is answered busy, and tells when it has room again", () => {
    const rig = new Rig({ queuedPerLinkMax: 4 });
    for (let i = 0; i < 5; i++) rig.get(i, i);
    expect(rig.said()).toEqual(["turn", "4:busy"]);
    expect(rig.core.isCongested(1)).toBe(true);
    rig.turn();
    expect(rig.said()).toContain("ready");
    expect(rig.core.isCongested(1)).toBe(false);
  });

  test("tell that they have room when half of it is free", () => {
    const rig = new Rig({ queuedPerLinkMax: 4, requestsPerSecond: 1, requestsBurst: 1 });
    for (let i = 0; i < 4; i++) rig.get(i, i);
    rig.turn();
    expect(rig.said()).toEqual(["turn", "lookup"]);
    rig.timeout(1_000);
    rig.turn();
    expect(rig.said()).toContain("ready");
  });

  test("their bytes are bounded over all askers", () => {
    const rig = new Rig({ queuedBytesMax: 400 });
    rig.open(2);
    rig.put(1, recordOf(1));
    rig.put(2, recordOf(2), 2);
    rig.put(3, recordOf(3), 2);
    expect(rig.said()).toEqual(["turn", "3:busy"]);
  });

  test("a get that is cancelled in the queue is never served; a put is", () => {
    const rig = new Rig();
    rig.get(1, 1);
    rig.put(2, recordOf(2));
    rig.cancel(1);
    rig.cancel(2);
    rig.turn();
    expect(rig.said()).toEqual(["turn", "commit:1"]);
  });

  test("tell of the room that was made by taking everything back", () => {
    const rig = new Rig({ queuedPerLinkMax: 4 });
    for (let i = 0; i < 4; i++) rig.get(i, i);
    expect(rig.core.isCongested(1)).toBe(true);
    rig.said();
    for (let i = 0; i < 4; i++) rig.cancel(i);
    expect(rig.said()).toEqual(["ready"]);
    expect(rig.core.isCongested(1)).toBe(false);
  });

  test("are gone with their asker, and nothing is answered to it", () => {
    const rig = new Rig();
    rig.put(1, recordOf(1));
    rig.turn();
    rig.get(2, 2, 1_000);
    rig.said();
    rig.core.handle({ kind: "close", asker: 1 }, 0);
    rig.committed([STORED]);
    rig.turn();
    expect(rig.said()).toEqual([]);
  });
});

describe("the store's answers", () => {
  test("ok is said after the commit, not before", () => {
    const rig = new Rig();
    rig.put(1, recordOf(1));
    rig.turn();
    expect(rig.said()).toEqual(["turn", "commit:1"]);
    rig.committed([STORED]);
    expect(rig.said()).toEqual(["1:stored"]);
  });

  test("a failed commit is busy for each put, and the next try goes to the store again", () => {
    const rig = new Rig();
    rig.put(1, recordOf(1));
    rig.turn();
    rig.committed(undefined);
    expect(rig.said()).toEqual(["turn", "commit:1", "1:busy"]);
    rig.put(2, recordOf(1));
    rig.turn();
    expect(rig.said()).toEqual(["turn", "commit:1"]);
  });

  test("no put slips through between a lookup and its answer", () => {
    const rig = new Rig();
    rig.get(1, 1, 1_000);
    rig.turn();
    rig.put(2, recordOf(1));
    rig.turn();
    rig.said();
    // The put is durable before the read that began earlier comes back empty.
    rig.committed([STORED]);
    expect(rig.said()).toEqual(["2:stored", "1:found"]);
    rig.lookedUp(1, undefined);
    expect(rig.said()).toEqual([]);
  });

  test("a read that a put overtook is no answer to who came after the put", () => {
    const rig = new Rig({ recentBytesMax: 0 });
    rig.get(1, 1, 1_000);
    rig.turn();
    rig.put(2, recordOf(1));
    rig.turn();
    rig.committed([STORED]);
    rig.get(3, 1);
    rig.get(4, 1, 1_000);
    rig.turn();
    rig.said();
    rig.lookedUp(1, undefined);
    expect(rig.said()).toEqual(["lookup"]);
    rig.lookedUp(1, recordOf(1));
    expect(rig.said()).toEqual(["3:found", "4:found"]);
  });

  test("a get whose time is over before the store has said what it holds is told busy", () => {
    const rig = new Rig();
    rig.get(1, 1, 100);
    rig.turn();
    rig.said();
    rig.timeout(100);
    expect(rig.said().filter((kind) => kind !== "sweep")).toEqual(["1:busy"]);
    rig.lookedUp(1, recordOf(1));
    expect(rig.said()).toEqual([]);
  });

  test("reads whose gets were taken back are no more than gets may be", () => {
    const rig = new Rig({ waitingMax: 4 });
    for (let i = 0; i < 3; i++) {
      rig.get(i, i, 1_000);
      rig.turn();
      rig.cancel(i);
    }
    expect(rig.said().filter((kind) => kind !== "turn")).toEqual(["lookup", "lookup", "2:busy"]);
    rig.lookedUp(0);
    rig.get(3, 3, 1_000);
    rig.turn();
    expect(rig.said()).toEqual(["turn", "lookup"]);
  });

  test("many gets for one address are one lookup", () => {
    const rig = new Rig();
    for (let i = 0; i < 5; i++) rig.get(i, 1, i);
    rig.turn();
    expect(rig.said()).toEqual(["turn", "lookup"]);
    rig.lookedUp(1, recordOf(1));
    expect(rig.said()).toEqual(["0:found", "1:found", "2:found", "3:found", "4:found"]);
  });

  test("a slow read does not bring back what has been replaced since", () => {
    const rig = new Rig();
    const end = recordOf(1, { seq: 2 });
    rig.get(1, 1, 0);
    rig.turn();
    rig.put(2, end);
    rig.turn();
    rig.committed([STORED]);
    rig.lookedUp(1, recordOf(1));
    rig.said();
    rig.get(3, 1);
    rig.turn();
    const answer = rig.effects.find((effect) => effect.kind === "answer");
    expect(answer).toMatchObject({ request: 3, answer: { record: { seq: 2 } } });
  });

  test("an expiry that the store set higher is the one that is told", () => {
    const rig = new Rig();
    rig.put(1, recordOf(1, { ttlSeconds: 10 }));
    rig.turn();
    rig.said();
    rig.committed([{ kind: "known", expiresMs: UNIX_MS + 77_000 }]);
    expect(rig.effects).toMatchObject([{ answer: { kind: "stored", ttlSeconds: 77 } }]);
  });
});

describe("time", () => {
  test("timeout before its time does nothing", () => {
    const rig = new Rig();
    rig.timeout(0);
    expect(rig.said()).toEqual(["sweep"]);
    rig.get(1, 1, 5_000);
    rig.turn();
    rig.lookedUp(1);
    rig.said();
    for (const now of [1, 100, 4_999]) {
      rig.timeout(now);
      expect(rig.said()).toEqual([]);
    }
    rig.timeout(5_000);
    expect(rig.said()).toEqual(["1:not-found"]);
  });

  test("a sweep is asked for once at a time, at once again while something is left", () => {
    const rig = new Rig({ sweepMs: 1_000 });
    rig.timeout(0);
    rig.timeout(50);
    expect(rig.said()).toEqual(["sweep"]);
    rig.core.handle({ kind: "swept", removed: 9, isDone: false, unixMs: UNIX_MS }, 60);
    expect(rig.core.deadline()).toBe(60);
    rig.timeout(60);
    rig.core.handle({ kind: "swept", removed: 1, isDone: true, unixMs: UNIX_MS }, 70);
    expect(rig.core.deadline()).toBe(1_070);
    expect(rig.core.statistics.swept).toBe(10);
  });

  test("a store that lost what it had is given again what was put lately", () => {
    const rig = new Rig();
    const record = recordOf(1, { ttlSeconds: 60 });
    const putAndTurn = (request: number): string[] => {
      rig.put(request, record);
      rig.turn();
      return rig.said();
    };
    putAndTurn(1);
    rig.committed([STORED]);
    rig.said();
    expect(putAndTurn(2)).toEqual(["turn", "2:stored"]);
    const swept = { removed: 0, isDone: true, isBegunAnew: true, unixMs: UNIX_MS };
    rig.core.handle({ kind: "swept", ...swept }, 0);
    expect(putAndTurn(3)).toEqual(["turn", "commit:1"]);
  });

  test("a hundred thousand waits that come and go leave nothing behind", () => {
    const rig = new Rig({ requestsBurst: 1e9 });
    for (let i = 0; i < 100_000; i++) {
      rig.get(i, i % 50, 1 + (i % 300_000));
      if (i % 100 === 99) rig.turn();
      if (i % 2 === 0) rig.core.handle({ kind: "cancel", asker: 1, request: i - 200 }, rig.now);
      if (i % 1_000 === 999) rig.timeout(rig.now + 600_000);
    }
    rig.turn();
    rig.timeout(rig.now + 600_000);
    expect(rig.core.statistics.waiting).toBe(0);
  });
});

describe("records that are verified elsewhere", () => {
  const aside = (puts = 0): Rig => {
    const rig = new Rig({}, { verifiesAside: true });
    for (let i = 1; i <= puts; i++) rig.put(i, recordOf(i));
    return rig;
  };

  test("become durable once the last that is under way was looked at", () => {
    const rig = aside(3);
    rig.turn();
    expect(rig.said()).toEqual(["turn", "verify:1", "verify:2", "verify:3"]);
    rig.verified(2);
    rig.verified(1);
    expect([rig.said(), rig.core.isIdle]).toEqual([[], false]);
    rig.verified(3);
    expect(rig.said()).toEqual(["commit:3"]);
    rig.committed([STORED, STORED, STORED]);
    expect(rig.said()).toEqual(["2:stored", "1:stored", "3:stored"]);
    expect(rig.core.isIdle).toBe(true);
  });

  test("are refused when they are forged, and hold nobody up", () => {
    const rig = aside(2);
    rig.turn();
    rig.said();
    rig.verified(1, false);
    expect(rig.said()).toEqual(["1:refused"]);
    rig.verified(2);
    expect(rig.said()).toEqual(["commit:1"]);
    const { verified, verifyFailed, putsRefused } = rig.core.statistics;
    expect([verified, verifyFailed, putsRefused]).toEqual([2, 1, 1]);
  });

  test("are thirty-two at the most, and the next turn comes when one of them is done", () => {
    const rig = aside(40);
    rig.said();
    rig.turn();
    expect(rig.said()).toEqual(Array.from({ length: 32 }, (_, i) => `verify:${i + 1}`));
    rig.verified(1);
    expect(rig.said()).toEqual(["turn"]);
    rig.turn();
    expect(rig.said()).toEqual(["verify:33"]);
  });

  test("do not wait for more than there are while others keep coming", () => {
    const rig = aside(40);
    for (let i = 1; i <= 16; i++) {
      rig.turn();
      rig.verified(i);
    }
    expect(rig.said().filter((one) => one.startsWith("commit"))).toEqual(["commit:16"]);
  });

  test("do not wait for those that came later", () => {
    const rig = aside(40);
    for (let i = 1; i <= 33; i++) {
      rig.turn(); // another one is being verified each time
      rig.verified(i, i === 1);
    }
    expect(rig.said().filter((one) => one.startsWith("commit"))).toEqual(["commit:1"]);
  });

  test("of an asker that is gone are stored, and answered to nobody", () => {
    const rig = aside(1);
    rig.turn();
    rig.core.handle({ kind: "close", asker: 1 }, 0);
    rig.said();
    rig.verified(1);
    expect(rig.said()).toEqual(["commit:1"]);
    rig.committed([STORED]);
    expect([rig.said(), rig.core.isIdle]).toEqual([[], true]);
  });
});
