import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { SeededRandom } from "../../src/base/index.ts";
import { PathSessionCore, SESSION_NONCE_BYTES } from "../../src/node/path-session-core.ts";

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
    this.cores = [this.#fresh(), this.#fresh()];
    this.drain(0);
    this.drain(1);
  }

  #fresh(): PathSessionCore {
    return new PathSessionCore(this.random.bytes(SESSION_NONCE_BYTES));
  }

  /** The process of one end is killed and comes back; the stream goes on. */
  restart(end: 0 | 1): void {
    this.cores[end] = this.#fresh();
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
        this.cores[to].handle({ kind: "received", bytes: piece }, 0);
        this.drain(to);
      }
    }
  }

  settle(): void {
    while (this.ways[0].length + this.ways[1].length > 0) {
      this.carry(0);
      this.carry(1);
    }
  }

  drain(end: 0 | 1): void {
    for (let effect = this.cores[end].poll(); effect; effect = this.cores[end].poll()) {
      if (effect.kind === "send") this.ways[end].push(effect.bytes);
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
      fc.record({ kind: fc.constantFrom("restart", "carry", "write"), end: fc.constantFrom(0, 1) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), fc.nat(), (steps, seed) => {
        const ends = new Ends(seed);
        for (const { kind, end } of steps) {
          const at = end === 0 ? 0 : 1;
          if (kind === "restart") ends.restart(at);
          else if (kind === "carry") ends.carry(at);
          else ends.write(at, "stale");
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
