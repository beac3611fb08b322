import { describe, expect, it } from "vitest";
import { SeededRandom } from "../../../src/base/index.ts";
import { NodeIdentity } from "../../../src/identity/index.ts";
import { encodeFrame, type RelayFrame } from "../../../src/link/relay/frames.ts";
import { HolderCore, type HolderEffect } from "../../../src/link/relay/holder-core.ts";
import { RELAY_LIMITS } from "../../../src/link/relay/limits.ts";
import { ReservationBook } from "../../../src/link/relay/reservation-book.ts";
import { Voucher, type VoucherClaims } from "../../../src/link/relay/voucher.ts";
import { effectsOf } from "../../effects-of.ts";

const UNIX_MS = 1_735_689_600_000;
const HOUR_MS = 3_600_000;
const random = new SeededRandom(6);
const relay = new NodeIdentity(random.bytes(32));
const self = random.bytes(32);

class Stage {
  readonly core = new HolderCore({ self, relay: relay.id, limits: RELAY_LIMITS });
  readonly effects: HolderEffect[] = [];
  now = 0;

  constructor() {
    this.core.handle({ kind: "start" }, 0);
    this.#drain();
  }

  give(input: Parameters<HolderCore["handle"]>[0]): void {
    this.core.handle(input, this.now);
    this.#drain();
  }

  say(frame: RelayFrame): void {
    this.give({ kind: "bytes", bytes: encodeFrame(frame), unixMs: UNIX_MS + this.now });
  }

  /** What the relay would answer, but for what is changed. */
  grant(changed: Partial<VoucherClaims> = {}, signer = relay): void {
    const issuedAtUnixS = Math.floor((UNIX_MS + this.now) / 1_000);
    const claims = {
      holder: self,
      issuedAtUnixS,
      expiresAtUnixS: issuedAtUnixS + 3_600,
      quotaBytes: 1_000,
      bytesPerSecond: 10,
    };
    const voucher = Voucher.sign(signer, { ...claims, ...changed });
    this.say({ kind: "reserved", voucher: voucher.toBytes() });
  }

  advance(ms: number): void {
    const until = this.now + ms;
    for (let at = this.core.deadline(); at <= until; at = this.core.deadline()) {
      this.now = at;
      this.core.timeout(at);
      this.#drain();
    }
    this.now = until;
  }

  take(): HolderEffect["kind"][] {
    return this.effects.splice(0).map(({ kind }) => kind);
  }

  lost(): unknown {
    return this.effects.splice(0).find(({ kind }) => kind === "lost");
  }

  #drain(): void {
    for (const effect of effectsOf(this.core)) {
      this.effects.push(effect);
    }
  }
}

function held(): Stage {
  const stage = new Stage();
  stage.give({ kind: "opened", isOpen: true });
  stage.grant();
  return stage;
}

