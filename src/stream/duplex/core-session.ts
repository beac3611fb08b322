import { type Cancel, type Clock, type Core, CulvertError } from "../../base/index.ts";
import { inThisContext } from "../../io/defer.ts";
import type { Transport } from "../../transport/index.ts";
import type { IoEffect, IoInput } from "../exchange/protocol.ts";
import type { Journalling } from "../saved/journalling.ts";
import { framesBeside, type KeptCore, wholeOf } from "../saved/kept-state.ts";
import { StateWaits } from "../saved/state-waits.ts";
import { StreamEngine } from "./engine.ts";
import type { Callback } from "./held-callback.ts";

/** How long a destroyed stream goes on in the background unless told otherwise. */
export const LINGER_MS = 60_000;

/** The core of a session. */
type SessionCore<Input, Event> = Core<Input | IoInput, IoEffect | Event> & KeptCore;

/** What a session is put together from. */
export interface SessionParts<C> extends Journalling {
  readonly core: C;
  /** Bound to what the core reads and writes. */
  readonly transport: Transport;
  readonly clock: Clock;
}

/**
 * - `running`: until one of the others
 * - `aborting`: we gave up, and the other side is being told
 * - `over`: nothing is left to be done
 * - `failed`: an error ended it
 * - `halted`: stopped, to go on from its state
 */
export type SessionPhase = "running" | "aborting" | "over" | "failed" | "halted";

/** The life of one core in one process, from its start to what is kept of it. */
export class CoreSession<Input, Event extends { readonly kind: string }> {
  readonly #parts: SessionParts<SessionCore<Input, Event>>;
  readonly #waits = new StateWaits();
  readonly engine: StreamEngine<Input, Event>;
  #phase: SessionPhase = "running";
  #failure: CulvertError | undefined;
  #cancelLinger: Cancel | undefined;
  #stopped: Promise<void> | undefined;
  #saving: Promise<unknown> = Promise.resolve();

  constructor(
    parts: SessionParts<SessionCore<Input, Event>>,
    on: {
      readonly event: (event: Event) => void;
      readonly turn?: () => void;
      readonly broken: (error: CulvertError) => void;
    },
  ) {
    this.#parts = parts;
    this.engine = new StreamEngine<Input, Event>({
      ...parts,
      // A request may have been made in the turn of anybody: another stream's, a write's.
      onEvent: inThisContext(on.event),
      onTurn: () => {
        this.#waits.check();
        on.turn?.();
      },
      onBroken: on.broken,
    });
  }

  get phase(): SessionPhase {
    return this.#phase;
  }

  /** Whether the core still has something to do, for the application or in the background. */
  get isWorking(): boolean {
    return this.#phase === "running" || this.#phase === "aborting";
  }

  /** Moves on to another phase; none leads back to work. Who waits learns of it in `shutDown`. */
  enter(phase: "over" | "halted"): void {
    if (this.isWorking) this.#phase = phase;
  }

  /** What we give up, nobody waits for any more. */
  abort(): void {
    if (!this.isWorking) return;
    this.#phase = "aborting";
    this.#waits.fail(this.ending);
  }

  /** False when it had ended before. */
  fail(error: CulvertError): boolean {
    if (!this.isWorking) return false;
    this.#phase = "failed";
    this.#failure = error;
    this.#waits.fail(error);
    return true;
  }

  /** What ended the session, of one that does not run. */
  get ending(): CulvertError {
    return (
      this.#failure ??
      new CulvertError(this.#phase === "halted" ? "CULVERT_HALTED" : "CULVERT_CLOSED")
    );
  }

  /** Work goes on in the background: `over` is called after so long, unless it was shut down. */
  linger(ms: number, over: () => void): void {
    const { clock } = this.#parts;
    this.#cancelLinger = clock.schedule(clock.now() + ms, over, { background: true });
  }

  /** Looks whether what somebody waits for has come true. */
  check(): void {
    this.#waits.check();
  }

  /** Resolves once `isTrue`; fails with whatever keeps it from ever becoming so. */
  async until(isTrue: () => boolean, signal: AbortSignal | undefined): Promise<void> {
    if (this.#phase !== "running" && !isTrue()) throw this.ending;
    await this.#waits.until(isTrue, signal);
  }

  /** Settles a `_destroy`: at once when work goes on in the background, else behind `shutDown`. */
  settle(
    error: Error | null,
    callback: Callback,
    shutDown: () => Promise<void> = () => this.shutDown(),
  ): void {
    if (this.isWorking) {
      callback(error);
      return;
    }
    shutDown().then(
      () => callback(error),
      (broken) => callback(error ?? broken),
    );
  }

  /** Stops all work, leaves the whole state in the journal unless it is broken, and closes it. */
  shutDown(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  /**
   * Whatever is needed beside the state, by journal name, after `shutDown`.
   *
   * @throws CulvertError of what ended the session; `CULVERT_STATE_IN_USE`
   */
  frames(): Promise<Map<string, Uint8Array>> {
    // One after the other: two cannot have the journal open.
    const own = this.#saving.then(() => this.#frames());
    this.#saving = own.catch(() => {});
    return own;
  }

  async #frames(): Promise<Map<string, Uint8Array>> {
    if (this.#failure !== undefined) throw this.#failure;
    return await framesBeside(this.#parts.core, this.#parts.reopen);
  }

  async #stop(): Promise<void> {
    const { core, journal } = this.#parts;
    this.#cancelLinger?.();
    await this.engine.stop();
    this.#waits.fail(this.ending);
    // What has come to its end is in the journal as it is; all else may go on another time.
    const isComplete = this.#phase === "over" && core.isOver;
    try {
      if (this.#failure === undefined && !isComplete) await this.engine.keep(wholeOf(core));
    } finally {
      await journal?.close();
    }
  }
}
