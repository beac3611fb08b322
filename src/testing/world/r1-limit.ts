import { Heap, SeededRandom } from "../../base/index.ts";
import { VirtualClock } from "../virtual-clock.ts";
import { R1 } from "./r1.ts";

/** What the ideal is given. */
export interface R1LimitPlan {
  readonly loss: number;
  readonly seed: number;
  readonly frames: number;
  /** User bytes in each frame. */
  readonly frameBytes: number;
  readonly paced: boolean;
  /** Puts, and gets, under way at once. */
  readonly window: number;
}

/**
 * The goodput, in bytes per second, of an ideal selective repeat with receipts on profile R1: a put
 * counts as lost after exactly one round trip without a receipt, a get the moment its answer would
 * have come, acknowledgements cost nothing and memory has no end. A stream has to find all that
 * out; what may bring it beyond is that it asks for an unlucky frame more than once at a time.
 */
export function runR1Limit(plan: R1LimitPlan): number {
  const { loss, frames, frameBytes, window } = plan;
  const clock = new VirtualClock();
  const random = new SeededRandom(plan.seed);
  const stored = new Set<number>();
  const waiting = new Map<number, () => void>();
  let delivered = 0;
  const later = (legs: number, run: () => void): void => {
    clock.schedule(clock.now() + (legs * R1.rttMs) / 2, run);
  };
  const isLost = (): boolean => random.unit() < loss;
  const shared = { clock, random, frames, window, paceMeanMs: plan.paced ? R1.paceMeanMs : 0 };
  const puts = new IdealFlow({
    ...shared,
    send: (frame, settle) => {
      const arrives = !isLost();
      const isKnown = arrives && !isLost();
      if (arrives) {
        later(1, () => {
          stored.add(frame);
          waiting.get(frame)?.();
          waiting.delete(frame);
        });
      }
      later(2, () => settle(isKnown));
    },
  });
  const gets = new IdealFlow({
    ...shared,
    send: (frame, settle) => {
      const isAnswered = !isLost() && !isLost();
      const answer = (): void => {
        later(1, () => {
          if (isAnswered) delivered += 1;
          settle(isAnswered);
        });
      };
      later(1, () => {
        if (stored.has(frame)) answer();
        else waiting.set(frame, answer);
      });
    },
  });
  puts.pump();
  gets.pump();
  while (delivered < frames && clock.step());
  return (1_000 * frames * frameBytes) / clock.now();
}

interface IdealFlowInit {
  readonly clock: VirtualClock;
  readonly random: SeededRandom;
  readonly frames: number;
  readonly window: number;
  readonly paceMeanMs: number;
  /** Makes one request for a frame and says later whether it has to be made again. */
  readonly send: (frame: number, settle: (isDone: boolean) => void) => void;
}

/** All puts, or all gets: within the window and the pace, the lowest frame first. */
class IdealFlow {
  readonly #init: IdealFlowInit;
  readonly #again = new Heap<number>((a, b) => a < b);
  #fresh = 0;
  #underWay = 0;
  #readyAt = 0;

  constructor(init: IdealFlowInit) {
    this.#init = init;
  }

  pump(): void {
    const { clock, random, frames, window, paceMeanMs, send } = this.#init;
    while (this.#underWay < window && (this.#again.size > 0 || this.#fresh < frames)) {
      if (clock.now() < this.#readyAt) return;
      this.#readyAt = clock.now() - paceMeanMs * Math.log(1 - random.unit());
      if (paceMeanMs > 0) clock.schedule(this.#readyAt, () => this.pump());
      const frame = this.#again.pop() ?? this.#fresh++;
      this.#underWay += 1;
      send(frame, (isDone) => {
        this.#underWay -= 1;
        if (!isDone) this.#again.push(frame);
        this.pump();
      });
    }
  }
}
