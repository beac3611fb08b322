import { CulvertError } from "../../base/index.ts";
import type { Route, RouteProvider, RouteRequest } from "./route.ts";

/** The same routes in turn, whatever is asked for: for tests and private set-ups. */
export class StaticRoutes implements RouteProvider {
  readonly #routes: () => readonly Route[];
  #next = 0;

  /** @param routes asked for at every call, since keys change with the epoch */
  constructor(routes: () => readonly Route[]) {
    this.#routes = routes;
  }

  async route({ isExcluded = () => false }: RouteRequest = {}): Promise<Route> {
    const routes = this.#routes();
    for (let tries = 0; tries < routes.length; tries++) {
      const route = routes[this.#next++ % routes.length];
      const last = route?.hops.at(-1);
      if (route !== undefined && last !== undefined && !isExcluded(last.id)) return route;
    }
    throw new CulvertError("CULVERT_UNREACHABLE", "there is no such onion route");
  }

  /** A fixed route stays what it is. */
  failed(): void {}

  caught(): void {}
}
