export { systemClock } from "./clock.ts";
export { LevelJournalStore } from "./level-journal.ts";
export { systemRandom } from "./random.ts";
