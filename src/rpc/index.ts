export type { ByteDuplex } from "./byte-duplex.ts";
export type { CarrierEvents, RequestCarrier, StreamCarrier } from "./carrier.ts";
export { CONNECTION_LIMITS, type ConnectionLimits } from "./connection-limits.ts";
export { Deadline } from "./deadline.ts";
export type { IncomingRequest } from "./handler-run.ts";
export type {
  Accept,
  CallContext,
  Caller,
  CallOf,
  CallOptions,
  HandlerOf,
  Handlers,
  ItemSource,
} from "./handlers.ts";
export { REQUEST_LIMITS, type RequestLimits, USER_HARD_MS } from "./limits.ts";
export {
  type ClientStreamMethod,
  clientStream,
  type DuplexMethod,
  duplex,
  type Manifest,
  type Method,
  type RawMethod,
  raw,
  type ServerStreamMethod,
  serverStream,
  type UnaryMethod,
  unary,
} from "./manifest.ts";
export { BYTES, cborMessage, type MessageCodec, NOTHING, TEXT } from "./message-codec.ts";
export type { Meta } from "./meta.ts";
export type { Middleware, MiddlewareCall } from "./middleware.ts";
export {
  type Cursor,
  type Page,
  type PageRequest,
  paged,
  type WalkOptions,
  walkPages,
} from "./pagination.ts";
export { CALL_PROTOCOL, type LinkDialler, MESSAGE_PROTOCOL, type PeerLink } from "./peer-link.ts";
export { PeerLinks, type PeerLinksOptions } from "./peer-links.ts";
export type { RequestStatistics } from "./protocol.ts";
export {
  type RequestHandler,
  type RequestOptions,
  Requests,
  type RequestsComponents,
} from "./requests.ts";
export { type RpcLimits, RpcNode, type RpcNodeComponents } from "./rpc-node.ts";
export { Service, type ServiceOptions } from "./service.ts";
export { STREAM_CALL_LIMITS, type StreamCallLimits } from "./streaming/stream-limits.ts";
