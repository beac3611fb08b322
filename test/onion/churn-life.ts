import {
  CulvertError,
  equalBytes,
  isCulvertError,
  onAbort,
  SeededRandom,
  toHex,
} from "../../src/base/index.ts";
import type { NodeId } from "../../src/identity/index.ts";
import type { Circuit } from "../../src/onion/circuit/circuit.ts";
import { buildWatched } from "../../src/onion/circuit/watched-circuit.ts";
import { framesPerExit } from "../../src/onion/map/exit-budget.ts";
import { type ExitMap, serveMap } from "../../src/onion/map/map-exit.ts";
import {
  encodeOutcome,
  type OnionRecord,
  readOperation,
} from "../../src/onion/map/map-operation.ts";
import { OnionCarrier } from "../../src/onion/map/onion-carrier.ts";
import type { OnionCarrierOptions } from "../../src/onion/map/onion-carrier-options.ts";
import { MessageDesk, type ReplyMode } from "../../src/onion/message/message-desk.ts";
import type { Failure } from "../../src/onion/packet/failure.ts";
import type { CircuitHandlers, IncomingCircuit } from "../../src/onion/relay/relay-shell.ts";
import { DescriptorRoutes, type RouteOptions } from "../../src/onion/route/descriptor-routes.ts";
import type { Route, RouteProvider, RouteRequest } from "../../src/onion/route/route.ts";
import { peerOf } from "../../src/onion/route/route.ts";
import type { TunnelService } from "../../src/onion/tunnel-service.ts";
import type { ChurnNet, ChurnNode } from "./churn-net.ts";

/** How an exit treats who asks it. */
export type ExitManner = "fair" | "never" | "late" | "noise" | "rejects" | "forges" | "too long";

/** What was seen that may not be. */
export class Faults {
  readonly seen: string[] = [];

  add(what: string): void {
    if (this.seen.length < 20) this.seen.push(what);
  }
}

/** The one record that an address may hold. */
function recordAt(address: Uint8Array): OnionRecord {
  const random = new SeededRandom(new DataView(address.buffer, address.byteOffset).getUint32(0));
  const [signature, payload] = [random.bytes(64), random.bytes(400)];
  return { address, signature, seq: 1, ttlSeconds: 3_600, payload };
}

function isTrue(record: OnionRecord): boolean {
  const { signature, payload } = recordAt(record.address);
  return equalBytes(signature, record.signature) && equalBytes(payload, record.payload);
}

const RECEIPT = Uint8Array.of(1, 2, 3, 4);

/** The Map behind all exits, which loses some of what it is given; and who was asked for what. */
export class ChurnMap {
  readonly records = new Map<string, OnionRecord>();
  open = 0;
  isBad = true;
  readonly #net: ChurnNet;
  readonly #random: SeededRandom;
  readonly #faults: Faults;
  /** By stream and exit: the addresses that it was shown, by time. */
  readonly shown = new Map<string, { at: number; address: string }[]>();
  /** By circuit: what it was used for. */
  readonly #uses = new WeakMap<IncomingCircuit, { kind: string; address: string }[]>();
  readonly streams = new Map<string, number>();

  constructor(net: ChurnNet, random: SeededRandom, faults: Faults) {
    this.#net = net;
    this.#random = random;
    this.#faults = faults;
  }

  serve(node: ChurnNode, manner: ExitManner, places: number): CircuitHandlers["request"] {
    const random = this.#random;
    const shared = serveMap(this.#at(), places);
    return async (content, signal, circuit) => {
      this.#note(node, circuit, content);
      const answer = shared(content, signal, circuit);
      if (manner === "fair" || !this.isBad) return await answer;
      answer.catch(() => {});
      if (manner === "never") return await new Promise<Uint8Array>(() => {});
      if (manner === "late") await this.#net.pause(random.unit() * 120_000);
      if (manner === "noise") return random.bytes(random.below(900));
      if (manner === "rejects") throw new Error("as it likes");
      if (manner === "too long") return random.bytes(2_000);
      if (manner === "forges") return this.#forged();
      return await answer;
    };
  }

  #forged(): Uint8Array {
    const random = this.#random;
    const bytes = random.bytes(100);
    const { signature, payload, seq, ttlSeconds } = recordAt(random.bytes(32));
    const lies = [
      { kind: "stored", ttlSeconds: 9, receipt: bytes } as const,
      { kind: "stored", ttlSeconds: 9, receipt: bytes.subarray(0, 0) } as const,
      { kind: "found", record: { signature, payload, seq, ttlSeconds } } as const,
      { kind: "failed", code: "CULVERT_CONFLICT" } as const,
      { kind: "failed", code: "CULVERT_NOT_FOUND" } as const,
    ];
    return encodeOutcome(
      lies[random.below(lies.length)] ?? { kind: "failed", code: "CULVERT_BUSY" },
    );
  }

