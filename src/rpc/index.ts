export type { ByteDuplex } from "./byte-duplex.ts";
export { Deadline } from "./call/deadline.ts";
export type {
  Accept,
  CallContext,
  Caller,
  CallOf,
  CallOptions,
  HandlerOf,
  Handlers,
  ItemSource,
} from "./call/handlers.ts";
export type { Middleware, MiddlewareCall } from "./call/middleware.ts";
export {
  type Cursor,
  type Page,
  type PageRequest,
  paged,
  type WalkOptions,
  walkPages,
} from "./call/pagination.ts";
export { Service, type ServiceOptions } from "./call/service.ts";
export type { CarrierEvents, RequestCarrier, StreamCarrier } from "./carrier.ts";
export { CONNECTION_LIMITS, type ConnectionLimits } from "./connection/connection-limits.ts";
export {
  CALL_PROTOCOL,
  type LinkDialler,
  MESSAGE_PROTOCOL,
  type PeerLink,
} from "./connection/peer-link.ts";
export { PeerLinks, type PeerLinksOptions } from "./connection/peer-links.ts";
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
} from "./message/manifest.ts";
export { BYTES, cborMessage, type MessageCodec, NOTHING, TEXT } from "./message/message-codec.ts";
export type { Meta } from "./message/meta.ts";
export type { IncomingRequest } from "./request/handler-run.ts";
export type { RequestStatistics } from "./request/protocol.ts";
export {
  type RequestHandler,
  type RequestOptions,
  Requests,
  type RequestsComponents,
} from "./request/requests.ts";
export { type RpcLimits, RpcNode, type RpcNodeComponents } from "./rpc-node.ts";
export { STREAM_CALL_LIMITS, type StreamCallLimits } from "./streaming/stream-limits.ts";
