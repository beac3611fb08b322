export type { JournalFixture } from "./compliance/journal.ts";
export { journalCompliance } from "./compliance/journal.ts";
export type { Cases, Fixture, RegisterTest } from "./compliance/suite.ts";
export type { TransportFixture } from "./compliance/transport.ts";
export { transportCompliance } from "./compliance/transport.ts";
export { settle } from "./settle.ts";
export { VirtualClock } from "./virtual-clock.ts";
