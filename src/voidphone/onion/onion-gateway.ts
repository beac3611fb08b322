import {
  type Cancel,
  CulvertError,
  type Random,
  requireMethods,
  requireObject,
  resolveLimits,
  unreachable,
} from "../../base/index.ts";
import { systemRandom } from "../../io/random.ts";
import { type SessionLimits, VOIDPHONE_ONION_LIMITS } from "../limits.ts";
import type { Gateway, Servant, SessionHandle } from "../session.ts";
import type { ServerDialect } from "../session-core.ts";
import type { VoidphoneTunnels } from "../tunnels.ts";
import { encodeOnionNotice, type OnionRequest, readOnionRequest } from "./onion-messages.ts";
import { TunnelDesk } from "./tunnel-desk.ts";

/** What does not fit the API closes the connection; a request that fails is answered with a 565. */
const ONION_DIALECT: ServerDialect<OnionRequest> = {
  read: readOnionRequest,
  failure,
  hasListeners: true,
};

/** The onion module's API, and what takes down its tunnels when it is not served any more. */
export interface OnionGateway extends Gateway<OnionRequest> {
  readonly close: Cancel;
}

/** The onion module's API for local clients, 560 to 566. */
export function onionGateway(
  tunnels: VoidphoneTunnels,
  options: { readonly limits?: Partial<SessionLimits>; readonly random?: Random } = {},
): OnionGateway {
  requireMethods("tunnels", tunnels, "build", "cover", "accept");
  requireObject("options", options);
  const desk = new TunnelDesk(options.random ?? systemRandom);
  const stopAccepting = tunnels.accept((tunnel, source) => desk.incoming(tunnel, source));
  return {
    dialect: ONION_DIALECT,
    limits: resolveLimits(VOIDPHONE_ONION_LIMITS, options.limits),
    open: (session) => new OnionServant(tunnels, desk, session),
    close: () => {
      stopAccepting();
      desk.close();
    },
  };
}

class OnionServant implements Servant<OnionRequest> {
  readonly #tunnels: VoidphoneTunnels;
  readonly #desk: TunnelDesk;
  readonly #session: SessionHandle;

  constructor(tunnels: VoidphoneTunnels, desk: TunnelDesk, session: SessionHandle) {
    this.#tunnels = tunnels;
    this.#desk = desk;
    this.#session = session;
    desk.join(session);
  }

  async serve(request: OnionRequest, signal: AbortSignal): Promise<Uint8Array | undefined> {
    switch (request.kind) {
      case "build":
        await this.#build(request, signal);
        return undefined;
      case "destroy":
        return this.#desk.release(request.tunnelId, this.#session) ? undefined : failure(request);
      case "data": {
        const { tunnelId, data } = request;
        const isSent = this.#desk.send(tunnelId, data.slice(), this.#session);
        return isSent ? undefined : failure(request);
      }
      case "cover":
        if (this.#desk.holdsAny(this.#session)) {
          throw new CulvertError("CULVERT_PROTOCOL", "cover is not for who has a tunnel");
        }
        await this.#tunnels.cover(request.coverBytes);
        return undefined;
      default:
        return unreachable(request);
    }
  }

  closed(): void {
    this.#desk.leave(this.#session);
  }

  async #build(
    { target }: OnionRequest & { readonly kind: "build" },
    signal: AbortSignal,
  ): Promise<void> {
    if (target.port === 0 || this.#desk.isFull(this.#session)) {
      throw new CulvertError("CULVERT_REFUSED", "no port, or no room for one more tunnel");
    }
    const hostKey = target.hostKey.slice();
    const tunnel = await this.#tunnels.build({ ...target, hostKey }, { signal });
    // The client was told already that it did not succeed.
    if (signal.aborted) tunnel.destroy();
    else if (!this.#desk.built(tunnel, this.#session, hostKey)) {
      throw new CulvertError("CULVERT_REFUSED", "no room for one more tunnel");
    }
  }
}

function failure(request: OnionRequest): Uint8Array {
  const tunnelId = "tunnelId" in request ? request.tunnelId : 0;
  return encodeOnionNotice({ kind: "error", request: request.kind, tunnelId });
}
