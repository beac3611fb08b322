import type { Core } from "./core.ts";
import type { Clock, Instant, Scheduled } from "./ports.ts";

/**
 * Runs one core on a clock: the single event queue of EGTP (its "DoQ"). Inputs given while an
 * effect is being performed are queued, so a core is never entered twice.
 *
 * The shell performs effects in `perform`, which must not throw and must not wait: what takes time
 * comes back later as an input. `onRest` is called when the core has heard of everything and its
 * timer is set: there, anybody may be told anything, and may give inputs that are heard at once.
 */
export class Driver<Input, Effect> {
  readonly #core: Core<Input, Effect>;
  readonly #clock: Clock;
  readonly #perform: (effect: Effect) => void;
  readonly #onRest: () => void;
  readonly #inputs: Input[] = [];
  #running = false;
  #stopped = false;
  #background = false;
  #armedAt: Instant = Number.POSITIVE_INFINITY;
  #cancel: Scheduled | undefined;

  constructor(
    core: Core<Input, Effect>,
    clock: Clock,
    perform: (effect: Effect) => void,
    onRest: () => void = () => {},
  ) {
    this.#core = core;
    this.#clock = clock;
    this.#perform = perform;
    this.#onRest = onRest;
  }

  /** Whether an effect is being performed: an input that is given now waits in the queue. */
  get isRunning(): boolean {
    return this.#running;
  }

  /** Hands one input to the core and performs what follows from it. Ignored after `stop`. */
  handle(input: Input): void {
    if (this.#stopped) return;
    this.#inputs.push(input);
    this.#run();
  }

  /**
   * Whether the core's timers let the process exit; arms what is due of a core that has heard of
   * nothing yet. It costs next to nothing to change it.
   */
  setBackground(background: boolean): void {
    if (this.#background === background) return;
    this.#background = background;
    if (this.#cancel === undefined && !this.#running) this.#arm();
    else this.#cancel?.setBackground?.(background);
  }

  /** Cancels the timer and ignores every later input. The core keeps its last state. */
  stop(): void {
    this.#stopped = true;
    this.#inputs.length = 0;
    this.#disarm();
  }

  #run(): void {
    if (this.#running) return;
    this.#running = true;
    try {
      let input = this.#inputs.shift();
      while (input !== undefined && !this.#stopped) {
        this.#core.handle(input, this.#clock.now());
        this.#drain();
        input = this.#inputs.shift();
      }
    } finally {
      this.#running = false;
    }
    this.#arm();
    this.#onRest();
  }

  #drain(): void {
    let effect = this.#core.poll();
    while (effect !== undefined && !this.#stopped) {
      this.#perform(effect);
      effect = this.#core.poll();
    }
  }

  #arm(): void {
    if (this.#stopped) return;
    const at = this.#core.deadline();
    const isIdle = at === Number.POSITIVE_INFINITY;
    // A timer that ends too early looks again: cheaper than moving it with every input.
    if (at >= this.#armedAt && !isIdle) return;
    this.#disarm();
    if (isIdle) return;
    this.#armedAt = at;
    this.#cancel = this.#clock.schedule(at, () => this.#expired(), {
      background: this.#background,
    });
  }

  #disarm(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#armedAt = Number.POSITIVE_INFINITY;
  }

  #expired(): void {
    this.#cancel = undefined;
    this.#armedAt = Number.POSITIVE_INFINITY;
    if (this.#stopped) return;
    const now = this.#clock.now();
    if (now < this.#core.deadline()) {
      this.#arm();
      return;
    }
    this.#running = true;
    try {
      this.#core.timeout(now);
      this.#drain();
    } finally {
      this.#running = false;
    }
    this.#run();
  }
}
