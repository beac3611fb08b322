import type { Journal, JournalChanges } from "../../base/index.ts";

/** A core whose state can be kept. */
export interface KeptCore {
  /** Nothing is left to be done: the last commit has said so, or says so. */
  readonly isOver: boolean;
  /** Everything but bytes, encoded. Holds secrets. */
  encodedState(): Uint8Array;
  /** What is in memory alone, by journal name: sealed frames, borrowed, and what waits for one. */
  residentFrames(): ReadonlyMap<string, Uint8Array>;
}

/** Everything about a core that has been stopped, in one step. */
export function wholeOf(core: KeptCore): JournalChanges {
  const put = [...core.residentFrames()].map(([name, bytes]) => ({ name, bytes }));
  return { head: core.encodedState(), put, remove: [] };
}

/**
 * Whatever is needed beside the state, by journal name: what is in memory, and what the journal
 * has, which is opened for that and closed.
 */
export async function framesBeside(
  core: KeptCore,
  reopen: (() => Promise<Journal>) | undefined,
): Promise<Map<string, Uint8Array>> {
  const frames = new Map(core.residentFrames());
  const journal = await reopen?.();
  try {
    for (const name of (await journal?.names()) ?? []) {
      const bytes = frames.has(name) ? undefined : await journal?.read(name);
      if (bytes !== undefined) frames.set(name, bytes);
    }
  } finally {
    await journal?.close();
  }
  return frames;
}
