import { type Cancel, type Clock, CulvertError, type Instant, onAbort } from "../../base/index.ts";
import type { FrameStream } from "./frame-stream.ts";

/**
 * The patience of whoever makes a streaming call: it destroys the stream when the whole call, the
 * first message or the next one takes too long, or when the caller's signal is aborted.
 */
export class CallGuard {
  readonly #clock: Clock;
  readonly #frames: FrameStream;
  readonly #forget: Cancel;
  readonly #cancelTotal: Cancel;
  #cancelStep: Cancel = () => {};

  constructor(
    clock: Clock,
    frames: FrameStream,
    options: { readonly totalAt: Instant; readonly signal?: AbortSignal | undefined },
  ) {
    this.#clock = clock;
    this.#frames = frames;
    this.#cancelTotal = this.#schedule(options.totalAt, "the call");
    this.#forget = onAbort(options.signal, (error) => frames.destroy(error));
  }

  /** Waits for a message of the peer, for so long at most; without `ms` for as long as it takes. */
  async within<T>(ms: number | undefined, wait: Promise<T>): Promise<T> {
    if (ms === undefined) return await wait;
    this.#cancelStep = this.#schedule(this.#clock.now() + ms, "a message");
    try {
      return await wait;
    } finally {
      this.#cancelStep();
    }
  }

  /** The call is over: nothing is watched any more. */
  release(): void {
    this.#cancelTotal();
    this.#cancelStep();
    this.#forget();
  }

  #schedule(at: Instant, what: string): Cancel {
    return this.#clock.schedule(at, () => {
      this.#frames.destroy(new CulvertError("CULVERT_TIMEOUT", `${what} took too long`));
    });
  }
}
