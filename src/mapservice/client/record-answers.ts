import { type Clock, NumberMap } from "../../base/index.ts";
import { afterReactions } from "../../io/defer.ts";
import { TimeSlice } from "../../io/time-slice.ts";
import type { MapAnswer, RequestId } from "../service/protocol.ts";

/**
 * Answers with a record that came in and were not handed on yet. One packet may bring those of a
 * whole window, and each is verified and opened by whoever gets it: so the next one is handed on
 * when that is done, and for a slice of time only. One a request; the owner forgets those that
 * nobody waits for any more.
 */
export class RecordAnswers {
  readonly #hand: (request: RequestId, answer: MapAnswer) => void;
  readonly #waiting = new NumberMap<MapAnswer>();
  /** In the order in which they came, with some that are forgotten. */
  readonly #order: RequestId[] = [];
  readonly #slice: TimeSlice;
  #isHandingOn = false;

  constructor(clock: Clock, hand: (request: RequestId, answer: MapAnswer) => void) {
    this.#hand = hand;
    this.#slice = new TimeSlice(clock, () => this.#handOn());
  }

  push(request: RequestId, answer: MapAnswer): void {
    if (!this.#waiting.has(request)) this.#order.push(request);
    this.#waiting.set(request, answer);
    this.#handOn();
  }

  forget(request: RequestId): void {
    this.#waiting.delete(request);
  }

  #handOn(): void {
    if (this.#isHandingOn || this.#waiting.size === 0 || !this.#slice.begin()) return;
    for (let request = this.#order.shift(); request !== undefined; request = this.#order.shift()) {
      const answer = this.#waiting.get(request);
      if (answer === undefined) continue;
      this.#isHandingOn = true;
      this.#waiting.delete(request);
      afterReactions(() => {
        this.#isHandingOn = false;
        this.#handOn();
      });
      this.#hand(request, answer);
      return;
    }
  }
}
