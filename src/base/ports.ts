/**
 * A point on a monotonic time line, in milliseconds; fractions are allowed and the origin is
 * arbitrary. Instants of different clocks are never compared.
 */
export type Instant = number & { readonly __instant?: never };

/** Cancels a timer; calling it twice, or after the timer fired, does nothing. */
export type Cancel = () => void;

/** A timer that waits: calling it cancels it, as every {@link Cancel}. */
export interface Scheduled {
  (): void;
  /** Whether it lets the process exit from now on; absent where it never keeps one alive. */
  setBackground?(isBackground: boolean): void;
}

/** Time as the shells see it; cores are handed `now` instead. */
export interface Clock {
  /** Monotonic now. */
  now(): Instant;
  /** Wall clock in Unix milliseconds: only for what outlives the process (expiry on disk). */
  unixMs(): number;
  /**
   * Calls `run` once at or after `at`. Instants further away than a platform timer can hold are
   * bridged, never overflowed. With `background` the timer does not keep the process alive.
   */
  schedule(at: Instant, run: () => void, options?: { background?: boolean }): Scheduled;
}

/** A source of randomness: the operating system's in production, a seeded one in the simulator. */
export interface Random {
  /** `length` fresh random bytes, owned by the caller. */
  bytes(length: number): Uint8Array;
  /** A number in [0, 1). Not for secrets: jitter, sampling and the simulator only. */
  unit(): number;
}

/** Severity of a log line. */
export type LogLevel = "debug" | "info" | "warn" | "error";

/** A structured log. `fields` never hold secrets, payloads or addresses of streams. */
export type Log = (
  level: LogLevel,
  event: string,
  fields?: Readonly<Record<string, string | number | boolean>>,
) => void;

/** The log that says nothing: the default of the library. */
export const SILENT: Log = () => {};
