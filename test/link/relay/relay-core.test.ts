import { describe, expect, it } from "vitest";
import { SeededRandom } from "../../../src/base/index.ts";
import { encodeFrame } from "../../../src/link/relay/frames.ts";
import { RELAY_LIMITS } from "../../../src/link/relay/limits.ts";
import { Voucher } from "../../../src/link/relay/voucher.ts";
import { type PeerLeg, RelayStage } from "./relay-stage.ts";

const random = new SeededRandom(5);
const node = (): Uint8Array => random.bytes(32);
const refusal = (leg: PeerLeg) => {
  const frame = leg.frames().frames.at(-1);
  return frame?.kind === "refused" ? frame.reason : undefined;
};

describe("a reservation", () => {
  it("is granted with a voucher that anybody can check", () => {
    const stage = new RelayStage();
    const holder = node();
    const control = stage.reserve(holder);
    const [frame] = control.frames().frames;
    const voucher = Voucher.decode(frame?.kind === "reserved" ? frame.voucher : random.bytes(1));
    expect(voucher.relay).toEqual(stage.identity.id);
    expect(voucher.isFor(holder, stage.unixMs)).toBe(true);
    expect(voucher.isFor(node(), stage.unixMs)).toBe(false);
    expect(voucher.isFor(holder, stage.unixMs + RELAY_LIMITS.reservationMs)).toBe(false);
    expect(stage.core.statistics.reservations).toBe(1);
  });

  it("ends after its time, is renewed in its second half, and has no more quota before", () => {
    const [stage, holder, caller] = [new RelayStage({ quotaBytes: 1_000 }), node(), node()];
    const control = stage.reserve(holder);
    const { calling } = stage.join(caller, holder);
    stage.send(calling, new Uint8Array(900));
    stage.say(control, { kind: "reserve" });
    stage.send(calling, new Uint8Array(200));
    expect(calling.end, "the quota is used up").toBe("reset");
    const refused = stage.open(caller);
    stage.say(refused, { kind: "connect", target: holder });
    expect(refusal(refused)).toBe("quota");
    stage.advance(RELAY_LIMITS.reservationMs * 0.75);
    stage.say(control, { kind: "reserve" });
    expect(stage.join(caller, holder).calling.end).toBe("open");
    stage.advance(RELAY_LIMITS.reservationMs);
    expect(stage.core.statistics).toMatchObject({ reservations: 0, circuits: 0 });
  });

  it("is refused when there is no room, in all and for one network", () => {
    const stage = new RelayStage({ reservationsMax: 5, reservationsPerNetworkMax: 2 });
    const networks = ["a", "a", "a", "b", "b", "c", "c"];
    const legs = networks.map((network) => stage.reserve(node(), { network }));
    const refused = [undefined, undefined, "busy", undefined, undefined, undefined, "busy"];
    expect(legs.map(refusal)).toEqual(refused);
  });

  it("is not given over a relay", () => {
    const stage = new RelayStage();
    const leg = stage.open(node(), { isRelayed: true });
    stage.say(leg, { kind: "reserve" });
    expect([refusal(leg), leg.end]).toEqual(["relay-over-relay", "ended"]);
    expect(stage.core.statistics.reservations).toBe(0);
  });

  it("tells its holder what was used", () => {
    const stage = new RelayStage({ reportBytes: 100 });
    const holder = node();
    const control = stage.reserve(holder);
    const { calling, called } = stage.join(node(), holder);
    stage.send(calling, new Uint8Array(60));
    stage.send(called, new Uint8Array(60));
    expect(control.frames().frames.at(-1)).toEqual({ kind: "usage", usedBytes: 120 });
    stage.cut(calling);
    expect(called.end).toBe("reset");
  });

  it("tells no more to a holder that does not listen", () => {
    const [holder, stage] = [node(), new RelayStage({ circuitBufferBytes: 100 })];
    const control = stage.reserve(holder);
    stage.isFlowing = false;
    for (let round = 0; round < 100; round++) stage.cut(stage.join(node(), holder).calling);
    expect([control.heldBytes < 120, control.end]).toEqual([true, "open"]);
    stage.flush(control);
    stage.cut(stage.join(node(), holder).calling);
    expect(control.frames().frames.at(-1)).toMatchObject({ kind: "usage" });
  });
});

