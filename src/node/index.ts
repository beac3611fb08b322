export { type ClientOptions, type NetworkClient, openClient } from "./client.ts";
export { type ExaminationOptions, examineNetwork, type Finding, type Layer } from "./doctor.ts";
export { linkDialler } from "./link-dialler.ts";
export { type Machine, THIS_MACHINE } from "./machine.ts";
export type { NamedNode } from "./named-nodes.ts";
export { NODE_DEFAULTS, type NodeConfig, parseNodeConfig } from "./node-config.ts";
export { type LinkSources, NodeLinks, type Whereabouts } from "./node-links.ts";
export { type MetricSource, NodeMetrics } from "./node-metrics.ts";
export {
  formatDescriptorLine,
  StaticDirectory,
  type StaticDirectoryOptions,
} from "./static-directory.ts";
export { type NodeOptions, type RunningNode, startNode } from "./storage-node.ts";
export { StreamPaths, type StreamPathsComponents } from "./stream-paths.ts";
