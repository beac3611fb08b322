export { NODE_DEFAULTS, type NodeConfig, parseNodeConfig } from "./node-config.ts";
export { formatNodeContact, type NodeContact, parseNodeContact } from "./node-contact.ts";
export { type MetricSource, NodeMetrics } from "./node-metrics.ts";
