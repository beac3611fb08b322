import { CulvertError, requireMethods, resolveLimits } from "../../base/index.ts";
import { type SessionLimits, VOIDPHONE_ONION_LIMITS } from "../limits.ts";
import type { Gateway } from "../session.ts";
import type { VoidphonePeerSampling } from "../tunnels.ts";
import { encodeRpsPeer, readRpsQuery } from "./rps-messages.ts";

type RpsQuery = ReturnType<typeof readRpsQuery>;

/**
 * The API for random peer sampling, 540 and 541. It has no word for failure: when nobody is known
 * the connection closes.
 */
export function rpsGateway(
  sampling: VoidphonePeerSampling,
  limits: Partial<SessionLimits> = {},
): Gateway<RpsQuery> {
  requireMethods("sampling", sampling, "sample");
  return {
    dialect: { read: readRpsQuery, failure: () => "close" },
    limits: resolveLimits(VOIDPHONE_ONION_LIMITS, limits),
    open: () => ({
      serve: async (_query, signal) => {
        const peer = await sampling.sample({ signal });
        if (peer === undefined) throw new CulvertError("CULVERT_NOT_FOUND", "nobody is known");
        return encodeRpsPeer(peer);
      },
    }),
  };
}