  #note(node: ChurnNode, circuit: IncomingCircuit, content: Uint8Array): void {
    const operation = readOperation(content);
    const { kind } = operation;
    const address = toHex(kind === "get" ? operation.address : operation.record.address);
    const stream = this.streams.get(address);
    if (stream === undefined) this.#faults.add("an exit is asked for what nobody asks");
    const key = `${stream} ${node.index}`;
    const shown = this.shown.get(key) ?? [];
    if (!shown.some((one) => one.address === address && this.#net.clock.now() - one.at < 1)) {
      shown.push({ at: this.#net.clock.now(), address });
    }
    this.shown.set(key, shown);
    const uses = this.#uses.get(circuit) ?? [];
    // Who hears of a conflict on a put has to see what is there.
    if (kind === "get" && uses.some((use) => use.address === address)) return;
    for (const use of uses) {
      const isOfOneStream = this.streams.get(use.address) === stream;
      if (!isOfOneStream) this.#faults.add("two streams share a circuit");
      if (use.kind !== kind) this.#faults.add("puts and gets share a circuit");
    }
    uses.push({ kind, address });
    this.#uses.set(circuit, uses);
  }

  #at(): ExitMap {
    const random = this.#random;
    const counted = async <T>(work: () => Promise<T>): Promise<T> => {
      this.open += 1;
      try {
        if (this.isBad && random.below(10) === 0) throw new CulvertError("CULVERT_BUSY");
        return await work();
      } finally {
        this.open -= 1;
      }
    };
    return {
      put: (record, signal) => {
        return counted(async () => {
          await this.#net.pause(random.unit() * 300);
          if (signal.aborted) throw new CulvertError("CULVERT_CLOSED");
          if (!this.isBad || random.below(8) > 0) this.records.set(toHex(record.address), record);
          else return { ttlSeconds: 1, receipt: new Uint8Array(0) };
          return { ttlSeconds: record.ttlSeconds, receipt: RECEIPT };
        });
      },
      get: (address, waitMs, signal) => {
        return counted(async () => {
          const until = this.#net.clock.now() + waitMs;
          for (;;) {
            const known = this.records.get(toHex(address));
            if (known !== undefined) return known;
            if (signal.aborted || this.#net.clock.now() >= until) break;
            await new Promise<void>((resolve) => {
              const at = Math.min(until, this.#net.clock.now() + 5_000);
              const cancel = this.#net.clock.schedule(at, resolve);
              onAbort(signal, () => {
                cancel();
                resolve();
              });
            });
          }
          throw new CulvertError("CULVERT_NOT_FOUND");
        });
      },
    };
  }
}

/** Routes that tell when an honest node is accused of what it cannot have done. */
class JudgedRoutes implements RouteProvider {
  readonly inner: DescriptorRoutes;
  readonly #net: ChurnNet;
  readonly #client: ChurnNode;
  readonly #faults: Faults;

  constructor(net: ChurnNet, client: ChurnNode, inner: DescriptorRoutes, faults: Faults) {
    this.#net = net;
    this.#client = client;
    this.inner = inner;
    this.#faults = faults;
  }

  async route(request: RouteRequest = {}): Promise<Route> {
    const route = await this.inner.route(request);
    const ids = route.hops.map(({ id }) => toHex(id));
    if (new Set([...ids, toHex(this.#client.id)]).size <= ids.length) {
      const isHome = request.destination?.id === this.#client.id;
      if (!isHome || new Set(ids).size < ids.length) this.#faults.add("a node stands twice");
    }
    const last = route.hops.at(-1)?.id;
    if (last !== undefined && request.destination === undefined && request.isExcluded?.(last)) {
      this.#faults.add("an exit that is not wanted");
    }
    const guards = this.inner.guards.map(toHex);
    if (ids.length > 1 && !guards.includes(ids[0] ?? "")) this.#faults.add("no guard is first");
    return route;
  }

  failed(route: Route, failure: Failure): void {
    const { hop, reason, isProven } = failure;
    const node =
      hop === undefined || hop < 0 ? undefined : this.#net.find(route.hops[hop]?.id as NodeId);
    if (node?.isTrusted === true) {
      if (isProven) this.#faults.add(`an honest node is proven a liar: ${reason}`);
      const isItsOwn = ["policy", "expired", "destination-refused"].includes(reason);
      if (isItsOwn) this.#faults.add(`an honest node has all the blame: ${reason}`);
    }
    this.inner.failed(route, failure);
  }

  caught(id: NodeId): void {
    const node = this.#net.find(id);
    if (node?.isTrusted === true) this.#faults.add("an honest exit is caught");
    this.inner.caught(id);
  }
}

export type Carried = {
  carrier: OnionCarrier;
  options: Partial<OnionCarrierOptions>;
  number: number;
};

/** A node that uses onions for itself. */
export class ChurnClient {
  readonly net: ChurnNet;
  readonly map: ChurnMap;
  readonly node: ChurnNode;
  readonly faults: Faults;
  readonly routes: JudgedRoutes;
  readonly desk: MessageDesk;
  readonly carriers: Carried[] = [];
  readonly circuits: Circuit[] = [];
  open = 0;
  readonly #random: SeededRandom;

  constructor(
    parts: { net: ChurnNet; map: ChurnMap; node: ChurnNode; faults: Faults },
    options: { routes: Partial<RouteOptions>; guards: readonly NodeId[] },
  ) {
    const { net, map, node, faults } = parts;
    this.net = net;
    this.map = map;
    this.node = node;
    this.faults = faults;
    this.#random = net.random.fork(77 + node.index + 100 * node.sequence);
    const knowledge = net.knowledgeOf(node);
    const components = {
      discovery: knowledge,
      lookup: knowledge,
      clock: node.clock,
      self: node.id,
      random: this.#random.fork(1),
      guards: options.guards,
    };
    const inner = new DescriptorRoutes(components, options.routes);
    this.routes = new JudgedRoutes(net, node, inner, faults);
    this.desk = new MessageDesk(this.service, this.routes);
  }

  get service(): TunnelService {
    const { service } = this.node;
    if (service === undefined) throw new Error("a client is up");
    return service;
  }

  openCarrier(number: number, options: Partial<OnionCarrierOptions>): Carried {
    const checks = {
      receiptOf: (record: OnionRecord, stored: { receipt: Uint8Array }) => {
        if (stored.receipt.length === 0) return "no-proof" as const;
        if (!equalBytes(stored.receipt, RECEIPT)) return "lie" as const;
        return isTrue(record) ? ("proof" as const) : ("lie" as const);
      },
      isGenuine: isTrue,
    };
    const parts = { service: this.service, routes: this.routes, checks };
    const carried = { carrier: new OnionCarrier(parts, options), options, number };
    this.carriers.push(carried);
    return carried;
  }

  /** Watches an operation: it ends in time, with a value or a typed error. */
  async watch<T>(
    what: string,
    limitMs: number,
    work: () => Promise<T>,
    signal?: AbortSignal,
  ): Promise<T | undefined> {
    const { clock } = this.net;
    let abortedAt = Number.POSITIVE_INFINITY;
    const forget = onAbort(signal, () => {
      abortedAt = clock.now();
    });
    const begunAt = clock.now();
    this.open += 1;
    try {
      return await work();
    } catch (error) {
      const isTyped = isCulvertError(error) || (error as Error).name === "AbortError";
      if (!isTyped) this.faults.add(`${what}: ${(error as Error).stack}`);
      return undefined;
    } finally {
      forget();
      this.open -= 1;
      const tookMs = clock.now() - begunAt;
      if (clock.now() > abortedAt + 4_001) {
        this.faults.add(`${what} ends ${clock.now() - abortedAt} ms after it was aborted`);
      }
      if (tookMs > limitMs) this.faults.add(`${what} takes ${tookMs} of ${limitMs} ms`);
    }
  }

  put({ carrier, options, number }: Carried, address: Uint8Array, signal: AbortSignal) {
    this.map.streams.set(toHex(address), number);
    const { waitMs = 30_000, answerMs = 30_000 } = options;
    return this.watch(
      "put",
      waitMs + 2 * answerMs + 1,
      async () => {
        await carrier.put(recordAt(address), { signal });
        if (!this.map.records.has(toHex(address))) this.faults.add("a put that never was");
        return true;
      },
      signal,
    );
  }

  get(carried: Carried, address: Uint8Array, how: { waitMs: number; signal: AbortSignal }) {
    const { carrier, options, number } = carried;
    this.map.streams.set(toHex(address), number);
    const { waitMs = 30_000, answerMs = 30_000 } = options;
    return this.watch(
      "get",
      waitMs + answerMs + how.waitMs + 1,
      async () => {
        if (!isTrue(await carrier.get(address, how))) this.faults.add("another record");
      },
      how.signal,
    );
  }

  message(to: ChurnNode, reply: ReplyMode, signal: AbortSignal) {
    const { descriptor } = to;
    if (descriptor === undefined) return;
    const data = this.#random.bytes(this.#random.below(3_000));
    const mixMs = this.#random.below(3) === 0 ? 200 : 0;
    return this.watch(
      `message ${reply}`,
      140_000,
      async () => {
        const got = await this.desk.send(peerOf(descriptor), data, { reply, mixMs, signal });
        if (got !== undefined && !equalBytes(got, data.subarray(0, got.length))) {
          this.faults.add("another reply");
        }
      },
      signal,
    );
  }

  circuit(signal: AbortSignal) {
    const random = this.#random;
    return this.watch(
      "circuit",
      60_000,
      async () => {
        const route = await this.routes.route({ signal });
        const parts = { service: this.service, routes: this.routes, route };
        const circuit = await buildWatched(parts, { signal });
        this.circuits.push(circuit);
        if (random.below(3) === 0) circuit.setCover(random.below(9_000));
        for (let i = random.below(6); i > 0; i--)
          circuit.sendData(random.bytes(random.below(5_000)));
      },
      signal,
    );
  }

  /** Everything that it has begun ends, at once where it says so. */
  async close(): Promise<void> {
    for (const { carrier } of this.carriers) carrier.close();
    for (const circuit of this.circuits) circuit.close();
  }
}

/** How many frames of a stream an exit may have been shown at the most. */
export function budgetOf(options: Partial<OnionCarrierOptions>): number {
  const { window = 64, paths = 3, framesPerExit: given = 0 } = options;
  return given || framesPerExit({ window, paths });
}
