import { type Cancel, CulvertError, onAbort } from "../base/index.ts";
import type { Circuit } from "./circuit.ts";
import type { CircuitLimits } from "./circuit-limits.ts";
import { CircuitPaths, PATH_DEFAULTS, type PathOptions } from "./circuit-paths.ts";
import { ExitBudget, framesPerExit } from "./exit-budget.ts";
import { EPOCH_MS } from "./key-ring.ts";
import {
  encodeOperation,
  type MapOperation,
  type MapOutcome,
  mapCellBytesMax,
  type OnionRecord,
  operationError,
  readOutcome,
} from "./map-operation.ts";
import type { RouteProvider } from "./route.ts";
import type { TunnelService } from "./tunnel-service.ts";

/** How one stream goes through onion circuits. */
export interface OnionCarrierOptions extends PathOptions {
  /** Requests that the stream has open at once; the budget of an exit follows from it. */
  readonly window: number;
  /** Frames of the stream that one exit sees in an epoch; `⌈window / paths⌉ + 1` if zero. */
  readonly framesPerExit: number;
  /** How long such an epoch is. */
  readonly budgetMs: number;
  /** Time for an answer, beyond the wait that a get asks for. */
  readonly answerMs: number;
}

/** Tuned for a stream with its default window; one carrier for each stream. */
export const ONION_CARRIER_DEFAULTS: OnionCarrierOptions = Object.freeze({
  ...PATH_DEFAULTS,
  window: 64,
  framesPerExit: 0,
  budgetMs: EPOCH_MS,
  answerMs: 30_000,
});

/**
 * Carries the records of one stream through circuits. Puts and gets have circuits of their own;
 * frames fan out over circuits with different exits, and no exit is shown more of the stream than
 * its budget in an epoch: what would be too much waits for another exit, and fails when there is
 * none in time.
 */
export class OnionCarrier {
  /** Bytes of a Map cell that an operation has room for. */
  readonly payloadBytesMax: number;
  readonly #service: TunnelService;
  readonly #options: OnionCarrierOptions;
  readonly #budget: ExitBudget;
  readonly #writes: CircuitPaths;
  readonly #reads: CircuitPaths;

  constructor(
    components: { readonly service: TunnelService; readonly routes: RouteProvider },
    options: Partial<OnionCarrierOptions> & { readonly circuit?: Partial<CircuitLimits> } = {},
  ) {
    const { circuit = {}, ...given } = options;
    this.#options = { ...ONION_CARRIER_DEFAULTS, ...given };
    this.#service = components.service;
    this.payloadBytesMax = mapCellBytesMax(components.service.parts.geometry);
    const frames = this.#options.framesPerExit || framesPerExit(this.#options);
    this.#budget = new ExitBudget({ framesPerExit: frames, epochMs: this.#options.budgetMs });
    const { clock } = components.service;
    const shared = {
      ...components,
      hasRoom: (exit: Uint8Array) => this.#budget.hasRoom(exit, clock.now()),
    };
    this.#writes = new CircuitPaths(shared, { ...this.#options, circuit });
    this.#reads = new CircuitPaths(shared, { ...this.#options, circuit });
  }

  /** The circuits of puts and of gets, for those who watch. */
  get circuits(): { readonly writes: readonly Circuit[]; readonly reads: readonly Circuit[] } {
    return { writes: this.#writes.circuits, reads: this.#reads.circuits };
  }

  /**
   * Puts a record. May be repeated for ever; a repetition shows an exit nothing new.
   *
   * @throws CulvertError what the Map has said, `CULVERT_UNREACHABLE` when no circuit could be
   *   used or it failed, `CULVERT_TIMEOUT` when nothing came back
   */
  async put(
    record: OnionRecord,
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<{ readonly ttlSeconds: number; readonly receipt: Uint8Array }> {
    const { answerMs } = this.#options;
    const outcome = await this.#ask(
      this.#writes,
      { operation: { kind: "put", record }, address: record.address, timeoutMs: answerMs },
      options.signal,
    );
    if (outcome.kind === "found") throw new CulvertError("CULVERT_PROTOCOL", "not what was asked");
    return outcome;
  }

  /**
   * Gets the record at an address, waiting for it at most `waitMs`. It is not verified.
   *
   * @throws CulvertError as {@link put}; `CULVERT_NOT_FOUND` when the Map has nothing there
   */
  async get(
    address: Uint8Array,
    options: { readonly waitMs?: number; readonly signal?: AbortSignal } = {},
  ): Promise<OnionRecord> {
    const waitMs = Math.max(Math.floor(options.waitMs ?? 0), 0);
    const timeoutMs = waitMs + this.#options.answerMs;
    const outcome = await this.#ask(
      this.#reads,
      { operation: { kind: "get", address, waitMs }, address, timeoutMs },
      options.signal,
    );
    if (outcome.kind === "stored") throw new CulvertError("CULVERT_PROTOCOL", "not what was asked");
    return { address: address.slice(), ...outcome.record };
  }

  /** Ends all circuits; what is open fails. */
  close(): void {
    this.#writes.close();
    this.#reads.close();
  }

  async #ask(
    paths: CircuitPaths,
    asked: {
      readonly operation: MapOperation;
      readonly address: Uint8Array;
      readonly timeoutMs: number;
    },
    signal: AbortSignal | undefined,
  ): Promise<Exclude<MapOutcome, { readonly kind: "failed" }>> {
    const { clock } = this.#service;
    const address = asked.address.slice();
    const content = encodeOperation(asked.operation);
    const claim = {
      isAllowed: (exit: Uint8Array) => this.#budget.allows(exit, address, clock.now()),
      taken: (exit: Uint8Array) => this.#budget.spend(exit, address, clock.now()),
    };
    const circuit = await paths.pick(claim, signal);
    const late = (): void => paths.giveUp(circuit);
    const limits = { timeoutMs: asked.timeoutMs, late, signal };
    const response = await this.#within(limits, (limit) =>
      circuit.request(content, { signal: limit }),
    );
    const outcome = readOutcome(response);
    if (outcome.kind === "failed") throw operationError(outcome.code);
    return outcome;
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
    const limit = new AbortController();
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
      throw isLate ? new CulvertError("CULVERT_TIMEOUT", undefined, { cause: error }) : error;
    } finally {
      for (const cancel of cancels) cancel();
    }
  }
}
