import {
  type Clock,
  type Core,
  CulvertError,
  concatBytes,
  Driver,
  type ErrorCode,
  isCulvertError,
  type Journal,
  type JournalChanges,
  NumberMap,
  unreachable,
} from "../../base/index.ts";
import { CancellerPool, type PooledCanceller } from "../../io/canceller-pool.ts";
import { apart } from "../../io/defer.ts";
import { TimeSlice } from "../../io/time-slice.ts";
import type { Receipt, Transport } from "../../transport/index.ts";
import {
  type IoEffect,
  type IoInput,
  isIo,
  type RequestId,
  type StreamEffect,
  type StreamInput,
  type TransportHints,
} from "../exchange/protocol.ts";

type PutRequest = Extract<IoEffect, { kind: "put" }>;
type GetRequest = Extract<IoEffect, { kind: "get" }>;
type MapRequest = PutRequest | GetRequest;

/** Effects of a stream that concern the application and not the Map or the journal. */
export type StreamEvent = Exclude<StreamEffect, IoEffect>;

/** What an engine is made of: a core, and who hears of its effects besides the Map and a disk. */
export interface EngineInit<Input, Event> {
  readonly core: Core<Input | IoInput, IoEffect | Event>;
  readonly transport: Transport;
  readonly journal: Journal | undefined;
  readonly clock: Clock;
  readonly onEvent: (event: Event) => void;
  /** The Map or the journal has answered, and what follows from it is done. */
  readonly onTurn?: () => void;
  /** The journal broke: nothing can be made durable any more. */
  readonly onBroken: (error: CulvertError) => void;
}

/** Runs one core against a transport, a journal and a clock. Waits, retries: the core's. */
export class StreamEngine<
  Input = StreamInput,
  Event extends { readonly kind: string } = StreamEvent,
