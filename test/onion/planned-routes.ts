import type { Failure } from "../../src/onion/packet/failure.ts";
import type { Route, RouteProvider, RouteRequest } from "../../src/onion/route/route.ts";
import type { AcceptanceNet } from "./acceptance-net.ts";

/** Routes there and back through given nodes, which remember what failed. */
export class PlannedRoutes implements RouteProvider {
  readonly failures: Failure[] = [];
  readonly #net: AcceptanceNet;
  readonly #there: Route;
  readonly #back: readonly number[];

  constructor(net: AcceptanceNet, there: readonly number[], back: readonly number[]) {
    this.#net = net;
    this.#there = net.route(...there);
    this.#back = back;
  }

  async route({ destination }: RouteRequest = {}): Promise<Route> {
    const isHome = destination?.id === this.#net.node(this.#back.at(-1) ?? 0).id;
    return isHome ? this.#net.route(...this.#back) : this.#there;
  }

  failed(_route: Route, failure: Failure): void {
    this.failures.push(failure);
  }

  caught(): void {}
}
