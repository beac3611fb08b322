export type { CarrierEvents, RequestCarrier } from "./carrier.ts";
export { REQUEST_LIMITS, type RequestLimits, USER_HARD_MS } from "./limits.ts";
export type { RequestStatistics } from "./protocol.ts";
export {
  type IncomingRequest,
  type RequestHandler,
  type RequestOptions,
  Requests,
  type RequestsComponents,
} from "./requests.ts";
