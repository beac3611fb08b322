import { type Cancel, type Clock, CulvertError, onAbort } from "../base/index.ts";

/** Answers that a client waits for at once. */
const WAITING_MAX = 1_024;

interface Waiter<Answer> {
  resolve(answer: Answer): void;
  reject(error: Error): void;
}

/**
 * Answers that a client waits for, by what they will carry: those with one name come in the order
 * in which they were asked for. Each wait ends in time.
 */
export class Answers<Answer> {
  readonly #clock: Clock;
  readonly #answerMs: number;
  readonly #waiting = new Map<string, Waiter<Answer>[]>();
  #count = 0;

  constructor(clock: Clock, answerMs: number) {
    this.#clock = clock;
    this.#answerMs = answerMs;
  }

  /**
   * Waits for the next answer of this name.
   *
   * @throws CulvertError `CULVERT_TIMEOUT`, or `CULVERT_BUSY` when too many are waited for; Error
   *   with the name `AbortError`
   */
  wait(name: string, signal?: AbortSignal): Promise<Answer> {
    if (this.#count >= WAITING_MAX) return Promise.reject(new CulvertError("CULVERT_BUSY"));
    return new Promise((resolve, reject) => {
      let forget: Cancel = () => {};
      const end = (): void => {
        forget();
        cancelTimer();
        this.#forget(name, waiter);
      };
      const waiter: Waiter<Answer> = {
        resolve: (answer) => {
          end();
          resolve(answer);
        },
        reject: (error) => {
          end();
          reject(error);
        },
      };
      const cancelTimer = this.#clock.schedule(this.#clock.now() + this.#answerMs, () => {
        waiter.reject(new CulvertError("CULVERT_TIMEOUT"));
      });
      this.#waiting.set(name, [...(this.#waiting.get(name) ?? []), waiter]);
      this.#count += 1;
      forget = onAbort(signal, waiter.reject);
    });
  }

  /** False when nobody waits for this one. */
  settle(name: string, answer: Answer): boolean {
    const [first] = this.#waiting.get(name) ?? [];
    first?.resolve(answer);
    return first !== undefined;
  }

  /** No answer will come any more. */
  fail(error: Error): void {
    for (const waiters of [...this.#waiting.values()]) {
      for (const waiter of [...waiters]) waiter.reject(error);
    }
  }

  #forget(name: string, waiter: Waiter<Answer>): void {
    const waiters = this.#waiting.get(name) ?? [];
    const left = waiters.filter((other) => other !== waiter);
    if (left.length === waiters.length) return;
    this.#count -= 1;
    if (left.length === 0) this.#waiting.delete(name);
    else this.#waiting.set(name, left);
  }
}
