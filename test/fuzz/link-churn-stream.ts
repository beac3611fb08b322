import { isCulvertError, type SeededRandom } from "../../src/base/index.ts";
import type { LinkStream } from "../../src/link/index.ts";
import { Pattern, type VirtualClock } from "../../src/testing/index.ts";

type Manner = "flows" | "slow" | "never" | "late";
type Finish = "end" | "destroy" | "reset" | "stay";

/** What one end of a stream does with it. */
export interface EndPlan {
  readonly bytes: number;
  readonly pieceBytes: number;
  readonly pauseMs: number;
  readonly finish: Finish;
  readonly manner: Manner;
  readonly endsAsSocket: boolean;
}

/** A plan that follows from its seed. */
export function endPlanOf(random: SeededRandom): EndPlan {
  const one = <T>(...values: readonly T[]): T => values[random.below(values.length)] as T;
  return {
    bytes: one(0, 1, 1_000, 70_000, random.below(2_000_000)),
    pieceBytes: one(100, 5_000, 20_000, 100_000),
    pauseMs: one(0, 1, 50, 2_000),
    finish: one("end", "end", "end", "end", "destroy", "reset", "stay"),
    manner: one("flows", "flows", "flows", "slow", "never", "late"),
    endsAsSocket: random.below(5) === 0,
  };
}

/** One end of a stream: it writes known bytes and judges what comes. */
export class StreamEnd {
  readonly stream: LinkStream;
  readonly plan: EndPlan;
  readonly name: string;
  peer: StreamEnd | undefined;
  /** Written, and whether `end` has been called after it. */
  written = 0;
  hasEnded = false;
  received = 0;
  isEndSeen = false;
  isClosed = false;
  isGivenUp = false;
  error: Error | undefined;
  #receivedBefore = 0;
  /** Writes that nobody has called back. */
  pending = 0;
  readonly #clock: VirtualClock;
  readonly #out: Pattern;
  readonly #fault: (what: string) => void;

  constructor(init: {
    readonly stream: LinkStream;
    readonly plan: EndPlan;
    readonly name: string;
    readonly clock: VirtualClock;
    readonly seeds: { readonly out: number; readonly in: number };
    readonly fault: (what: string) => void;
  }) {
    const { stream, plan, name, clock, seeds, fault } = init;
    this.stream = stream;
    this.plan = plan;
    this.name = name;
    this.#clock = clock;
    this.#out = new Pattern(seeds.out);
    this.#fault = (what) => fault(`${name}: ${what}`);
    stream.endsAsSocket = plan.endsAsSocket;
    this.#listen(new Pattern(seeds.in));
    this.#read();
    this.#write();
  }

  #listen(pattern: Pattern): void {
    const { stream } = this;
    stream.on("error", (error) => {
      if (this.error !== undefined) this.#fault("two errors");
      this.error = error;
      if (!isCulvertError(error)) this.#fault(`an error without a code: ${error}`);
    });
    stream.on("close", () => this.#close());
    if (this.plan.manner === "never") return;
    stream.on("end", () => this.#end());
    stream.on("data", (bytes: Uint8Array) => {
      if (this.isEndSeen) this.#fault("data after the end");
      const at = pattern.mismatch(this.received, bytes);
      if (at !== undefined) this.#fault(`a wrong byte at ${at}`);
      this.received += bytes.length;
      const { peer } = this;
      if (peer !== undefined && this.received > peer.written) this.#fault("more than was written");
      if (this.plan.manner !== "slow") return;
      stream.pause();
      this.#after(200, () => stream.resume());
    });
  }

  #end(): void {
    this.isEndSeen = true;
    const { peer } = this;
    if (peer === undefined) return;
    if (!peer.hasEnded) this.#fault("an end that nobody has said");
    else if (this.received !== peer.written) {
      this.#fault(`an end after ${this.received} of ${peer.written} bytes`);
    }
  }

  #close(): void {
    if (this.isClosed) this.#fault("closed twice");
    this.isClosed = true;
    if (this.isGivenUp || this.error !== undefined || this.plan.manner === "never") return;
    if (!this.isEndSeen) this.#fault("closed without an end or an error");
    else if (!this.hasEnded) this.#fault("closed before it has ended");
  }

  #read(): void {
    const { stream, plan } = this;
    if (plan.manner !== "late") return;
    stream.pause();
    this.#after(20_000, () => stream.resume());
  }

  #write(): void {
    const { stream, plan } = this;
    if (stream.destroyed || stream.writableEnded) return;
    if (this.written >= plan.bytes) {
      this.#finish();
      return;
    }
    const length = Math.min(plan.pieceBytes, plan.bytes - this.written);
    const bytes = this.#out.bytes(this.written, length);
    this.written += length;
    this.pending += 1;
    const mayGoOn = stream.write(bytes, () => {
      this.pending -= 1;
    });
    if (mayGoOn) this.#after(plan.pauseMs, () => this.#write());
    else stream.once("drain", () => this.#after(plan.pauseMs, () => this.#write()));
  }

  #finish(): void {
    const { stream, plan } = this;
    if (plan.finish === "end") this.end();
    else if (plan.finish !== "stay") {
      this.isGivenUp = true;
      if (plan.finish === "reset") stream.reset(7);
      else this.destroy();
    }
  }

  /** From now on nothing is in the way. */
  noteProgress(): void {
    this.#receivedBefore = this.received;
  }

  /** Whoever reads has got something since, or everything. */
  judgeProgress(): void {
    const { peer, plan } = this;
    if (this.isClosed) return;
    if (peer === undefined) {
      this.#fault("the peer has not heard of it");
      return;
    }
    if (plan.manner === "never" || this.isEndSeen) return;
    const isWaiting = peer.written > this.received || peer.hasEnded;
    if (isWaiting && this.received === this.#receivedBefore) {
      this.#fault(`stands at ${this.received} of ${peer.written} bytes`);
    }
  }

  end(): void {
    if (this.stream.writableEnded || this.stream.destroyed) return;
    this.hasEnded = true;
    this.stream.end();
  }

  destroy(): void {
    this.isGivenUp = true;
    // As a socket it says an end.
    if (this.plan.endsAsSocket && !this.stream.destroyed) this.hasEnded = true;
    this.stream.destroy();
  }

  #after(ms: number, run: () => void): void {
    this.#clock.schedule(this.#clock.now() + ms, run);
  }
}