> {
  readonly #init: EngineInit<Input, Event>;
  readonly #driver: Driver<Input | IoInput, IoEffect | Event>;
  readonly #open = new NumberMap<PooledCanceller>();
  readonly #cancellers = new CancellerPool(SPARE_MAX);
  /** What the core has asked of the Map and was not asked yet. */
  readonly #requests: MapRequest[] = [];
  /** What came from the Map and the journal and was not handed on yet. */
  readonly #answers: IoInput[] = [];
  /** What the application was not told yet. */
  readonly #events: Event[] = [];
  readonly #slice: TimeSlice;
  #isHandingOn = false;
  #isTelling = false;
  #transport: Transport;
  #isStopped = false;
  #isStarted = false;
  /** Settles when the commit under way is durable. */
  #journaling: Promise<void> = Promise.resolve();

  constructor(init: EngineInit<Input, Event>) {
    this.#init = init;
    this.#transport = init.transport;
    this.#slice = new TimeSlice(init.clock, () => this.#handOn());
    const perform = (effect: IoEffect | Event): void => this.#perform(effect);
    this.#driver = new Driver(init.core, init.clock, perform, () => this.#tell());
  }

  get isStarted(): boolean {
    return this.#isStarted;
  }

  /** Whether the core is at work: it hears of an input that is given now only after that. */
  get isBusy(): boolean {
    return this.#driver.isRunning;
  }

  /** Starts once; later calls do nothing. */
  start(): void {
    if (this.#isStarted || this.#isStopped) return;
    this.#isStarted = true;
    const unixMs = this.#init.clock.unixMs();
    this.#driver.handle({ kind: "start", unixMs, ...hintsOf(this.#transport) });
  }

  handle(input: Input): void {
    this.#driver.handle(input);
  }

  /** Whether pending timers let the process exit. */
  setBackground(background: boolean): void {
    this.#driver.setBackground(background);
  }

  /** Uses another transport from the next request on; the requests under way are left to finish. */
  setTransport(transport: Transport): void {
    const hints = hintsOf(transport);
    this.#transport = transport;
    if (this.#isStarted) this.#driver.handle({ kind: "transport", ...hints });
  }

  /** Stops at once; requests under way are aborted. The core keeps its last state. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#driver.stop();
    this.#requests.length = 0;
    this.#answers.length = 0;
    this.#events.length = 0;
    for (const canceller of this.#open.values()) canceller.abort();
    this.#open.clear();
    await this.#journaling;
  }

  /**
   * Leaves the whole state in the journal, after `stop`.
   *
   * @throws CulvertError `CULVERT_JOURNAL`
   */
  async keep(whole: JournalChanges): Promise<void> {
    try {
      await this.#init.journal?.commit(whole);
    } catch (cause) {
      throw journalError(cause);
    }
  }

  #perform(effect: IoEffect | Event): void {
    if (isIo(effect)) this.#performIo(effect);
    else this.#events.push(effect);
  }

  /**
   * Tells the application what has happened, when the core is at rest: it hears at once of what the
   * application does then, so that whoever asks how far that has come is not told of before.
   */
  #tell(): void {
    if (this.#isTelling) return;
    this.#isTelling = true;
    try {
      let event = this.#events.shift();
      for (; event !== undefined; event = this.#events.shift()) {
        const told = event;
        apart(() => this.#init.onEvent(told));
      }
    } finally {
      this.#isTelling = false;
    }
  }

  #performIo(effect: IoEffect): void {
    switch (effect.kind) {
      case "put":
      case "get":
        this.#track(effect.request);
        this.#requests.push(effect);
        if (!this.#isHandingOn) this.#makeRequests();
        break;
      case "cancel":
        this.#open.get(effect.request)?.abort();
        this.#open.delete(effect.request);
        break;
      case "journal":
        this.#commit(effect);
        break;
      case "recall":
        this.#recall(effect.name);
        break;
      case "turn":
        this.#answers.push(effect);
        this.#slice.begin();
        break;
      default:
        unreachable(effect);
    }
  }

  #put({ request, frameId, cell, ttlSeconds }: PutRequest, signal: AbortSignal): void {
    promised(() => this.#transport.put(frameId, cell, { ttlSeconds, signal })).then(
      (receipt: Receipt | undefined) => {
        if (!this.#untrack(request)) return;
        const granted = receipt?.ttlSeconds;
        // Nothing can be counted on a grant that is no number: it is what was asked for.
        const isGrant = typeof granted === "number" && Number.isFinite(granted);
        this.#answer({ kind: "stored", request, ttlSeconds: isGrant ? granted : ttlSeconds });
      },
      (error: unknown) => this.#failed(request, error),
    );
  }

  #get({ request, frameId, waitMs }: GetRequest, signal: AbortSignal): void {
    let ttlSeconds: number | undefined;
    const onTtl = (seconds: number): void => {
      ttlSeconds = seconds;
    };
    const options = { waitMs, signal, background: true, isBorrowed: true, onTtl };
    // Another one may be in use by the time of the answer.
    const transport = this.#transport;
    promised(() => transport.get(frameId, options)).then(
      (given) => {
        // What is no cell is one that does not open, as one of another length.
        const cell = ArrayBuffer.isView(given) ? ownCell(given, transport) : NO_CELL;
        if (this.#untrack(request)) this.#answer({ kind: "got", request, cell, ttlSeconds });
      },
      (error: unknown) => this.#failed(request, error),
    );
  }

  #answer(input: IoInput): void {
    this.#answers.push(input);
    this.#handOn();
  }

  /**
   * Hands answers to the core, and what follows from each of them to the Map, for a slice of time:
   * one packet may bring the answers of a whole window, and each of them is followed by frames to
   * open, to seal and to sign.
   */
  #handOn(): void {
    if (this.#isHandingOn) return;
    this.#isHandingOn = true;
    try {
      while (this.#makeRequests() && this.#answers.length > 0 && this.#slice.begin()) {
        this.#driver.handle(this.#answers.shift() as IoInput);
        this.#init.onTurn?.();
      }
    } finally {
      this.#isHandingOn = false;
    }
  }

  /** False when the slice is over before all of them are made. */
  #makeRequests(): boolean {
    while (this.#requests.length > 0) {
      if (!this.#slice.begin()) return false;
      const effect = this.#requests.shift() as MapRequest;
      const signal = this.#open.get(effect.request)?.signal;
      // It may have been cancelled in the meantime.
      if (signal === undefined) continue;
      if (effect.kind === "put") this.#put(effect, signal);
      else this.#get(effect, signal);
    }
    return !this.#isStopped;
  }

  #track(request: RequestId): void {
    this.#open.set(request, this.#cancellers.take());
  }

  /** Ends a request that was answered or failed; false when it had been cancelled before. */
  #untrack(request: RequestId): boolean {
    const canceller = this.#open.get(request);
    if (canceller === undefined) return false;
    this.#open.delete(request);
    this.#cancellers.giveBack(canceller);
    return true;
  }

  #failed(request: RequestId, error: unknown): void {
    if (!this.#untrack(request)) return;
    const code: ErrorCode = isCulvertError(error) ? error.code : "CULVERT_UNREACHABLE";
    this.#answer({ kind: "failed", request, code });
  }

  #commit({ commit, changes }: Extract<IoEffect, { kind: "journal" }>): void {
    const { journal } = this.#init;
    if (journal === undefined) throw new TypeError("a durable stream needs a journal");
    this.#journaling = promised(() => journal.commit(changes)).then(
      () => this.#answer({ kind: "journaled", commit }),
      (error: unknown) => this.#broken(error),
    );
  }

  #recall(name: string): void {
    const { journal } = this.#init;
    promised(() => journal?.read(name) ?? Promise.resolve(undefined)).then(
      (bytes) => this.#answer({ kind: "recalled", name, bytes }),
      (error: unknown) => this.#broken(error),
    );
  }

  #broken(cause: unknown): void {
    if (this.#isStopped) return;
    this.#init.onBroken(journalError(cause));
  }
}

function journalError(cause: unknown): CulvertError {
  if (isCulvertError(cause)) return cause;
  return new CulvertError("CULVERT_JOURNAL", "the journal cannot be used", { cause });
}

/** About as many as there are requests under way. */
const SPARE_MAX = 128;

const NO_CELL = new Uint8Array(0);

/** What the core has to know; transports are anybody's. */
function hintsOf({ putsAtOnce }: Transport): TransportHints {
  return putsAtOnce !== undefined && putsAtOnce >= 1 ? { putsAtOnce } : {};
}

/** A cell that the core may open where it lies. */
function ownCell(cell: Uint8Array, { handsOver }: Pick<Transport, "handsOver">): Uint8Array {
  // The slice of a Buffer would be a view.
  return handsOver === true ? cell : concatBytes(cell);
}

/**
 * Transports and journals are anybody's: one that throws has rejected, and one that answers with
 * something else than a promise has resolved.
 */
function promised<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return Promise.resolve(ask());
  } catch (error) {
    return Promise.reject(error);
  }
}
