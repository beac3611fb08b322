import { type Journal, throwIfAborted } from "../../base/index.ts";

/** Where a session keeps its state, if it does. */
export interface Journalling {
  readonly journal: Journal | undefined;
  /** Opens the journal again after it was closed. */
  readonly reopen: (() => Promise<Journal>) | undefined;
}

/** Of a session that ends with its process. */
export const NO_JOURNAL: Journalling = Object.freeze({ journal: undefined, reopen: undefined });

/**
 * Opens a journal, and gives what `make` makes of it and of its head, of which a new one has none;
 * closes it when that fails.
 */
export async function fromJournal<T>(
  reopen: () => Promise<Journal>,
  make: (
    journalling: Journalling & { readonly journal: Journal },
    head: Uint8Array | undefined,
  ) => T | Promise<T>,
): Promise<T> {
  const journal = await reopen();
  try {
    return await make({ journal, reopen }, await journal.load());
  } catch (error) {
    await journal.close();
    throw error;
  }
}

/**
 * Makes what takes a journal over, and closes it when that fails: who is told that an option is
 * wrong opens the same state again.
 */
export async function handOver<T>(
  journal: Journal | undefined,
  signal: AbortSignal | undefined,
  make: () => T,
): Promise<T> {
  try {
    throwIfAborted(signal);
    return make();
  } catch (error) {
    await journal?.close();
    throw error;
  }
}
