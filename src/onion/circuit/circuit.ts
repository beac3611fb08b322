import {
  assert,
  CulvertError,
  Driver,
  NumberMap,
  onAbort,
  throwIfAborted,
} from "../../base/index.ts";
import type { NodeId } from "../../identity/index.ts";
import type { OnionChannel } from "../links.ts";
import { type Failure, failureError } from "../packet/failure.ts";
import { requestBytes } from "../packet/geometry.ts";
import { requireRoom } from "../packet/header.ts";
import type { Route } from "../route/route.ts";
import type { TunnelService } from "../tunnel-service.ts";
import { CircuitCore, type CircuitEffect, type CircuitInput } from "./circuit-core.ts";
import { type CircuitLimits, resolveCircuitLimits } from "./circuit-limits.ts";

interface OpenRequest {
  settle(content: Uint8Array): void;
  fail(error: Error): void;
}

/** How a circuit ended: with a failure, or closed by this side. */
export interface CircuitEnding {
  readonly failure: Failure | undefined;
}

/**
 * A circuit of this node's own: an established route that carries many requests and messages both
 * ways until it fails, is closed or is old.
 */
export class Circuit {
  readonly route: Route;
  /** Settles once, when the circuit is over; never rejects. */
  readonly ended: Promise<CircuitEnding>;
  readonly #service: TunnelService;
  readonly #limits: CircuitLimits;
  readonly #core: CircuitCore;
  readonly #driver: Driver<CircuitInput, CircuitEffect>;
  readonly #channel: OnionChannel;
  readonly #requests = new NumberMap<OpenRequest>();
  /** Requests that were given up and not answered: the last hop still counts them. */
  readonly #abandoned = new Set<number>();
  #onReady: () => void = () => {};
  #onEnded: (ending: CircuitEnding) => void = () => {};
  #onRetired: () => void = () => {};
  #onData: (content: Uint8Array) => void = () => {};
  #onDrained: (() => void)[] = [];
  #state: "building" | "ready" | "retired" | "ended" = "building";
  #failure: Failure | undefined;
  #requestCount = 0;

