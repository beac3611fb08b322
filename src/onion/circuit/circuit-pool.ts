import {
  type Cancel,
  CulvertError,
  type Instant,
  onAbort,
  resolveLimits,
  throwIfAborted,
} from "../../base/index.ts";
import { isSameNode, type NodeId } from "../../identity/index.ts";
import type { Route, RouteProvider } from "../route/route.ts";
import type { TunnelService } from "../tunnel-service.ts";
import type { Circuit } from "./circuit.ts";
import { type CircuitLimits, resolveCircuitLimits } from "./circuit-limits.ts";
import { buildWatched, hasFailed } from "./watched-circuit.ts";

/** How many circuits are kept ready. Times in milliseconds. */
export interface PathOptions {
  /** Circuits with different exits that are used in turn. */
  readonly paths: number;
  /** More of them, built and waiting. */
  readonly spares: number;
  /** The first pause after a build that failed; it doubles up to the second. */
  readonly retryMs: number;
  readonly retryMsMax: number;
  /** How long a request waits for a circuit. */
  readonly waitMs: number;
  /** The beat of cover on every circuit; 0 for none. */
  readonly coverMs: number;
}

/** Tuned for a stream of some requests a second. */
export const PATH_DEFAULTS: PathOptions = Object.freeze({
  paths: 3,
  spares: 1,
  retryMs: 250,
  retryMsMax: 30_000,
  waitMs: 30_000,
  coverMs: 0,
});

/** Within this time the circuits of a stream that is over end, each at a moment of its own. */
const LET_GO_MS = 30_000;

/** Circuits beyond those wanted that may live on for what is open on them. */
const EXTRA_CIRCUITS = 8;

/** Who asks for a circuit. */
export interface PathClaim<T> {
  isAllowed(exit: NodeId): boolean;
  /** Whether another exit that is allowed is taken instead, if there is one now. */
  isUnloved?(exit: NodeId): boolean;
  /** This one it is: asks it at once, so that whoever is next sees what is left of its places. */
  begin(circuit: Circuit): T;
}

interface Waiter {
  readonly claim: Omit<PathClaim<unknown>, "begin">;
  take(circuit: Circuit): void;
  fail(error: Error): void;
}

/**
 * A few circuits with different exits, replaced before they end and when they fail: new ones are
 * built while the old ones still carry.
 */
export class CircuitPool {
  readonly #service: TunnelService;
  readonly #routes: RouteProvider;
  readonly #hasRoom: (exit: NodeId) => boolean;
  readonly #isWanted: () => boolean;
  readonly #options: PathOptions;
  readonly #limits: CircuitLimits;
  readonly #abort = new AbortController();
  readonly #waiters = new Set<Waiter>();
  #circuits: Circuit[] = [];
  /** Exits of circuits that are being built. */
  #building: NodeId[] = [];
  #buildingCount = 0;
  #reserving: Promise<unknown> = Promise.resolve();
  #pauseMs = 0;
  #cancelRetry: Cancel | undefined;
  readonly #endings = new Set<Cancel>();
  /** Those that are asked nothing new. */
  readonly #shunned = new WeakSet<Circuit>();
  /** Those that are spent, and will end. */
  readonly #spent = new WeakSet<Circuit>();
  #turn = 0;

  /** @throws RangeError for an option that is none */
  constructor(
    components: {
      readonly service: TunnelService;
      readonly routes: RouteProvider;
      /** Whether an exit may be used for anything new. */
      readonly hasRoom?: (exit: NodeId) => boolean;
      /** Whether circuits are built for whoever asks next; always, if absent. */
      readonly isWanted?: () => boolean;
    },
    options: Partial<PathOptions> & { readonly circuit?: Partial<CircuitLimits> } = {},
  ) {
    const { circuit = {}, ...paths } = options;
    this.#service = components.service;
    this.#routes = components.routes;
    this.#hasRoom = components.hasRoom ?? (() => true);
    this.#isWanted = components.isWanted ?? (() => true);
    this.#options = resolveLimits(PATH_DEFAULTS, paths, "spares", "coverMs");
    // Here, and not where each is built: that is tried again and again.
    this.#limits = resolveCircuitLimits(circuit);
  }

  /** The circuits there are, those that take nothing new included. */
  get circuits(): readonly Circuit[] {
    return this.#circuits;
  }

