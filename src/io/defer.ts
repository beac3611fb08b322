import { AsyncResource } from "node:async_hooks";

/** Runs a function soon, after the other events that are ready had their chance. */
export function defer(run: () => void): void {
  setImmediate(run);
}

/** Runs a function within this turn, after everything that follows from settled promises. */
export function afterReactions(run: () => void): void {
  queueMicrotask(() => process.nextTick(run));
}

/** Runs a function within this turn, after what Node's streams have left to be done in it. */
export function afterEmits(run: () => void): void {
  process.nextTick(run);
}

/** A function that runs in the asynchronous context of now, in whose turn it ever is called. */
export function inThisContext<Told>(run: (told: Told) => void): (told: Told) => void {
  const context = new AsyncResource("CULVERT_STREAM");
  // A tenth of what `AsyncResource.bind` takes: this is done for each frame.
  return (told) => context.runInAsyncScope(run, undefined, told);
}

/**
 * Runs what calls somebody else's listeners. What they throw is thrown in a tick of its own: as
 * with a socket's listener nobody catches it, and it ends nothing of what others wait for.
 */
export function apart(run: () => void): void {
  try {
    run();
  } catch (error) {
    process.nextTick(() => {
      throw error;
    });
  }
}
