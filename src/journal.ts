/**
 * Where streams survive: `culvert/journal`. The journal on disk has a subpath of its own, so that
 * programs which do not need one do not load a database.
 */
export type { Journal, JournalChanges, JournalStore } from "./base/index.ts";
export { LevelJournalStore } from "./io/level-journal.ts";
export { MemoryJournalStore } from "./stream/saved/memory-journal.ts";
