import {
  type Clock,
  type Core,
  CulvertError,
  Driver,
  type ErrorCode,
  type Instant,
  isCulvertError,
  type Journal,
  unreachable,
} from "../base/index.ts";
import { defer } from "../io/defer.ts";
import type { Receipt, Transport } from "../transport/index.ts";
import type { IoEffect, IoInput, RequestId, StreamEffect, StreamInput } from "./protocol.ts";

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
  readonly #open = new Map<RequestId, AbortController>();
  /** Of requests that ended by themselves: making one costs as much as sealing a small frame. */
  readonly #spare: AbortController[] = [];
  /** What came from the Map and the journal and was not handed on yet. */
  readonly #answers: IoInput[] = [];
  #sliceEndsAt: Instant | undefined;
  #transport: Transport;
  #isStopped = false;
  #isStarted = false;
  /** Settles when the commit under way is durable. */
  #journaling: Promise<void> = Promise.resolve();

  constructor(init: EngineInit<Input, Event>) {
    this.#init = init;
    this.#transport = init.transport;
    this.#driver = new Driver(init.core, init.clock, (effect) => this.#perform(effect));
  }

  get isStarted(): boolean {
    return this.#isStarted;
  }

  get isStopped(): boolean {
    return this.#isStopped;
  }

  /** Starts once; later calls do nothing. */
  start(): void {
    if (this.#isStarted || this.#isStopped) return;
    this.#isStarted = true;
    this.#driver.handle({ kind: "start", unixMs: this.#init.clock.unixMs() });
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
    this.#transport = transport;
  }

  /** Stops at once; requests under way are aborted. The core keeps its last state. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#driver.stop();
    this.#answers.length = 0;
    for (const controller of this.#open.values()) controller.abort();
    this.#open.clear();
    await this.#journaling;
  }

  #perform(effect: IoEffect | Event): void {
    if (isIo(effect)) this.#performIo(effect);
    else this.#init.onEvent(effect);
  }

  #performIo(effect: IoEffect): void {
    switch (effect.kind) {
      case "put":
        this.#put(effect);
        break;
      case "get":
        this.#get(effect);
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
      default:
        unreachable(effect);
    }
  }

  #put({ request, frameId, cell, ttlSeconds }: Extract<IoEffect, { kind: "put" }>): void {
    const signal = this.#track(request);
    this.#transport.put(frameId, cell, { ttlSeconds, signal }).then(
      (receipt: Receipt | undefined) => {
        if (!this.#untrack(request)) return;
        const granted = receipt?.ttlSeconds ?? ttlSeconds;
        this.#answer({ kind: "stored", request, ttlSeconds: granted });
      },
      (error: unknown) => this.#failed(request, error),
    );
  }

  #get({ request, frameId, waitMs }: Extract<IoEffect, { kind: "get" }>): void {
    const signal = this.#track(request);
    this.#transport.get(frameId, { waitMs, signal, background: true }).then(
      (cell) => {
        if (this.#untrack(request)) this.#answer({ kind: "got", request, cell });
      },
      (error: unknown) => this.#failed(request, error),
    );
  }

  #answer(input: IoInput): void {
    this.#answers.push(input);
    this.#handOn();
  }

  /**
   * Hands answers to the core, for a slice of time: one packet may bring the answers of a whole
   * window, and each of them is followed by frames to open and to seal.
   */
  #handOn(): void {
    const { clock, onTurn } = this.#init;
    while (this.#answers.length > 0 && !this.#isStopped) {
      const now = clock.now();
      if (this.#sliceEndsAt === undefined) {
        this.#sliceEndsAt = now + SLICE_MS;
        defer(() => this.#endSlice());
      } else if (now >= this.#sliceEndsAt) return;
      const answer = this.#answers.shift();
      if (answer === undefined) return;
      this.#driver.handle(answer);
      onTurn?.();
    }
  }

  #endSlice(): void {
    this.#sliceEndsAt = undefined;
    this.#handOn();
  }

  #track(request: RequestId): AbortSignal {
    const controller = this.#spare.pop() ?? new AbortController();
    this.#open.set(request, controller);
    return controller.signal;
  }

  /** Ends a request that was answered or failed; false when it had been cancelled before. */
  #untrack(request: RequestId): boolean {
    const controller = this.#open.get(request);
    if (controller === undefined) return false;
    this.#open.delete(request);
    if (this.#spare.length < SPARE_MAX) this.#spare.push(controller);
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
    this.#journaling = journal.commit(changes).then(
      () => this.#answer({ kind: "journaled", commit }),
      (error: unknown) => this.#broken(error),
    );
  }

  #recall(name: string): void {
    const read = this.#init.journal?.read(name) ?? Promise.resolve(undefined);
    read.then(
      (bytes) => this.#answer({ kind: "recalled", name, bytes }),
      (error: unknown) => this.#broken(error),
    );
  }

  #broken(cause: unknown): void {
    if (this.#isStopped) return;
    const error = isCulvertError(cause)
      ? cause
      : new CulvertError("CULVERT_JOURNAL", "the journal cannot be used", { cause });
    this.#init.onBroken(error);
  }
}

/** After so long other events have their turn. */
const SLICE_MS = 1;

/** About as many as there are requests under way. */
const SPARE_MAX = 128;

function isIo(effect: { readonly kind: string }): effect is IoEffect {
  return IO_KINDS.has(effect.kind);
}

const IO_KINDS: ReadonlySet<string> = new Set<IoEffect["kind"]>([
  "put",
  "get",
  "cancel",
  "journal",
  "recall",
]);
