import { failureOf } from "../packet/failure.ts";
import type { Route, RouteProvider } from "../route/route.ts";
import type { TunnelService } from "../tunnel-service.ts";
import { Circuit, type CircuitEnding } from "./circuit.ts";
import type { CircuitLimits } from "./circuit-limits.ts";

/**
 * Builds a circuit, and tells the routes if that fails, or when the circuit does.
 *
 * @throws CulvertError as {@link Circuit.build}
 */
export async function buildWatched(
  parts: {
    readonly service: TunnelService;
    readonly routes: Pick<RouteProvider, "failed">;
    readonly route: Route;
  },
  options: {
    readonly limits?: Partial<CircuitLimits>;
    readonly signal?: AbortSignal | undefined;
  } = {},
): Promise<Circuit> {
  const { service, routes, route } = parts;
  try {
    const circuit = await Circuit.build(service, route, options);
    void circuit.ended.then((ending) => {
      if (hasFailed(ending)) routes.failed(route, ending.failure);
    });
    return circuit;
  } catch (error) {
    const failure = failureOf(error);
    if (failure !== undefined) routes.failed(route, failure);
    throw error;
  }
}

/** Whether a circuit has ended before its time. A hop that says that it is old did so too. */
export function hasFailed(
  ending: CircuitEnding,
): ending is CircuitEnding & { readonly failure: object } {
  const { failure } = ending;
  return failure !== undefined && (failure.reason !== "expired" || failure.hop !== undefined);
}
