import { type Cancel, type Clock, CulvertError, onAbort, requirePositive } from "../base/index.ts";

/** Answers that a client waits for at once, those included that it has given up. */
const WAITING_MAX = 1_024;

/** What was asked and is not answered. */
interface Place<Answer> {
  readonly name: string;
  /** Nobody waits any more. */
  isLeft: boolean;
  resolve(answer: Answer): void;
  reject(error: Error): void;
}

/**
 * Answers that a client waits for, by what they will carry: those with one name come in the order
 * in which they were asked for. Each wait ends in time; its place in line stays for as long again,
 * lest an answer that comes late is taken for that to the next question.
 */
export class Answers<Answer> {
  readonly #clock: Clock;
  readonly #answerMs: number;
  #line: readonly Place<Answer>[] = [];

  constructor(clock: Clock, answerMs: number) {
    requirePositive("answerMs", answerMs);
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
    if (this.#line.length >= WAITING_MAX) return Promise.reject(new CulvertError("CULVERT_BUSY"));
    return new Promise((resolve, reject) => {
      const now = this.#clock.now();
      const cancels: Cancel[] = [];
      const end = (): void => {
        for (const cancel of cancels.splice(0)) cancel();
        this.#line = this.#line.filter((other) => other !== place);
      };
      const leave = (error: Error): void => {
        place.isLeft = true;
        for (const cancel of cancels.splice(0)) cancel();
        const at = now + 2 * this.#answerMs;
        cancels.push(this.#clock.schedule(at, end, { background: true }));
        reject(error);
      };
      const place: Place<Answer> = {
        name,
        isLeft: false,
        resolve: (answer) => {
          end();
          resolve(answer);
        },
        reject: (error) => {
          end();
          reject(error);
        },
      };
      this.#line = [...this.#line, place];
      const late = (): void => leave(new CulvertError("CULVERT_TIMEOUT"));
      cancels.push(this.#clock.schedule(now + this.#answerMs, late));
      cancels.push(onAbort(signal, leave));
    });
  }

  /** For whoever waits for what this one carries, be it asked twice. False when nobody does. */
  settle(name: string, answer: Answer): boolean {
    const named = this.#line.filter((place) => place.name === name);
    const place = named.find(({ isLeft }) => !isLeft) ?? named[0];
    place?.resolve(answer);
    return place?.isLeft === false;
  }

  /** A refusal is for the question that it answers: the oldest of this name, or of all. */
  refuse(name: string | undefined, answer: Answer): void {
    this.#line.find((place) => name === undefined || place.name === name)?.resolve(answer);
  }

  /** No answer will come any more. */
  fail(error: Error): void {
    for (const place of this.#line) place.reject(error);
  }
}