describe("a holder", () => {
  it("asks a relay that takes each place back at growing gaps", () => {
    const stage = new Stage();
    let held = 0;
    while (stage.now < HOUR_MS) {
      const [last] = stage.effects.splice(0).slice(-1);
      if (last?.kind === "open") stage.give({ kind: "opened", isOpen: true });
      else if (last?.kind === "send") {
        stage.grant();
        held += 1;
        stage.advance(1_000);
        stage.give({ kind: "closed" });
      } else stage.advance(1_000);
    }
    // After 5, 10, 20, ... 300 s, and each 300 s from then on.
    expect(held).toBeGreaterThan(10);
    expect(held).toBeLessThan(25);
    // One that has lasted is asked for soon.
    while (stage.take().at(-1) !== "open") stage.advance(1_000);
    stage.give({ kind: "opened", isOpen: true });
    stage.grant();
    stage.advance(300_000);
    stage.give({ kind: "closed" });
    stage.take();
    stage.advance(5_000);
    expect(stage.take()).toEqual(["open"]);
  });

  it("asks, holds, and asks again with each quarter, for as long as it wants", () => {
    const stage = held();
    expect(stage.take()).toEqual(["open", "send", "held"]);
    expect(stage.core.voucher?.isFor(self, UNIX_MS)).toBe(true);
    for (let round = 0; round < 9; round++) {
      stage.advance(HOUR_MS * 0.25 - 1);
      expect(stage.take()).toEqual([]);
      stage.advance(1);
      expect(stage.take()).toEqual(["send"]);
      stage.grant();
      expect(stage.take()).toEqual(["held"]);
    }
    stage.give({ kind: "stop" });
    expect(stage.take()).toEqual(["cut"]);
    expect(stage.core.deadline()).toBe(Number.POSITIVE_INFINITY);
  });

  it.each([-59, -30, 0, 30, 59])("keeps its place at a relay whose clock is %i min off", (min) => {
    const stage = new Stage();
    const book = new ReservationBook(relay, RELAY_LIMITS, () => {});
    const answer = (): void => {
      const moment = { now: stage.now, unixMs: UNIX_MS + stage.now + min * 60_000 };
      const voucher = book.reserve(self, "203.0.113.0/24", moment)?.voucher.toBytes();
      stage.say({ kind: "reserved", voucher: voucher ?? random.bytes(1) });
    };
    stage.give({ kind: "opened", isOpen: true });
    answer();
    let asked = 0;
    for (stage.take(); stage.now < 10 * HOUR_MS; ) {
      stage.advance(60_000);
      expect(book.takeExpired(stage.now), `at ${stage.now} ms`).toEqual([]);
      const effects = stage.take();
      expect(effects).not.toContain("lost");
      if (!effects.includes("send")) continue;
      asked += 1;
      answer();
    }
    expect(stage.core.voucher).toBeDefined();
    expect(asked).toBeLessThanOrEqual(40);
  });

  it("asks a relay whose places are short no oftener than every few seconds", () => {
    const stage = new Stage();
    stage.give({ kind: "opened", isOpen: true });
    stage.grant({ expiresAtUnixS: Math.floor(UNIX_MS / 1_000) + 1 });
    expect(stage.core.deadline()).toBe(5_000);
  });

  it.each<[string, (stage: Stage) => void]>([
    ["unreachable", (stage) => stage.give({ kind: "opened", isOpen: false })],
    ["no-answer", (stage) => stage.advance(RELAY_LIMITS.answerMs)],
    ["busy", (stage) => stage.say({ kind: "refused", reason: "busy" })],
    ["protocol", (stage) => stage.say({ kind: "connected" })],
    ["unreachable", (stage) => stage.give({ kind: "closed" })],
  ])("that is told %s tries again, with growing pauses", (reason, happen) => {
    const stage = new Stage();
    if (reason !== "unreachable" || happen.toString().includes("closed")) {
      stage.give({ kind: "opened", isOpen: true });
    }
    happen(stage);
    expect(stage.lost()).toEqual({ kind: "lost", reason, isFinal: false });
    const pauses: number[] = [];
    for (let round = 0; round < 8; round++) {
      const from = stage.now;
      stage.advance(stage.core.deadline() - from);
      expect(stage.take()).toEqual(["open"]);
      pauses.push(stage.now - from);
      stage.give({ kind: "opened", isOpen: false });
      stage.take();
    }
    expect(pauses).toEqual([5, 10, 20, 40, 80, 160, 300, 300].map((s) => s * 1_000));
  });

  it.each<[string, Partial<VoucherClaims>, NodeIdentity]>([
    ["for somebody else", { holder: random.bytes(32) }, relay],
    ["that is over", { expiresAtUnixS: UNIX_MS / 1_000 - 1 }, relay],
    ["for longer than any relay promises", { expiresAtUnixS: UNIX_MS / 1_000 + 90_000 }, relay],
    ["of another relay", {}, new NodeIdentity(random.bytes(32))],
  ])("leaves a relay for good that gives a voucher %s", (_, changed, signer) => {
    const stage = new Stage();
    stage.give({ kind: "opened", isOpen: true });
    stage.grant(changed, signer);
    expect(stage.lost()).toEqual({ kind: "lost", reason: "bad-voucher", isFinal: true });
    stage.advance(24 * HOUR_MS);
    expect(stage.take()).toEqual([]);
    expect(stage.core.voucher).toBeUndefined();
  });

  it("leaves a relay for good that charges for more than has passed, and no honest one", () => {
    const stage = held();
    stage.say({ kind: "usage", usedBytes: 0 });
    stage.take();
    stage.give({ kind: "passed", bytes: 50_000_000 });
    stage.give({ kind: "ended" });
    const { disputeBytes, underWayBytes } = RELAY_LIMITS;
    const honest = 50_000_000 + disputeBytes + underWayBytes;
    stage.say({ kind: "usage", usedBytes: honest });
    expect(stage.take()).toEqual([]);
    stage.say({ kind: "usage", usedBytes: honest + 1 });
    expect(stage.lost()).toEqual({ kind: "lost", reason: "overcharged", isFinal: true });
    expect(stage.core.deadline()).toBe(Number.POSITIVE_INFINITY);
  });

  it("counts from zero after a renewal", () => {
    const stage = held();
    stage.give({ kind: "passed", bytes: 90_000_000 });
    stage.advance(HOUR_MS * 0.25);
    stage.grant();
    stage.effects.length = 0;
    stage.say({ kind: "usage", usedBytes: 90_000_000 });
    expect(stage.lost()).toMatchObject({ reason: "overcharged" });
  });

  it("takes no place for a lie that was lost and comes back with what it has cost", () => {
    const stage = held();
    const issuedAtUnixS = Math.floor(UNIX_MS / 1_000);
    stage.give({ kind: "passed", bytes: 90_000_000 });
    stage.give({ kind: "closed" });
    stage.advance(10_000);
    stage.give({ kind: "opened", isOpen: true });
    stage.grant({ issuedAtUnixS, expiresAtUnixS: issuedAtUnixS + 3_600 });
    stage.effects.length = 0;
    stage.say({ kind: "usage", usedBytes: 90_000_000 });
    expect(stage.lost()).toBeUndefined();
    stage.say({ kind: "usage", usedBytes: 99_000_000 });
    expect(stage.lost()).toMatchObject({ reason: "overcharged" });
  });

  it.each([-900, 0, 900])(
    "believes once what had passed before the node was started anew, by a clock %i s ahead",
    (s) => {
      const stage = new Stage();
      stage.give({ kind: "opened", isOpen: true });
      const issuedAtUnixS = Math.floor(UNIX_MS / 1_000) + s;
      stage.grant({ issuedAtUnixS, expiresAtUnixS: issuedAtUnixS + 3_600 });
      stage.effects.length = 0;
      stage.give({ kind: "passed", bytes: 1_000 });
      stage.say({ kind: "usage", usedBytes: 70_001_000 });
      expect(stage.lost()).toBeUndefined();
      stage.say({ kind: "usage", usedBytes: 79_000_000 });
      expect(stage.lost()).toMatchObject({ reason: "overcharged" });
    },
  );

  it("takes noise for what it is", () => {
    for (let seed = 0; seed < 50; seed++) {
      const stage = new Stage();
      stage.give({ kind: "opened", isOpen: true });
      const dice = new SeededRandom(seed);
      for (let at = 0; at < 20; at++) {
        stage.give({ kind: "bytes", bytes: dice.bytes(dice.below(40)), unixMs: UNIX_MS });
      }
      expect(stage.core.voucher).toBeUndefined();
    }
  });
});