describe("a circuit", () => {
  it("carries bytes both ways, those sent ahead included, and each end by itself", () => {
    const stage = new RelayStage();
    const [holder, caller] = [node(), node()];
    stage.reserve(holder);
    const calling = stage.open(caller);
    const connect = encodeFrame({ kind: "connect", target: holder });
    stage.send(calling, Uint8Array.of(...connect, 1, 2));
    expect(calling.isRead, "a caller waits for the answer").toBe(false);
    stage.send(calling, Uint8Array.of(3));
    const called = stage.lastCall();
    expect(called.frames().frames).toEqual([{ kind: "call", caller }]);
    stage.send(called, Uint8Array.of(...encodeFrame({ kind: "connected" }), 9));
    stage.end(calling);
    stage.send(called, Uint8Array.of(8));
    expect([...called.bytes.slice(-3)]).toEqual([1, 2, 3]);
    expect([...calling.frames().rest]).toEqual([9, 8]);
    expect([calling.end, called.end]).toEqual(["open", "ended"]);
    stage.end(called);
    expect(calling.end).toBe("ended");
    expect(stage.core.statistics).toMatchObject({ circuits: 0, circuitsOpened: 1, passedBytes: 5 });
  });

  it.each<[string, (stage: RelayStage, holder: Uint8Array) => PeerLeg, string]>([
    [
      "to a stranger",
      (stage) => {
        const leg = stage.open(node());
        stage.say(leg, { kind: "connect", target: node() });
        return leg;
      },
      "no-reservation",
    ],
    [
      "over a relayed link",
      (stage, target) => {
        const leg = stage.open(node(), { isRelayed: true });
        stage.say(leg, { kind: "connect", target });
        return leg;
      },
      "relay-over-relay",
    ],
    [
      "to oneself",
      (stage, target) => {
        const leg = stage.open(target);
        stage.say(leg, { kind: "connect", target });
        return leg;
      },
      "relay-over-relay",
    ],
    [
      "to the relay",
      (stage) => {
        const leg = stage.open(node());
        stage.say(leg, { kind: "connect", target: stage.identity.id });
        return leg;
      },
      "relay-over-relay",
    ],
    [
      "to a holder that is away",
      (stage, target) => {
        stage.away.add(Buffer.from(target).toString("hex"));
        const leg = stage.open(node());
        stage.say(leg, { kind: "connect", target });
        return leg;
      },
      "not-linked",
    ],
    [
      "that the holder declines",
      (stage, target) => {
        const leg = stage.open(node());
        stage.say(leg, { kind: "connect", target });
        stage.say(stage.lastCall(), { kind: "refused", reason: "declined" });
        return leg;
      },
      "declined",
    ],
    [
      "that the holder does not answer",
      (stage, target) => {
        const leg = stage.open(node());
        stage.say(leg, { kind: "connect", target });
        stage.advance(RELAY_LIMITS.answerMs);
        return leg;
      },
      "declined",
    ],
    [
      "that the holder answers with nonsense",
      (stage, target) => {
        const leg = stage.open(node());
        stage.say(leg, { kind: "connect", target });
        stage.say(stage.lastCall(), { kind: "reserve" });
        return leg;
      },
      "declined",
    ],
  ])("%s is refused", (_, attempt, reason) => {
    const stage = new RelayStage();
    const holder = node();
    stage.reserve(holder);
    const leg = attempt(stage, holder);
    expect([refusal(leg), leg.end]).toEqual([reason, "ended"]);
    expect(stage.core.statistics.circuits).toBe(0);
    stage.away.clear();
    expect(stage.join(node(), holder).calling.frames().frames).toHaveLength(1);
  });

  it("is refused beyond what a holder, a caller and the relay may have", () => {
    const limits = { circuitsMax: 6, circuitsPerHolderMax: 4, circuitsPerCallerMax: 2 };
    const stage = new RelayStage(limits);
    const [a, b] = [node(), node()];
    for (const holder of [a, b]) stage.reserve(holder);
    const call = (caller: Uint8Array, holder: Uint8Array): string | undefined => {
      const leg = stage.open(caller);
      stage.say(leg, { kind: "connect", target: holder });
      if (refusal(leg) === undefined) stage.say(stage.lastCall(), { kind: "connected" });
      return refusal(leg);
    };
    const caller = node();
    expect([1, 2, 3].map(() => call(caller, a))).toEqual([undefined, undefined, "busy"]);
    expect([1, 2, 3].map(() => call(node(), a))).toEqual([undefined, undefined, "busy"]);
    expect([1, 2, 3].map(() => call(node(), b))).toEqual([undefined, undefined, "busy"]);
    expect(stage.core.statistics.circuits).toBe(6);
  });

  it.each<[string, (stage: RelayStage, calling: PeerLeg) => void]>([
    ["is given up by its caller", (stage, calling) => stage.cut(calling)],
    [
      "is declined",
      (stage) => stage.say(stage.lastCall(), { kind: "refused", reason: "declined" }),
    ],
    ["is not answered", (stage) => stage.advance(RELAY_LIMITS.answerMs)],
    ["is answered with nonsense", (stage) => stage.say(stage.lastCall(), { kind: "reserve" })],
    ["loses its holder", (stage) => stage.cut(stage.lastCall())],
  ])("that %s leaves its place to one other, not to two", (_, end) => {
    const stage = new RelayStage({ circuitsPerHolderMax: 1 });
    const holder = node();
    stage.reserve(holder);
    for (let round = 0; round < 3; round++) {
      const calling = stage.open(node());
      stage.say(calling, { kind: "connect", target: holder });
      end(stage, calling);
    }
    stage.join(node(), holder);
    const refused = stage.open(node());
    stage.say(refused, { kind: "connect", target: holder });
    expect(refusal(refused)).toBe("busy");
  });

  it("counts from the call on, whenever it is answered", () => {
    const stage = new RelayStage({ circuitsMax: 3 });
    const holder = node();
    stage.reserve(holder);
    const calls = Array.from({ length: 5 }, () => {
      const leg = stage.open(node());
      stage.say(leg, { kind: "connect", target: holder });
      return leg;
    });
    expect(calls.map(refusal)).toEqual([undefined, undefined, undefined, "busy", "busy"]);
  });

  it("counts for its caller, and not for its holder who calls others", () => {
    const stage = new RelayStage({ circuitsPerCallerMax: 2 });
    const [popular, other] = [node(), node()];
    for (const holder of [popular, other]) stage.reserve(holder);
    for (let at = 0; at < 3; at++) stage.join(node(), popular);
    expect(stage.join(popular, other).calling.end).toBe("open");
  });

  it("is over when its caller is, also while the stream to the holder is still made", () => {
    const stage = new RelayStage();
    const holder = node();
    stage.reserve(holder);
    const calling = stage.open(node());
    stage.dialsAtOnce = false;
    stage.say(calling, { kind: "connect", target: holder });
    const called = stage.lastCall();
    stage.cut(calling);
    called.end = "open"; // The stream is made all the same.
    stage.dialled(called);
    expect(called.end).toBe("reset");
  });

  it("makes a sender wait for a receiver that does not read, and holds no more than it may", () => {
    const stage = new RelayStage();
    const holder = node();
    stage.reserve(holder);
    const { calling, called } = stage.join(node(), holder);
    stage.isFlowing = false;
    let sent = 0;
    while (calling.isRead) {
      stage.send(calling, new Uint8Array(10_000));
      sent += 10_000;
    }
    expect(sent).toBeLessThanOrEqual(RELAY_LIMITS.circuitBufferBytes + 10_000);
    expect(called.isRead, "the other direction goes on").toBe(true);
    stage.flush(called);
    expect(calling.isRead).toBe(true);
  });

  it("passes bytes at the rate that was granted", () => {
    const limits = { bytesPerSecond: 10_000, bytesBurst: 20_000 };
    const stage = new RelayStage(limits);
    const holder = node();
    stage.reserve(holder);
    const { calling, called } = stage.join(node(), holder);
    let sent = 0;
    for (let ms = 0; ms < 60_000; ms += 10) {
      if (calling.isRead) {
        stage.send(calling, new Uint8Array(1_000));
        sent += 1_000;
      }
      stage.advance(10);
    }
    expect(sent / (20_000 + 60 * 10_000)).toBeCloseTo(1, 1);
    expect(called.frames().frames.length + called.bytes.length).toBeGreaterThan(sent);
  });

  it("ends when nothing passes for long", () => {
    const stage = new RelayStage();
    const holder = node();
    stage.reserve(holder);
    const { calling, called } = stage.join(node(), holder);
    stage.advance(RELAY_LIMITS.circuitIdleMs - 1_000);
    stage.send(calling, Uint8Array.of(1));
    stage.advance(RELAY_LIMITS.circuitIdleMs - 1_000);
    expect(calling.end).toBe("open");
    stage.advance(2_000);
    expect([calling.end, called.end]).toEqual(["reset", "reset"]);
  });
});

