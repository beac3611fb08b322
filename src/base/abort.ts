import type { Cancel } from "./ports.ts";

/** What an aborted wait rejects with: the name `AbortError`, the signal's reason as its cause. */
export function abortError(signal: AbortSignal): Error {
  const error = new Error("the operation was aborted", { cause: signal.reason });
  error.name = "AbortError";
  return error;
}

/** @throws Error with the name `AbortError` when `signal` is aborted already */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw abortError(signal);
}

/**
 * Calls `run` once with an {@link abortError} when `signal` is aborted; at once when it is already.
 * The result forgets the signal: call it when the wait is over, or the signal keeps `run` alive.
 */
export function onAbort(signal: AbortSignal | undefined, run: (error: Error) => void): Cancel {
  if (signal === undefined) return () => {};
  const listener = (): void => run(abortError(signal));
  if (signal.aborted) {
    listener();
    return () => {};
  }
  signal.addEventListener("abort", listener, { once: true });
  return () => signal.removeEventListener("abort", listener);
}
