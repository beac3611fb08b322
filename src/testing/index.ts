export type { JournalFixture } from "./compliance/journal.ts";
export { journalCompliance } from "./compliance/journal.ts";
export type { LinkFixture } from "./compliance/link.ts";
export { linkCompliance } from "./compliance/link.ts";
export type { RecordStoreFixture, RecordStoreGeometry } from "./compliance/record-store.ts";
export { recordStoreCompliance } from "./compliance/record-store.ts";
export { rpcCompliance } from "./compliance/rpc.ts";
export type { RpcEnd, RpcFixture } from "./compliance/rpc-rig.ts";
export type { StreamFixture } from "./compliance/stream.ts";
export { streamCompliance } from "./compliance/stream.ts";
export type { Cases, Fixture, RegisterTest } from "./compliance/suite.ts";
export type { TransportFixture } from "./compliance/transport.ts";
export { transportCompliance } from "./compliance/transport.ts";
export type {
  HostOptions,
  LineProfile,
  NatBehaviour,
  NatDependence,
  NatKind,
  NatOptions,
  NetworkEndpoint,
  NetworkOptions,
  NetworkProtocol,
  PacketFate,
  PortEvents,
  StreamEnds,
} from "./network/index.ts";
export {
  CLEAN_LINE,
  INSTANT_LINE,
  NAT_DEFAULTS,
  NAT_KINDS,
  VirtualConnection,
  VirtualHost,
  VirtualNat,
  VirtualNetwork,
  VirtualPort,
  virtualTcp,
  virtualUdp,
} from "./network/index.ts";
export type { Pair, PairOptions } from "./pair.ts";
export { pair } from "./pair.ts";
export {
  addressesToldByClients,
  Capture,
  clientsAtStores,
  type Evidence,
  type ExitShare,
  type FrameOwner,
  type HostileParts,
  type Hostility,
  hostileMachine,
  hostileStore,
  MISDEEDS,
  type Misdeed,
  oddUnits,
  ROAD_CELL_BYTES,
  type RoadNode,
  type RoadPlan,
  type RoadReport,
  RoadWorld,
  runRoad,
  runsSharedByLinks,
  type Sight,
  type StreamEnd,
  sharesOfExits,
  type Trail,
  trailsOf,
  trailsSeenWhole,
  type UnitSizes,
} from "./road/index.ts";
export { settle } from "./settle.ts";
export { fillTables, growByJoining } from "./swarm/grow.ts";
export {
  type Behaviour,
  publicHost,
  Swarm,
  type SwarmNode,
  type SwarmOptions,
  type SwarmOutcome,
} from "./swarm/swarm.ts";
export { VirtualClock } from "./virtual-clock.ts";
export type {
  AnswerTo,
  BrokenPoint,
  Crash,
  CrashPlan,
  CreateSubject,
  GetRequest,
  Lie,
  MapAnswer,
  MapFaults,
  Outage,
  Outcome,
  PaceRule,
  PartyCounts,
  PartyPlan,
  PartyReport,
  PlannedWrite,
  PutRequest,
  R1LimitPlan,
  R1Plan,
  R1Result,
  ReaderPlan,
  Rule,
  Scenario,
  Side,
  StreamSubjectOptions,
  Subject,
  SubjectInit,
  SubjectProgress,
  SweepReport,
  WorldPlan,
  WorldReport,
  WriterPlan,
} from "./world/index.ts";
export {
  abandons,
  aborts,
  crashAtRandom,
  crashes,
  crashIntoBackup,
  crashOnce,
  hostileMap,
  NO_FAULTS,
  Pattern,
  R1,
  RULES,
  runR1,
  runR1Limit,
  runWorld,
  shareDerivations,
  staleBackup,
  stormyBulk,
  streamSubjects,
  sweepCrashPoints,
  Trace,
  Violation,
  VirtualJournal,
  VirtualMap,
  writeAtOnce,
  writeInChunks,
  writeSyncClose,
} from "./world/index.ts";