describe("a relay", () => {
  it("cuts whoever says nothing, too much, or what is no frame", () => {
    const stage = new RelayStage();
    const mute = stage.open(node());
    const noisy = stage.open(node());
    stage.send(noisy, Uint8Array.of(99, 0, 0));
    const long = stage.open(node());
    stage.send(long, Uint8Array.of(0, 255, 255));
    const slow = stage.open(node());
    stage.send(slow, Uint8Array.of(3));
    const eager = stage.open(node());
    stage.reserve(eager.peer);
    const caller = stage.open(node());
    stage.send(caller, encodeFrame({ kind: "connect", target: eager.peer }));
    for (let at = 0; at < 20; at++) stage.send(caller, new Uint8Array(10_000));
    stage.advance(RELAY_LIMITS.answerMs);
    expect([mute.end, slow.end, caller.end]).toEqual(["reset", "reset", "reset"]);
    expect([refusal(noisy), refusal(long)]).toEqual(["protocol", "protocol"]);
  });

  it("does not write without end for a holder that asks and does not read", () => {
    const stage = new RelayStage();
    stage.isFlowing = false;
    const control = stage.reserve(node());
    const question = encodeFrame({ kind: "reserve" });
    const many = Uint8Array.from({ length: 5_000 * question.length }, (_, at) => {
      return question[at % question.length] ?? 0;
    });
    stage.send(control, many);
    expect(control.end).toBe("reset");
    expect(control.heldBytes).toBeLessThan(RELAY_LIMITS.circuitBufferBytes + 1_000);
  });

  it("answers a holder that reads as often as it asks", () => {
    const stage = new RelayStage();
    const control = stage.reserve(node());
    for (let at = 0; at < 1_000; at++) stage.say(control, { kind: "reserve" });
    expect([control.end, control.frames().frames.length]).toEqual(["open", 1_001]);
  });

  it("lets one peer have a few streams that say nothing", () => {
    const stage = new RelayStage();
    const peer = node();
    const legs = Array.from({ length: 20 }, () => stage.open(peer));
    const open = legs.filter(({ end }) => end === "open");
    expect(open).toHaveLength(RELAY_LIMITS.openingsPerPeerMax);
  });

  it.each([1, 2, 3, 4])("stands whatever peers do, and forgets them: seed %i", (seed) => {
    const dice = new SeededRandom(seed);
    let most = 0;
    const stage = new RelayStage({ reservationsMax: 8, circuitsMax: 8, quotaBytes: 200_000 });
    const peers = Array.from({ length: 10 }, () => dice.bytes(32));
    const anyone = (): Uint8Array => peers[dice.below(peers.length)] ?? node();
    for (let step = 0; step < 1_500; step++) {
      const live = [...stage.legs.values()].filter(({ end }) => end !== "reset");
      const leg = live[dice.below(live.length)];
      const roll = dice.below(12);
      if (leg === undefined || roll === 0) stage.open(anyone(), { isRelayed: dice.below(9) === 0 });
      else if (roll === 1) stage.say(leg, { kind: "reserve" });
      else if (roll === 2) stage.say(leg, { kind: "connect", target: anyone() });
      else if (roll <= 4) stage.say(leg, { kind: "connected" });
      else if (roll === 5) stage.cut(leg);
      else if (roll === 6) stage.end(leg);
      else if (roll === 7) stage.send(leg, dice.bytes(dice.below(50)));
      else if (roll === 8) stage.advance(dice.below(3_000));
      else if (roll === 9) stage.isFlowing = !stage.isFlowing;
      else stage.send(leg, new Uint8Array(dice.below(5_000)));
      const { reservations, circuits } = stage.core.statistics;
      most = Math.max(most, reservations, circuits);
    }
    expect(most).toBe(8);
    stage.isFlowing = true;
    stage.advance(2 * RELAY_LIMITS.reservationMs);
    expect(stage.core.statistics).toMatchObject({ reservations: 0, circuits: 0 });
    expect(stage.core.deadline()).toBe(Number.POSITIVE_INFINITY);
  });
});
