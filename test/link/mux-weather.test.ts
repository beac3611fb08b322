import { describe, expect, it } from "vitest";
import { SeededRandom } from "../../src/base/index.ts";
import { LINK_LIMITS, type LinkLimits, type Priority } from "../../src/link/index.ts";
import { MuxCore } from "../../src/link/mux/mux-core.ts";
import type { StreamId } from "../../src/link/mux/mux-frames.ts";
import type { MuxEffect } from "../../src/link/mux/mux-protocol.ts";
import { creditCost } from "../../src/link/mux/mux-stream.ts";
import { Pattern } from "../../src/testing/index.ts";
import { effectsOf } from "../effects-of.ts";

const PRIORITIES: readonly Priority[] = ["urgent", "normal", "bulk"];
const RECORD_BYTES_MAX = 65_519;
const STREAMS = 30;
const STEPS = 300;

/** One stream at one end: what it will say, and how it is read. */
interface Talk {
  readonly id: StreamId;
  readonly says: Pattern;
  readonly hears: Pattern;
  readonly bytes: number;
  readonly pieceBytes: number;
  readonly reader: "eager" | "slow" | "stopped";
  readonly resetAt: number;
  said: number;
  heard: number;
  readonly unread: number[];
  isWriting: boolean;
  isEnding: boolean;
  isEndSent: boolean;
  hasPeerEnded: boolean;
  isReset: boolean;
}

const isOver = (talk: Talk): boolean => talk.isReset || (talk.isEndSent && talk.hasPeerEnded);

/** An end that opens streams, says all that it has, and reads as each stream's reader does. */
class End {
  readonly mux: MuxCore;
  readonly talks = new Map<StreamId, Talk>();
  readonly line: Uint8Array[] = [];
  readonly #limits: LinkLimits;
  readonly #random: SeededRandom;
  readonly #seeds: readonly [number, number];
  #asked = 0;

  constructor(of: {
    readonly limits: LinkLimits;
    readonly peer: LinkLimits;
    readonly isInitiator: boolean;
    readonly seed: number;
  }) {
    const { limits, peer, isInitiator, seed } = of;
    this.#limits = limits;
    this.#random = new SeededRandom(2 * seed + Number(isInitiator));
    this.#seeds = isInitiator ? [seed, -seed] : [-seed, seed];
    const theirs = { streams: peer.streamsInMax, streamWindow: peer.streamWindowBytes };
    this.mux = new MuxCore({ limits, isInitiator, peer: theirs });
  }

  /** One turn; `isLast` once everybody is to come to an end. */
  act(step: number, isLast: boolean): void {
    if (this.#asked < STREAMS && this.#random.below(3) === 0) this.#open();
    for (const talk of this.talks.values()) {
      if (isOver(talk)) continue;
      if (step === talk.resetAt) this.#reset(talk);
      else this.#say(talk);
      const isReading = isLast || talk.reader === "eager";
      this.#read(talk, isReading ? talk.unread.length : Number(talk.reader === "slow"));
    }
  }

  fill(records: number): void {
    for (let i = 0; i < records; i++) {
      const drawn = 100 + this.#random.below(2 ** (1 + this.#random.below(16)));
      const bytesMax = Math.min(drawn, RECORD_BYTES_MAX);
      const payload = this.mux.fill(bytesMax);
      this.#hear();
      if (payload === undefined) return;
      expect(payload.length).toBeLessThanOrEqual(bytesMax);
      this.line.push(payload.slice());
    }
  }

  take(from: End, records: number): void {
    for (const payload of from.line.splice(0, records)) {
      this.mux.handle({ kind: "receive", payload }, 0);
      this.#hear();
    }
    const open = [...this.talks.values()].filter((talk) => !isOver(talk));
    const unread = open.flatMap((talk) => talk.unread);
    const bytes = unread.reduce((sum, credit) => sum + credit, 0);
    const { linkWindowBytesMax, streamWindowBytes, streamsOutMax } = this.#limits;
    // The first windows of the streams that were opened here come on top.
    expect(bytes).toBeLessThanOrEqual(linkWindowBytesMax + streamsOutMax * streamWindowBytes);
  }

  #open(): void {
    const priority = PRIORITIES[this.#random.below(3)] ?? "normal";
    this.mux.handle({ kind: "open", ticket: this.#asked, protocol: "p", priority }, 0);
    this.#asked += 1;
    this.#hear();
  }

  #reset(talk: Talk): void {
    talk.isReset = true;
    talk.unread.length = 0;
    this.mux.handle({ kind: "reset", id: talk.id, code: 1 }, 0);
    this.#hear();
  }

  #say(talk: Talk): void {
    const { id, says, said } = talk;
    if (talk.isWriting || talk.isEnding) return;
    const bytes = Math.min(talk.pieceBytes, talk.bytes - said);
    talk.isWriting = bytes > 0;
    talk.isEnding = bytes === 0;
    talk.said += bytes;
    if (talk.isEnding) this.mux.handle({ kind: "end", id }, 0);
    else this.mux.handle({ kind: "write", id, chunks: [says.bytes(said, bytes)] }, 0);
    this.#hear();
  }

  #read({ id, unread }: Talk, pieces: number): void {
    for (const credit of unread.splice(0, pieces)) {
      this.mux.handle({ kind: "consumed", id, credit }, 0);
      this.#hear();
    }
  }

