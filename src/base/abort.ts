import type { Cancel } from "./ports.ts";

/**
 * What an aborted wait rejects with: as Node's own, the name `AbortError`, the code `ABORT_ERR` and
 * the signal's reason as its cause.
 */
export function abortError(signal: AbortSignal): Error {
  const error = new Error("the operation was aborted", { cause: signal.reason });
  error.name = "AbortError";
  return Object.assign(error, { code: "ABORT_ERR" });
}

/** Whether a wait was aborted, and has not failed: an {@link abortError}, or one of Node's own. */
export function isAbortError(error: unknown): boolean {
  return error instanceof Error && error.name === "AbortError";
}

/** @throws Error with the name `AbortError` when `signal` is aborted already */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal && isAborted(signal, LISTENERS.get(signal))) throw abortError(signal);
}

/** @throws TypeError for what was given as a signal, and is none */
export function requireSignal(signal: AbortSignal | undefined): void {
  if (signal === undefined || typeof Object(signal).addEventListener === "function") return;
  throw new TypeError("signal must be an AbortSignal");
}

/**
 * Calls `run` once with an {@link abortError} when `signal` is aborted; at once when it is already.
 * The result forgets the signal: call it when the wait is over, or the signal keeps `run` alive.
 *
 * @throws TypeError for what is no signal
 */
export function onAbort(signal: AbortSignal | undefined, run: (error: Error) => void): Cancel {
  if (signal === undefined) return () => {};
  const known = LISTENERS.get(signal);
  if (known === undefined) requireSignal(signal);
  const listener = (): void => run(abortError(signal));
  if (isAborted(signal, known)) {
    listener();
    return () => {};
  }
  const listeners = known ?? watch(signal);
  listeners.add(listener);
  return () => {
    const isLast = listeners.delete(listener) && listeners.size === 0;
    if (isLast) WATCHED.get(signal)?.();
  };
}

/** Resolves when `signal` is aborted. */
export function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => void onAbort(signal, () => resolve()));
}

/**
 * Those who wait for a signal, in the order in which they came. Mostly it is one, for which no set
 * is kept.
 */
class Listeners {
  /** Set by whoever knows: each signal has a hidden class of its own, so that asking it is slow. */
  isAborted: boolean | undefined;
  #first: (() => void) | undefined;
  #others: Set<() => void> | undefined;

  get size(): number {
    return (this.#first === undefined ? 0 : 1) + (this.#others?.size ?? 0);
  }

  add(listener: () => void): void {
    if (this.size === 0) {
      this.#first = listener;
      return;
    }
    this.#others ??= new Set();
    this.#others.add(listener);
  }

  /** False when it does not wait any more. */
  delete(listener: () => void): boolean {
    if (this.#first !== listener) return this.#others?.delete(listener) ?? false;
    this.#first = undefined;
    return true;
  }

  /** Calls each of them, once. */
  tell(): void {
    const first = this.#first;
    this.#first = undefined;
    first?.();
    for (const listener of this.#others ?? []) {
      this.#others?.delete(listener);
      listener();
    }
  }
}

function isAborted(signal: AbortSignal, listeners: Listeners | undefined): boolean {
  return listeners?.isAborted ?? signal.aborted;
}

/** Listens once for all that wait for a signal of others: Node warns of eleven that listen. */
function watch(signal: AbortSignal): Listeners {
  const listeners = new Listeners();
  const tell = (): void => {
    forget();
    listeners.tell();
  };
  const forget = (): void => {
    signal.removeEventListener("abort", tell);
    LISTENERS.delete(signal);
    WATCHED.delete(signal);
  };
  signal.addEventListener("abort", tell, { once: true });
  LISTENERS.set(signal, listeners);
  WATCHED.set(signal, forget);
  return listeners;
}

/**
 * Runs `work` with a signal that is aborted when any of `signals` is, and forgets them when it is
 * over. `AbortSignal.any` does not: a signal that lives long keeps a trace of each that was made
 * of it.
 */
export async function withSignals<T>(
  signals: readonly AbortSignal[],
  work: (either: AbortSignal) => Promise<T>,
): Promise<T> {
  const either = new Canceller();
  const cancels = signals.map((signal) => onAbort(signal, () => either.abort(signal.reason)));
  try {
    return await work(either.signal);
  } finally {
    for (const cancel of cancels) cancel();
  }
}

/** Who waits within the house for a signal. */
const LISTENERS = new WeakMap<AbortSignal, Listeners>();

/** Signals of others that are listened to, and how that ends. */
const WATCHED = new WeakMap<AbortSignal, () => void>();

/** The reason of all that have none of their own: to make one, with its stack, costs more. */
const CANCELLED = new DOMException("This operation was aborted", "AbortError");

/**
 * An `AbortController` whose signal {@link onAbort} can wait for at a twentieth of the price of an
 * event listener: for whoever makes a signal for each request. To all others it is a signal like
 * any other; they hear of the abort first.
 */
export class Canceller {
  readonly #controller = new AbortController();
  readonly #listeners = new Listeners();

  constructor() {
    this.#listeners.isAborted = false;
    LISTENERS.set(this.#controller.signal, this.#listeners);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Whether it may serve for another thing: not aborted, and nobody waits by {@link onAbort}. */
  get isFree(): boolean {
    return this.#listeners.size === 0 && this.#listeners.isAborted === false;
  }

  /** Aborts the signal; once. */
  abort(reason: unknown = CANCELLED): void {
    this.#listeners.isAborted = true;
    this.#controller.abort(reason);
    this.#listeners.tell();
  }
}
