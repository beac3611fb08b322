import { CulvertError, equalBytes, SeededRandom, toHex } from "../../src/base/index.ts";
import type { NodeId } from "../../src/identity/index.ts";
import type { CircuitLimits } from "../../src/onion/circuit/circuit-limits.ts";
import type { ExitChecks } from "../../src/onion/map/exit-checks.ts";
import { type ExitMap, serveMap } from "../../src/onion/map/map-exit.ts";
import { mapCellBytesMax, type OnionRecord } from "../../src/onion/map/map-operation.ts";
import { OnionCarrier } from "../../src/onion/map/onion-carrier.ts";
import type { OnionCarrierOptions } from "../../src/onion/map/onion-carrier-options.ts";
import type { Failure } from "../../src/onion/packet/failure.ts";
import { epochOf } from "../../src/onion/packet/key-ring.ts";
import {
  chooseRoute,
  type Route,
  type RouteProvider,
  type RouteRequest,
} from "../../src/onion/route/route.ts";
import type { NetOptions } from "./acceptance-net.ts";
import { GEOMETRY } from "./fixtures.ts";
import { VirtualNet } from "./virtual-net.ts";

export const MAP_CELL = mapCellBytesMax(GEOMETRY);

/** The same record for the same seed. */
export function recordOf(seed: number): OnionRecord {
  const random = new SeededRandom(seed);
  return {
    address: random.bytes(32),
    signature: random.bytes(64),
    seq: 1,
    ttlSeconds: 3_600,
    payload: random.bytes(MAP_CELL),
  };
}

/** One Map behind all exits, which remembers what each of them was asked. */
export class SharedMap {
  readonly records = new Map<string, OnionRecord>();
  readonly asked: { exit: number; kind: "put" | "get"; address: string }[] = [];
  readonly #net: VirtualNet;
  readonly #waiting: { address: Uint8Array; wake: (record: OnionRecord) => void }[] = [];

  constructor(net: VirtualNet) {
    this.#net = net;
  }

  at(exit: number): ExitMap {
    return {
      put: async (record) => {
        const name = toHex(record.address);
        this.asked.push({ exit, kind: "put", address: name });
        const known = this.records.get(name);
        if (known !== undefined && !equalBytes(known.payload, record.payload)) {
          throw new CulvertError("CULVERT_CONFLICT");
        }
        this.records.set(name, { ...record, payload: record.payload.slice() });
        for (const { address, wake } of this.#waiting) {
          if (toHex(address) === name) wake(record);
        }
        return { ttlSeconds: record.ttlSeconds, receipt: Uint8Array.of(1, 2, 3) };
      },
      get: (address, waitMs, signal) => {
        this.asked.push({ exit, kind: "get", address: toHex(address) });
        const known = this.records.get(toHex(address));
        if (known !== undefined) return Promise.resolve(known);
        return new Promise((resolve, reject) => {
          this.#waiting.push({ address, wake: resolve });
          const late = (): void => reject(new CulvertError("CULVERT_NOT_FOUND"));
          const { clock } = this.#net;
          const cancel = clock.schedule(clock.now() + waitMs, late);
          signal.addEventListener("abort", cancel);
        });
      },
    };
  }

  exitsOf(kind: "put" | "get"): Set<number> {
    return new Set(this.asked.filter((entry) => entry.kind === kind).map(({ exit }) => exit));
  }
}

/** Random routes among living nodes. */
class RandomRoutes implements RouteProvider {
  readonly failures: Failure[] = [];
  readonly liars: NodeId[] = [];
  readonly #net: VirtualNet;
  readonly #random = new SeededRandom(4);

  constructor(net: VirtualNet) {
    this.#net = net;
  }

  async route({ isExcluded = () => false }: RouteRequest = {}): Promise<Route> {
    const net = this.#net;
    const peers = net.nodes.slice(1).map(({ index }) => net.peer(index));
    const rules = {
      self: net.node(0).id,
      epoch: epochOf(net.clock.unixMs()),
      relays: 3,
      guards: [],
      isDiverse: false,
      isExcluded,
      isAvoided: () => false,
      isEdgeAvoided: () => false,
    };
    const route = chooseRoute(peers, rules, this.#random);
    if (route === undefined) throw new CulvertError("CULVERT_UNREACHABLE");
    return route;
  }

  failed(_route: Route, failure: Failure): void {
    this.failures.push(failure);
  }

  caught(node: NodeId): void {
    this.liars.push(node);
  }
}

/** A stream's carrier at the first node of a net, all others of which are exits. */
export function carrierRig(
  options: Partial<OnionCarrierOptions> & {
    readonly checks?: ExitChecks;
    readonly circuit?: Partial<CircuitLimits>;
  } = {},
  nodes = 12,
  ofNet: NetOptions = {},
) {
  const net = new VirtualNet(nodes, ofNet);
  const map = new SharedMap(net);
  for (const { index, service } of net.nodes) {
    service.setHandlers({ request: serveMap(map.at(index)) });
  }
  const routes = new RandomRoutes(net);
  const { checks, ...rest } = options;
  let spent = 0;
  const onSpent = (): void => {
    spent += 1;
  };
  const parts = { service: net.service(0), routes, onSpent, ...(checks && { checks }) };
  const carrier = new OnionCarrier(parts, rest);
  return { net, map, routes, carrier, timesSpent: () => spent };
}
