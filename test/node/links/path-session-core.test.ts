import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { SeededRandom } from "../../../src/base/index.ts";
import { PathSessionCore, SESSION_NONCE_BYTES } from "../../../src/node/links/path-session-core.ts";
import { effectsOf } from "../../effects-of.ts";

/** Two ends of one stream that survives them; bytes wait in `ways` until they are carried. */
class Ends {
  readonly random: SeededRandom;
  readonly ways: [Uint8Array[], Uint8Array[]] = [[], []];
  readonly cores: [PathSessionCore, PathSessionCore];
  /** What each end heard of its present path; emptied when a path begins. */
  readonly heard: [string, string] = ["", ""];
  readonly paths: [number, number] = [0, 0];

  constructor(seed: number) {
    this.random = new SeededRandom(seed);
    this.cores = [this.#fresh(0), this.#fresh(1)];
    this.drain(0);
    this.drain(1);
  }

  /** What each end has written to its stream, and used of the other's, for good. */
  readonly #written: [number, number] = [0, 0];
  readonly #read: [number, number] = [0, 0];
  readonly #came: [Uint8Array, Uint8Array] = [new Uint8Array(0), new Uint8Array(0)];

  #fresh(end: 0 | 1): PathSessionCore {
    const offsets = { read: this.#read[end], write: this.#written[end] };
    return new PathSessionCore(this.random.bytes(SESSION_NONCE_BYTES), offsets);
  }

  /** The process of one end is killed and comes back; the stream goes on. */
  restart(end: 0 | 1): void {
    // The journal has what was written last in part; a frame that came in part comes again.
    const last = this.ways[end].pop();
    if (last !== undefined) {
      const kept = Math.floor(this.random.unit() * (last.length + 1));
      this.ways[end].push(last.slice(0, kept));
      this.#written[end] -= last.length - kept;
    }
    const { unusedBytes } = this.cores[end];
    const came = this.#came[end];
    this.ways[end === 0 ? 1 : 0].unshift(came.slice(came.length - unusedBytes));
    this.#read[end] -= unusedBytes;
    this.cores[end] = this.#fresh(end);
    this.heard[end] = "";
    this.drain(end);
  }

  write(end: 0 | 1, text: string): void {
    this.cores[end].handle({ kind: "write", bytes: new TextEncoder().encode(text) }, 0);
    this.drain(end);
  }

  /** Carries what waits, in pieces that know nothing of frames. */
  carry(from: 0 | 1): void {
    const to = from === 0 ? 1 : 0;
    for (const bytes of this.ways[from].splice(0)) {
      const cut = Math.floor(this.random.unit() * bytes.length);
      for (const piece of [bytes.slice(0, cut), bytes.slice(cut)]) {
        this.#read[to] += piece.length;
        this.#came[to] = new Uint8Array([...this.#came[to], ...piece]).slice(-5_000);
        this.cores[to].handle({ kind: "received", bytes: piece }, 0);
        this.drain(to);
      }
    }
  }

  /** Carries a piece of what waits: the next life begins in the middle of a frame. */
  carryPart(from: 0 | 1): void {
    const bytes = Buffer.concat(this.ways[from].splice(0));
    const cut = Math.floor(this.random.unit() * bytes.length);
    this.ways[from].push(new Uint8Array(bytes.subarray(0, cut)));
    this.carry(from);
    this.ways[from].push(new Uint8Array(bytes.subarray(cut)));
  }

  settle(): void {
    while (this.ways[0].length + this.ways[1].length > 0) {
      this.carry(0);
      this.carry(1);
    }
  }

  drain(end: 0 | 1): void {
    for (const effect of effectsOf(this.cores[end])) {
      if (effect.kind === "send") {
        this.ways[end].push(effect.bytes);
        this.#written[end] += effect.bytes.length;
      }
      if (effect.kind === "data") this.heard[end] += new TextDecoder().decode(effect.bytes);
      if (effect.kind === "fail") throw effect.error;
      if (effect.kind === "open") {
        this.paths[end] += 1;
        this.heard[end] = "";
      }
    }
  }
}

describe("paths over a stream that survives", () => {
  it("begin when both ends have met, and carry bytes both ways", () => {
    const ends = new Ends(1);
    ends.write(0, "too early");
    ends.settle();
    ends.write(0, "hello ");
    ends.write(0, "there");
    ends.write(1, "x".repeat(40_000));
    ends.settle();
    expect(ends.paths).toEqual([1, 1]);
    expect(ends.heard).toEqual(["x".repeat(40_000), "hello there"]);
  });

  it("give nothing of an earlier run to a later one", () => {
    const ends = new Ends(2);
    ends.settle();
    ends.write(0, "for the first run");
    ends.restart(1);
    ends.settle();
    ends.write(0, "for the second");
    ends.settle();
    expect(ends.heard[1]).toBe("for the second");
    expect(ends.paths).toEqual([2, 2]);
  });

  it("agree in the end, whoever restarts when", () => {
    const step = fc.oneof(
      fc.record({
        kind: fc.constantFrom("restart", "carry", "part", "write"),
        end: fc.constantFrom(0, 1),
      }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), fc.nat(), (steps, seed) => {
        const ends = new Ends(seed);
        for (const { kind, end } of steps) {
          const at = end === 0 ? 0 : 1;
          if (kind === "restart") ends.restart(at);
          else if (kind === "carry") ends.carry(at);
          else if (kind === "part") ends.carryPart(at);
          else ends.write(at, "stale".repeat(ends.random.below(3) * 900));
        }
        ends.settle();
        ends.heard[0] = "";
        ends.heard[1] = "";
        ends.write(0, "to one");
        ends.write(1, "to nought");
        ends.settle();
        expect(ends.heard).toEqual(["to nought", "to one"]);
      }),
    );
  });

  it("are over when the other end speaks another language", () => {
    const core = new PathSessionCore(new Uint8Array(SESSION_NONCE_BYTES));
    core.poll();
    core.handle({ kind: "received", bytes: Uint8Array.of(0, 0, 0, 1, 9) }, 0);
    expect(core.poll()).toMatchObject({ kind: "fail", error: { code: "CULVERT_PROTOCOL" } });
    core.handle({ kind: "write", bytes: Uint8Array.of(1) }, 0);
    expect(core.poll()).toBeUndefined();
  });
});
