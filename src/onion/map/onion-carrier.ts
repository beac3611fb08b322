import {
  type Cancel,
  Canceller,
  CulvertError,
  equalBytes,
  isCulvertError,
  onAbort,
} from "../../base/index.ts";
import type { NodeId } from "../../identity/index.ts";
import type { Circuit } from "../circuit/circuit.ts";
import type { CircuitLimits } from "../circuit/circuit-limits.ts";
import { CircuitPool, type PathClaim } from "../circuit/circuit-pool.ts";
import type { RouteProvider } from "../route/route.ts";
import type { TunnelService } from "../tunnel-service.ts";
import { AskedExits } from "./asked-exits.ts";
import { Demand } from "./demand.ts";
import { ExitBudget, framesPerExit } from "./exit-budget.ts";
import type { ExitChecks } from "./exit-checks.ts";
import {
  encodeOperation,
  type MapOperation,
  type MapOutcome,
  mapCellBytesMax,
  type OnionRecord,
  operationError,
  readOutcome,
} from "./map-operation.ts";
import {
  type OnionCarrierOptions,
  pathsOf,
  resolveOnionCarrierOptions,
} from "./onion-carrier-options.ts";

/** What the carrier of a stream is built from. */
export interface OnionCarrierComponents {
  readonly service: TunnelService;
  readonly routes: RouteProvider;
  /** Without it every exit is believed. */
  readonly checks?: ExitChecks;
  /**
   * Told, once in a `budgetMs`, that the stream has to wait: the exits that can be used have all
   * had their share of it.
   */
  readonly onSpent?: () => void;
}

/**
 * Carries the records of one stream through circuits. Puts and gets have circuits of their own;
 * frames fan out over circuits with different exits, and no exit is shown more of the stream than
 * its budget in an hour: what would be too much waits for another exit, and fails when there is
 * none in time. An exit that is caught lying is left at once, and not taken again for an hour.
 */
export class OnionCarrier {
  /** Bytes of a Map cell that an operation has room for. */
  readonly payloadBytesMax: number;
  readonly #service: TunnelService;
  readonly #routes: RouteProvider;
  readonly #checks: ExitChecks | undefined;
  readonly #options: OnionCarrierOptions;
  readonly #budget: ExitBudget;
  readonly #asked = new AskedExits();
  readonly #writes: CircuitPool;
  readonly #reads: CircuitPool;
  readonly #onSpent: () => void;
  #toldAt = Number.NEGATIVE_INFINITY;
  readonly #demand: Demand;

  /** @throws RangeError for an option that is none */
  constructor(
    components: OnionCarrierComponents,
    options: Partial<OnionCarrierOptions> & { readonly circuit?: Partial<CircuitLimits> } = {},
  ) {
    const { circuit = {}, ...given } = options;
    this.#options = resolveOnionCarrierOptions(given);
    this.#service = components.service;
    this.#routes = components.routes;
    this.#checks = components.checks;
    this.#onSpent = components.onSpent ?? (() => {});
    this.payloadBytesMax = mapCellBytesMax(components.service.parts.geometry);
    const frames = this.#options.framesPerExit || framesPerExit(this.#options);
    this.#budget = new ExitBudget({ framesPerExit: frames, spanMs: this.#options.budgetMs });
    const { clock } = components.service;
    this.#demand = new Demand({ ...this.#options, clock, over: () => this.#letGo() });
    const shared = {
      ...components,
      hasRoom: (exit: Uint8Array) => this.#budget.hasRoom(exit, clock.now()),
      isWanted: () => this.#demand.isWanted,
    };
    const kept = { ...pathsOf(this.#options), circuit };
    this.#writes = new CircuitPool(shared, kept);
    this.#reads = new CircuitPool(shared, kept);
  }

  /** The circuits of puts and of gets, for those who watch. */
  get circuits(): { readonly writes: readonly Circuit[]; readonly reads: readonly Circuit[] } {
    return { writes: this.#writes.circuits, reads: this.#reads.circuits };
  }

  /**
   * Builds the circuits before there is a request, and keeps them fresh until there is one, for
   * `preparedMs` at the most: without it the first put of a stream waits until some are built, and
   * then its first get does.
   */
  prepare(): void {
    this.#demand.prepare(() => {
      this.#writes.refresh();
      this.#reads.refresh();
    });
  }

  /**
   * Puts a record. May be repeated for ever; a repetition shows an exit nothing new.
   *
   * @throws CulvertError what the Map has said, `CULVERT_UNREACHABLE` when no circuit could be
   *   used or it failed, `CULVERT_TIMEOUT` when nothing came back, `CULVERT_PROTOCOL` when the exit
   *   did not prove what it said
   */
  async put(
    record: OnionRecord,
    options: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<{ readonly ttlSeconds: number; readonly receipt: Uint8Array }> {
    const { answerMs: timeoutMs } = this.#options;
    const { address } = record;
    const operation = { kind: "put", record } as const;
    return await this.#demand.during(() =>
      this.#ask(
        this.#writes,
        { operation, address, timeoutMs, expects: "stored" },
        (stored, exit) => this.#checks?.receiptOf(record, stored, exit) ?? "proof",
        options.signal,
      ),
    );
  }