  private constructor(service: TunnelService, route: Route, limits: CircuitLimits) {
    requireRoom(route.hops.length, service.parts.geometry);
    const [first] = route.hops;
    assert(first !== undefined, "a route has hops");
    this.route = route;
    this.#service = service;
    this.#limits = limits;
    this.ended = new Promise((resolve) => {
      this.#onEnded = resolve;
    });
    this.#core = new CircuitCore(service, { ...route, route: route.hops, limits });
    this.#driver = new Driver(this.#core, service.clock, (effect) => this.#perform(effect));
    this.#driver.setBackground(true);
    this.#channel = service.links.open(first.id, {
      unit: (unit) => this.#driver.handle({ kind: "unit", unit }),
      sent: (count) => this.#driver.handle({ kind: "sent", count }),
      closed: () => this.#driver.handle({ kind: "closed" }),
    });
  }

  /**
   * Builds a circuit along `route`, in one pass.
   *
   * @throws CulvertError `CULVERT_UNREACHABLE` or `CULVERT_TIMEOUT`, with the reason and, if it is
   *   known, the hop in its detail
   * @throws RangeError when packets of the network have no room for the route
   */
  static async build(
    service: TunnelService,
    route: Route,
    options: {
      readonly limits?: Partial<CircuitLimits>;
      readonly signal?: AbortSignal | undefined;
    } = {},
  ): Promise<Circuit> {
    throwIfAborted(options.signal);
    const circuit = new Circuit(service, route, resolveCircuitLimits(options.limits));
    const ready = new Promise<void>((resolve) => {
      circuit.#onReady = resolve;
    });
    const stop = onAbort(options.signal, () => circuit.close());
    circuit.#driver.handle({ kind: "build" });
    await Promise.race([ready, circuit.ended]);
    stop();
    throwIfAborted(options.signal);
    if (circuit.#state === "ended") throw circuit.#error();
    return circuit;
  }

  /** The node at its end. */
  get exit(): NodeId {
    return this.route.hops.at(-1)?.id ?? this.#service.self;
  }

  /** Whether it takes new requests: built, not near its end, not full. */
  get isUsable(): boolean {
    return this.#state === "ready" && this.openRequests < this.#limits.requestsMax;
  }

  /** Whether it is over. */
  get isEnded(): boolean {
    return this.#state === "ended";
  }

  /** Requests that are not answered. */
  get openRequests(): number {
    return this.awaitedRequests + this.#abandoned.size;
  }

  /** Those on whose answer somebody still waits. */
  get awaitedRequests(): number {
    return this.#requests.size;
  }

  /** Called with every message of the other end, whose bytes are handed over. */
  setDataHandler(handler: (content: Uint8Array) => void): void {
    this.#onData = handler;
  }

  /** Called once when the circuit should be replaced. */
  setRetireHandler(handler: () => void): void {
    this.#onRetired = handler;
    if (this.#state === "retired") handler();
  }

  /**
   * Asks the last hop. All requests and responses of a network have one size: the response is
   * padded with zeros.
   *
   * @param content at most the network's size, copied
   * @throws CulvertError `CULVERT_UNREACHABLE` when the circuit fails, `CULVERT_BUSY` when it has
   *   all the requests that it may have
   */
  request(
    content: Uint8Array,
    options: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      throwIfAborted(options.signal);
      if (content.length > requestBytes(this.#service.parts.geometry)) {
        throw new CulvertError("CULVERT_TOO_LARGE", "a request has the network's size");
      }
      if (this.#state === "ended") throw this.#error();
      if (this.openRequests >= this.#limits.requestsMax) throw new CulvertError("CULVERT_BUSY");
      const request = this.#nextId();
      let forget = (): void => {};
      const leave = (): void => {
        forget();
        this.#requests.delete(request);
      };
      this.#requests.set(request, {
        settle: (response) => {
          leave();
          resolve(response);
        },
        fail: (error) => {
          leave();
          reject(error);
        },
      });
      forget = onAbort(options.signal, (error) => {
        this.#requests.get(request)?.fail(error);
        this.#abandoned.add(request);
      });
      this.#driver.handle({ kind: "request", request, content });
    });
  }

  /** Sends a message, copied; false when it is too long, or too much waits already. */
  sendData(content: Uint8Array): boolean {
    const isShort = content.length <= this.#limits.messageBytesMax;
    if (this.#state === "ended" || !isShort || !this.#core.hasRoom(content.length)) return false;
    this.#driver.handle({ kind: "data", content });
    return true;
  }

  /** Resolves when half of what may wait is free again, or the circuit is over. */
  drained(): Promise<void> {
    if (this.#state === "ended" || this.#isDrained) return Promise.resolve();
    return new Promise((resolve) => {
      this.#onDrained.push(resolve);
    });
  }

  /** One cell at every beat from now on, both ways, whatever there is to say; 0 ends that. */
  setCover(intervalMs: number): void {
    this.#driver.handle({ kind: "cover", intervalMs });
  }

  /** Ends the circuit; what is open fails. */
  close(): void {
    this.#driver.handle({ kind: "close" });
  }

  #perform(effect: CircuitEffect): void {
    switch (effect.kind) {
      case "write":
        this.#channel.send(effect.unit);
        if (this.#onDrained.length > 0 && this.#isDrained) this.#tellDrained();
        break;
      case "ready":
        this.#state = "ready";
        this.#onReady();
        break;
      case "response":
        this.#abandoned.delete(effect.request);
        this.#requests.get(effect.request)?.settle(effect.content);
        break;
      case "data":
        this.#onData(effect.content);
        break;
      case "retire":
        if (this.#state === "ready") this.#state = "retired";
        this.#onRetired();
        break;
      default:
        this.#finish(effect.failure);
    }
  }

  #finish(failure: Failure | undefined): void {
    this.#state = "ended";
    this.#failure = failure;
    this.#driver.stop();
    this.#channel.close();
    for (const open of this.#requests.values()) open.fail(this.#error());
    this.#abandoned.clear();
    this.#tellDrained();
    this.#onEnded({ failure });
  }

  get #isDrained(): boolean {
    return this.#core.queuedCells <= this.#limits.queuedCellsMax / 2;
  }

  #tellDrained(): void {
    for (const tell of this.#onDrained.splice(0)) tell();
  }

  #error(): CulvertError {
    if (this.#failure === undefined) return new CulvertError("CULVERT_CLOSED");
    return failureError(this.#failure);
  }

  #nextId(): number {
    do {
      this.#requestCount = (this.#requestCount + 1) % 2 ** 32;
    } while (this.#requests.has(this.#requestCount) || this.#abandoned.has(this.#requestCount));
    return this.#requestCount;
  }
}