  #hear(): void {
    for (const e of effectsOf(this.mux)) this.#perform(e);
  }

  #perform(effect: MuxEffect): void {
    if (effect.kind === "open-refused") return;
    if (effect.kind === "fail") throw effect.error;
    if (effect.kind === "opened" || effect.kind === "accept") {
      this.talks.set(effect.id, this.#talk(effect.id));
      return;
    }
    const talk = this.talks.get(effect.id);
    if (talk === undefined || isOver(talk)) throw new Error(`${effect.kind} of no stream`);
    if (effect.kind === "data") {
      expect(talk.hears.mismatch(talk.heard, effect.bytes)).toBeUndefined();
      talk.heard += effect.bytes.length;
      talk.unread.push(creditCost(effect.bytes.length));
    } else if (effect.kind === "written") talk.isWriting = false;
    else if (effect.kind === "end-sent") talk.isEndSent = true;
    else if (effect.kind === "ended") talk.hasPeerEnded = true;
    else talk.isReset = true;
  }

  #talk(id: StreamId): Talk {
    const random = this.#random;
    const pieceBytes = 1 + random.below(2 ** random.below(18));
    const [says, hears] = this.#seeds.map((seed) => new Pattern(seed * 1_009 + id));
    return {
      ...{ id, says: says as Pattern, hears: hears as Pattern, pieceBytes },
      bytes: Math.min(2 ** random.below(18), 50 * pieceBytes, 20 * this.#limits.streamWindowBytes),
      reader: (["eager", "slow", "stopped"] as const)[random.below(3)] ?? "eager",
      resetAt: random.below(10) === 0 ? random.below(STEPS) : -1,
      ...{ said: 0, heard: 0, unread: [], isWriting: false, isEnding: false },
      ...{ isEndSent: false, hasPeerEnded: false, isReset: false },
    };
  }
}

function limitsOf(random: SeededRandom): LinkLimits {
  const streamWindowBytes = 128 * 2 ** random.below(10);
  const streamsInMax = 1 + random.below(20);
  return {
    ...LINK_LIMITS,
    ...{ streamWindowBytes, streamsInMax, streamsOutMax: 1 + random.below(20) },
    streamWindowBytesMax: streamWindowBytes * 2 ** random.below(8),
    linkWindowBytesMax: streamsInMax * streamWindowBytes + random.below(2 ** 21),
  };
}

/** Turns of both until nothing more happens. */
function settle(ends: readonly [End, End], isLast: boolean): void {
  for (let still = 0, before = ""; still < 3; ) {
    for (const [end, other] of [ends, ends.toReversed()] as [End, End][]) {
      end.act(-2, isLast);
      end.fill(1_000);
      other.take(end, end.line.length);
    }
    const state = ends.map(({ talks }) =>
      [...talks.values()].map((t) => [t.said, t.heard, t.unread.length, isOver(t)]),
    );
    still = JSON.stringify(state) === before ? still + 1 : 0;
    before = JSON.stringify(state);
  }
}

describe("two muxes with many streams, under small limits", () => {
  it.each([1, 2, 3, 4, 6, 158])("seed %i", (seed) => {
    const random = new SeededRandom(seed);
    const [one, other] = [limitsOf(random), limitsOf(random)];
    const ends: [End, End] = [
      new End({ limits: one, peer: other, isInitiator: true, seed }),
      new End({ limits: other, peer: one, isInitiator: false, seed }),
    ];
    for (let step = 0; step < STEPS; step++) {
      for (const [end, peer] of [ends, ends.toReversed()] as [End, End][]) {
        end.act(step, false);
        end.fill(random.below(20));
        peer.take(end, random.below(20));
      }
    }
    settle(ends, false);
    // Whoever cannot go on waits for a reader that has stopped, and for nobody else.
    for (const [end, peer] of [ends, ends.toReversed()] as [End, End][]) {
      for (const talk of end.talks.values()) {
        const isStuck = !isOver(talk) && !talk.isEndSent;
        if (isStuck) expect(peer.talks.get(talk.id)).toMatchObject({ reader: "stopped" });
      }
    }
    settle(ends, true);
    for (const { mux, talks } of ends) {
      expect([...talks.values()].filter((talk) => !isOver(talk))).toEqual([]);
      expect([mux.streamCount, mux.isReady]).toEqual([0, false]);
    }
    const whole = [...ends[0].talks.values()].filter(({ isReset }) => !isReset);
    for (const { id, said } of whole) expect(ends[1].talks.get(id)?.heard).toBe(said);
  });
});
