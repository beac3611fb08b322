export type { Crash, CrashPlan } from "./crashes.ts";
export { crashAtRandom, crashIntoBackup, crashOnce } from "./crashes.ts";
export type { Lie, MapFaults, Outage, Side } from "./faults.ts";
export { NO_FAULTS } from "./faults.ts";
export type { Outcome, PartyCounts } from "./party.ts";
export { Pattern } from "./pattern.ts";
export type { R1Plan, R1Result } from "./r1.ts";
export { quantile, R1, runR1 } from "./r1.ts";
export type { R1LimitPlan } from "./r1-limit.ts";
export { runR1Limit } from "./r1-limit.ts";
export type { ReaderPlan } from "./reader.ts";
export type { PaceRule } from "./referee.ts";
export type { Scenario } from "./scenarios.ts";
export {
  abandons,
  aborts,
  crashes,
  hostileMap,
  staleBackup,
  stormyBulk,
  writeSyncClose,
} from "./scenarios.ts";
export { shareDerivations } from "./shared-derivations.ts";
export type { StreamSubjectOptions } from "./stream-subject.ts";
export { streamSubjects } from "./stream-subject.ts";
export type { CreateSubject, Subject, SubjectInit, SubjectProgress } from "./subject.ts";
export type { BrokenPoint, SweepReport } from "./sweep.ts";
export { sweepCrashPoints } from "./sweep.ts";
export { hashBytes, Trace } from "./trace.ts";
export type { Rule } from "./violation.ts";
export { RULES, Violation } from "./violation.ts";
export { VirtualJournal } from "./virtual-journal.ts";
export type { AnswerTo, GetRequest, MapAnswer, PutRequest } from "./virtual-map.ts";
export { placeKey, VirtualMap } from "./virtual-map.ts";
export type { PartyPlan, PartyReport, WorldPlan, WorldReport } from "./world.ts";
export { runWorld } from "./world.ts";
export type { PlannedWrite, WriterPlan } from "./writer.ts";
export { writeAtOnce, writeInChunks } from "./writer.ts";
