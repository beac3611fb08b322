import { requireMethods, resolveLimits } from "../../base/index.ts";
import { type VoidphoneDht, withinBounds } from "../dht.ts";
import { type SessionLimits, VOIDPHONE_API_LIMITS } from "../limits.ts";
import type { Gateway, Servant, SessionHandle } from "../session.ts";
import type { ServerDialect } from "../session-core.ts";
import {
  API_VALUE_BYTES_MAX,
  type ApiRequest,
  encodeApiReply,
  readApiRequest,
} from "./api-messages.ts";

/** What the API has no answer for closes the connection; a get that fails is a 653. */
const API_DIALECT: ServerDialect<ApiRequest> = {
  read: readApiRequest,
  failure: (request) => (request.kind === "put" ? "nothing" : encodeApiReply(failed(request.key))),
  isOneWay: ({ kind }) => kind === "put",
};

/**
 * The DHT module's API for local clients, 650 to 653. Requests may be pipelined: answers carry
 * their key, and come when they are there.
 */
export function apiGateway(
  dht: VoidphoneDht,
  limits: Partial<SessionLimits> = {},
): Gateway<ApiRequest> {
  requireMethods("dht", dht, "put", "get");
  return {
    dialect: API_DIALECT,
    limits: resolveLimits(VOIDPHONE_API_LIMITS, limits),
    open: (session) => new ApiServant(dht, session),
  };
}

class ApiServant implements Servant<ApiRequest> {
  readonly #dht: VoidphoneDht;
  readonly #session: SessionHandle;

  constructor(dht: VoidphoneDht, session: SessionHandle) {
    this.#dht = dht;
    this.#session = session;
  }

  async serve(request: ApiRequest, signal: AbortSignal): Promise<Uint8Array | undefined> {
    const { key } = request;
    if (request.kind === "put") {
      const { source } = this.#session;
      const { value } = request;
      await this.#dht.put({ key, value, source, ...withinBounds(request) });
      return undefined;
    }
    const value = await this.#dht.get(key, { signal });
    const isSayable =
      value !== undefined && value.length > 0 && value.length <= API_VALUE_BYTES_MAX;
    return encodeApiReply(isSayable ? { kind: "success", key, value } : failed(key));
  }
}

function failed(key: Uint8Array): { readonly kind: "failure"; readonly key: Uint8Array } {
  return { kind: "failure", key };
}