  /**
   * Gets the record at an address, waiting for it at most `waitMs`. It is verified by the checks.
   *
   * @throws CulvertError as {@link put}; `CULVERT_NOT_FOUND` when the Map has nothing there
   */
  async get(
    address: Uint8Array,
    options: { readonly waitMs?: number; readonly signal?: AbortSignal | undefined } = {},
  ): Promise<OnionRecord> {
    const waitMs = Math.max(Math.floor(options.waitMs ?? 0), 0);
    const timeoutMs = waitMs + this.#options.answerMs;
    const asked = address.slice();
    const operation = { kind: "get", address, waitMs } as const;
    const { record } = await this.#demand.during(() =>
      this.#ask(
        this.#reads,
        { operation, address, timeoutMs, expects: "found" },
        (found) => {
          const isGenuine = this.#checks?.isGenuine({ address: asked, ...found.record }) ?? true;
          return isGenuine ? "proof" : "lie";
        },
        options.signal,
      ),
    );
    return { address: asked, ...record };
  }

  /** Ends all circuits; what is open fails. */
  close(): void {
    this.#demand.close();
    this.#writes.close();
    this.#reads.close();
  }

  async #ask<Kind extends "stored" | "found">(
    paths: CircuitPool,
    asked: Asked<Kind>,
    judge: (outcome: OutcomeOf<Kind>, exit: NodeId) => ReturnType<ExitChecks["receiptOf"]>,
    signal: AbortSignal | undefined,
  ): Promise<OutcomeOf<Kind>> {
    const { clock } = this.#service;
    const address = asked.address.slice();
    const content = encodeOperation(asked.operation);
    const begin = (circuit: Circuit) => {
      this.#budget.spend(circuit.exit, address, clock.now());
      const answered = this.#asked.begin(circuit.exit, address);
      const limits = { timeoutMs: asked.timeoutMs, late: () => paths.giveUp(circuit), signal };
      const answerTo = async (question: Uint8Array): Promise<MapOutcome | undefined> =>
        outcomeIn(await this.#within(limits, (signal) => circuit.request(question, { signal })));
      const first = answerTo(content).finally(() => {
        answered();
        paths.freed();
      });
      return { circuit, answerTo, first };
    };
    const isAllowed = (exit: NodeId): boolean => this.#budget.allows(exit, address, clock.now());
    const isUnloved = (exit: NodeId): boolean => this.#asked.has(exit, address);
    const claim = { isAllowed, isUnloved, begin };
    const { circuit, answerTo, first } = await this.#pick(paths, claim, signal);
    const outcome = await first;
    if (outcome?.kind === "failed") {
      if (outcome.code === "CULVERT_CONFLICT")
        await this.#requireConflict({ ...asked, address }, answerTo);
      throw operationError(outcome.code);
    }
    const verdict = isOf(outcome, asked.expects) ? judge(outcome, circuit.exit) : "lie";
    if (isOf(outcome, asked.expects) && verdict === "proof") return outcome;
    if (verdict === "lie") this.#caught(circuit.exit, paths);
    throw unproved();
  }

  /**
   * A conflict ends a stream, and nobody's mere word may: whoever says that an address holds other
   * bytes has to show them, signed by the address.
   *
   * @throws CulvertError `CULVERT_PROTOCOL` when it does not
   */
  async #requireConflict(
    { operation, address }: { readonly operation: MapOperation; readonly address: Uint8Array },
    answerTo: (question: Uint8Array) => Promise<MapOutcome | undefined>,
  ): Promise<void> {
    // A get has nothing to do with that. An exit may pass it on from a node that says such things.
    if (operation.kind !== "put") throw unproved();
    if (this.#checks === undefined) return;
    const { seq, payload } = operation.record;
    const shown = await answerTo(encodeOperation({ kind: "get", address, waitMs: 0 }));
    if (shown?.kind !== "found" || shown.record.seq < seq) throw unproved();
    const isSame = shown.record.seq === seq && equalBytes(shown.record.payload, payload);
    const isGenuine = this.#checks.isGenuine({ address, ...shown.record });
    if (isSame || !isGenuine) throw unproved();
  }

  /**
   * Exits give up what they still wait for, and relays are free of the circuits. Those with cover
   * stay until their time is over, or their end would tell of the stream's.
   */
  #letGo(): void {
    if (this.#options.coverMs > 0) return;
    this.#writes.letGo();
    this.#reads.letGo();
  }

  /** What else this exit was asked there fails, and is asked of another one. */
  #caught(exit: NodeId, paths: CircuitPool): void {
    this.#routes.caught(exit);
    paths.leave(exit);
    (paths === this.#writes ? this.#reads : this.#writes).shun(exit);
  }

  async #pick<T>(
    paths: CircuitPool,
    claim: PathClaim<T>,
    signal: AbortSignal | undefined,
  ): Promise<T> {
    try {
      return await paths.pick(claim, signal);
    } catch (error) {
      if (isCulvertError(error, "CULVERT_UNREACHABLE")) this.#tellOfBudget();
      throw error;
    }
  }

  #tellOfBudget(): void {
    const now = this.#service.clock.now();
    if (!this.#budget.isAnySpent(now) || now - this.#toldAt < this.#options.budgetMs) return;
    this.#toldAt = now;
    this.#onSpent();
  }

  /** Gives a request up after some time, or when its caller does. */
  async #within<T>(
    limits: {
      readonly timeoutMs: number;
      /** Called when the time is over. */
      readonly late: () => void;
      readonly signal: AbortSignal | undefined;
    },
    run: (limit: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const { clock } = this.#service;
    const { timeoutMs, signal } = limits;
    const limit = new Canceller();
    let isLate = false;
    const cancels: Cancel[] = [
      clock.schedule(clock.now() + timeoutMs, () => {
        isLate = true;
        limit.abort();
        limits.late();
      }),
      onAbort(signal, () => limit.abort(signal?.reason)),
    ];
    try {
      return await run(limit.signal);
    } catch (error) {
      if (isLate) throw new CulvertError("CULVERT_TIMEOUT", undefined, { cause: error });
      // It was left for something else that was asked on it.
      const isLeft = !this.#demand.isClosed && isCulvertError(error, "CULVERT_CLOSED");
      throw isLeft ? new CulvertError("CULVERT_UNREACHABLE", undefined, { cause: error }) : error;
    } finally {
      for (const cancel of cancels) cancel();
    }
  }
}

/** One operation, and what it is answered with. */
interface Asked<Kind extends MapOutcome["kind"]> {
  readonly operation: MapOperation;
  readonly address: Uint8Array;
  readonly timeoutMs: number;
  readonly expects: Kind;
}

type OutcomeOf<Kind extends MapOutcome["kind"]> = Extract<MapOutcome, { readonly kind: Kind }>;

function isOf<Kind extends MapOutcome["kind"]>(
  outcome: MapOutcome | undefined,
  kind: Kind,
): outcome is OutcomeOf<Kind> {
  return outcome?.kind === kind;
}

function unproved(): CulvertError {
  return new CulvertError("CULVERT_PROTOCOL", "an exit has not proved what it said");
}

/** What an exit has said; `undefined` when it makes no sense. */
function outcomeIn(response: Uint8Array): MapOutcome | undefined {
  try {
    return readOutcome(response);
  } catch (error) {
    if (!isCulvertError(error, "CULVERT_PROTOCOL")) throw error;
    return undefined;
  }
}
