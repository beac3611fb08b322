export { Capture, type Misdeed, type Sight, type StreamEnd } from "./capture.ts";
export { type Trail, trailsOf, trailsSeenWhole } from "./circuit-trails.ts";
export {
  type HostileParts,
  type Hostility,
  hostileMachine,
  hostileStore,
  MISDEEDS,
} from "./hostile.ts";
export {
  addressesToldByClients,
  clientsAtStores,
  type Evidence,
  type ExitShare,
  oddUnits,
  runsSharedByLinks,
  sharesOfExits,
  type UnitSizes,
} from "./judges.ts";
export { ROAD_CELL_BYTES, type RoadNode } from "./road-node.ts";
export type { FrameOwner } from "./road-pair.ts";
export { type RoadPlan, type RoadReport, RoadWorld, runRoad } from "./road-world.ts";
