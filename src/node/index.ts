export { type ClientOptions, type NetworkClient, openClient } from "./client.ts";
export {
  formatDescriptorLine,
  StaticDirectory,
  type StaticDirectoryOptions,
} from "./dht/static-directory.ts";
export {
  type ExaminationOptions,
  examineNetwork,
  type Finding,
  type Layer,
} from "./doctor.ts";
export { type MetricSource, NodeMetrics } from "./health/node-metrics.ts";
export { linkDialler } from "./links/link-dialler.ts";
export { type LinkSources, NodeLinks, type Whereabouts } from "./links/node-links.ts";
export { StreamPaths, type StreamPathsComponents } from "./links/stream-paths.ts";
export { type Machine, THIS_MACHINE } from "./machine.ts";
export type { NamedNode } from "./named-nodes.ts";
export { NODE_DEFAULTS, type NodeConfig, parseNodeConfig } from "./node-config.ts";
export { type NodeOptions, type RunningNode, startNode } from "./storage-node.ts";