  /**
   * Begins with a circuit whose exit is allowed; the next one in turn. Waits until there is one.
   *
   * @throws CulvertError `CULVERT_UNREACHABLE` when there is none in time
   */
  pick<T>(claim: PathClaim<T>, signal?: AbortSignal): Promise<T> {
    return new Promise((resolve, reject) => {
      throwIfAborted(signal);
      if (this.#abort.signal.aborted) throw new CulvertError("CULVERT_CLOSED");
      this.#fill();
      const found = this.#next(claim);
      if (found !== undefined) {
        resolve(claim.begin(found));
        return;
      }
      this.#wait(claim, { resolve, reject, signal });
    });
  }

  /** Looks again for circuits for those who wait: what was not allowed may be by now. */
  refresh(): void {
    for (const waiter of [...this.#waiters]) {
      const circuit = this.#next(waiter.claim);
      if (circuit !== undefined) waiter.take(circuit);
    }
    this.#fill();
  }

  /** A request is over: its place is for whoever waits for one. */
  freed(): void {
    if (this.#waiters.size > 0) this.refresh();
  }

  /** A circuit on which nothing comes back: it ends, and nobody is named for it. */
  giveUp(circuit: Circuit): void {
    if (circuit.isEnded) return;
    this.#routes.failed(circuit.route, { reason: "timeout" });
    circuit.close();
  }

  /** Ends the circuits that lead to an exit; what is open on them fails. */
  leave(exit: NodeId): void {
    for (const circuit of [...this.#circuits]) {
      if (isSameNode(circuit.exit, exit)) circuit.close();
    }
  }

  /**
   * Asks an exit nothing new. Its circuits end later, each at a moment of its own: whoever lies to
   * one question, and sees what ends at that instant, would know what belongs together.
   */
  shun(exit: NodeId): void {
    for (const circuit of this.#circuits) {
      if (!isSameNode(circuit.exit, exit) || this.#shunned.has(circuit)) continue;
      this.#shunned.add(circuit);
      this.#endLater(circuit, () => true);
    }
    this.#fill();
  }

  /**
   * Ends the circuits of whoever asks no more, one by one: relays that see several of them end at
   * one instant would know that they belong together. They stay if they are wanted meanwhile.
   */
  letGo(): void {
    for (const circuit of this.#circuits) this.#endLater(circuit);
  }

  /** Ends all circuits and everything that waits for one. */
  close(): void {
    this.#abort.abort();
    this.#cancelRetry?.();
    for (const waiter of [...this.#waiters]) waiter.fail(new CulvertError("CULVERT_CLOSED"));
    for (const cancel of this.#endings) cancel();
    for (const circuit of [...this.#circuits]) circuit.close();
  }

  #endLater(circuit: Circuit, isDue = () => !this.#isWanted()): void {
    const { clock, random } = this.#service;
    const at = clock.now() + random.unit() * LET_GO_MS;
    const end = (): void => {
      this.#endings.delete(cancel);
      if (isDue()) circuit.close();
    };
    const cancel = clock.schedule(at, end, { background: true });
    this.#endings.add(cancel);
  }

  #wait<T>(
    claim: PathClaim<T>,
    to: {
      readonly resolve: (begun: T) => void;
      readonly reject: (error: Error) => void;
      readonly signal: AbortSignal | undefined;
    },
  ): void {
    const { clock } = this.#service;
    const cancels: Cancel[] = [];
    const leave = (): void => {
      this.#waiters.delete(waiter);
      for (const cancel of cancels) cancel();
    };
    const waiter: Waiter = {
      claim,
      take: (circuit) => {
        leave();
        to.resolve(claim.begin(circuit));
      },
      fail: (error) => {
        leave();
        to.reject(error);
      },
    };
    this.#waiters.add(waiter);
    const late = new CulvertError("CULVERT_UNREACHABLE", "no onion circuit may be used now");
    const at: Instant = clock.now() + this.#options.waitMs;
    cancels.push(clock.schedule(at, () => waiter.fail(late)));
    cancels.push(onAbort(to.signal, waiter.fail));
  }

  #next(claim: Omit<PathClaim<unknown>, "begin">): Circuit | undefined {
    const usable = this.#circuits.filter((it) => this.#isUsable(it) && claim.isAllowed(it.exit));
    const better = usable.filter(({ exit }) => claim.isUnloved?.(exit) !== true);
    const among = better.length > 0 ? better : usable;
    return among[this.#turn++ % among.length];
  }

  #isUsable(circuit: Circuit): boolean {
    return circuit.isUsable && !this.#shunned.has(circuit);
  }

  /** Builds what is missing. */
  #fill(): void {
    if (this.#abort.signal.aborted || this.#cancelRetry !== undefined) return;
    const { paths, spares } = this.#options;
    const isGood = (it: Circuit): boolean => this.#isUsable(it) && this.#hasRoom(it.exit);
    const good = this.#circuits.filter(isGood).length;
    this.#closeSpent();
    if (this.#waiters.size === 0 && !this.#isWanted()) return;
    const missing = paths + spares - good - this.#buildingCount;
    for (let i = 0; i < missing; i++) void this.#build();
  }

  /**
   * Circuits that nobody uses and nobody may use any more. With one that is full of what was given
   * up, its exit gives that up too: no cell says so of a single request, since it would tell the
   * relays a get from a put. Each ends at a moment of its own while there are few of them: at this
   * one another is built, or asked, and whoever sees both would know that they belong together.
   */
  #closeSpent(): void {
    const most = this.#options.paths + this.#options.spares + EXTRA_CIRCUITS;
    for (const circuit of [...this.#circuits]) {
      if (circuit.awaitedRequests > 0) continue;
      const isSpent = !circuit.isUsable || !this.#hasRoom(circuit.exit);
      if (isSpent && this.#circuits.length > most) circuit.close();
      else if (!circuit.isUsable) this.#endSpent(circuit);
    }
  }

  #endSpent(circuit: Circuit): void {
    if (this.#spent.has(circuit)) return;
    this.#spent.add(circuit);
    this.#endLater(circuit, () => {
      this.#spent.delete(circuit);
      return !circuit.isUsable && circuit.awaitedRequests === 0;
    });
  }

  async #build(): Promise<void> {
    this.#buildingCount += 1;
    let route: Route | undefined;
    try {
      const { signal } = this.#abort;
      route = await this.#reserveRoute(signal);
      const parts = { service: this.#service, routes: this.#routes, route };
      const circuit = await buildWatched(parts, { limits: this.#limits, signal });
      this.#pauseMs = 0;
      this.#adopt(circuit);
    } catch {
      this.#retryLater();
    } finally {
      this.#buildingCount -= 1;
      const exit = route?.hops.at(-1)?.id;
      this.#building = this.#building.filter(
        (other) => exit === undefined || !isSameNode(other, exit),
      );
    }
    this.refresh();
  }

  /** One after the other, or two builds would take the same exit. */
  #reserveRoute(signal: AbortSignal): Promise<Route> {
    const reserved = this.#reserving.then(async () => {
      const isExcluded = (exit: NodeId): boolean => this.#isTaken(exit);
      const route = await this.#routes.route({ isExcluded, signal });
      this.#building.push(route.hops.at(-1)?.id ?? this.#service.self);
      return route;
    });
    this.#reserving = reserved.catch(() => {});
    return reserved;
  }

  #isTaken(exit: NodeId): boolean {
    if (!this.#hasRoom(exit)) return true;
    if (this.#building.some((other) => isSameNode(other, exit))) return true;
    return this.#circuits.some((circuit) => circuit.isUsable && isSameNode(circuit.exit, exit));
  }

  #adopt(circuit: Circuit): void {
    // It was ready, and the pool was closed before it was here.
    if (this.#abort.signal.aborted) {
      circuit.close();
      return;
    }
    this.#circuits.push(circuit);
    if (this.#options.coverMs > 0) circuit.setCover(this.#options.coverMs);
    circuit.setRetireHandler(() => {
      this.#forgetPause();
      this.refresh();
    });
    // It was begun for somebody who asks no more.
    if (!this.#isWanted() && this.#options.coverMs === 0) this.#endLater(circuit);
    void circuit.ended.then((ending) => {
      this.#circuits = this.#circuits.filter((other) => other !== circuit);
      this.#forgetPause();
      if (hasFailed(ending)) this.#retryLater();
      this.refresh();
    });
  }

  /** An exit is free: what could not be built for want of one may be built now. */
  #forgetPause(): void {
    this.#cancelRetry?.();
    this.#cancelRetry = undefined;
    this.#pauseMs = 0;
  }

  #retryLater(): void {
    if (this.#abort.signal.aborted || this.#cancelRetry !== undefined) return;
    const { retryMs, retryMsMax } = this.#options;
    this.#pauseMs = Math.min(Math.max(2 * this.#pauseMs, retryMs), retryMsMax);
    const { clock } = this.#service;
    const retry = (): void => {
      this.#cancelRetry = undefined;
      this.refresh();
    };
    const at = clock.now() + this.#pauseMs;
    this.#cancelRetry = clock.schedule(at, retry, { background: true });
  }
}
