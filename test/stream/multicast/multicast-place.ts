import { type Broadcast, type CulvertError, Subscription } from "culvert";
import { VirtualClock } from "culvert/testing";
import {
  type GetOptions,
  LossyTransport,
  MemoryTransport,
  type PutOptions,
  type Receipt,
  type Transport,
} from "culvert/transport";
import { onTestFinished } from "vitest";

/** A Map in memory, the way to it, and a clock that moves when it is told to. */
export interface Place {
  readonly clock: VirtualClock;
  /** The Map itself, without losses. */
  readonly memory: MemoryTransport;
  readonly transport: Transport;
  /** For everybody's options. */
  readonly at: { readonly clock: VirtualClock };
  elapse<T>(promise: Promise<T>): Promise<T>;
  pass(ms: number): Promise<void>;
}

/** More than any test needs, unless it waits for frames to expire. */
const LIMIT_MS = 3_600_000;

export function place(
  options: { loss?: number; seed?: number; ttlSecondsMax?: number; payloadSize?: number } = {},
): Place {
  const clock = new VirtualClock();
  const { loss = 0, seed = 1, ttlSecondsMax = 7 * 24 * 3_600, payloadSize = 200 } = options;
  const memory = new MemoryTransport({ payloadSize, clock, ttlSecondsMax });
  const transport = new LossyTransport(memory, { loss, rttMs: 100, clock, seed });
  return {
    clock,
    memory,
    transport,
    at: { clock },
    elapse: (promise) => clock.runPromise(promise, LIMIT_MS),
    pass: (ms) => clock.runUntil(clock.now() + ms),
  };
}

/** The way to a Map that gives receipts for nothing for some puts, counted from 1. */
export class ForgetfulTransport implements Transport {
  readonly payloadSize: number;
  readonly #memory: MemoryTransport;
  readonly #forgets: (put: number) => boolean;
  puts = 0;

  constructor(memory: MemoryTransport, forgets: (put: number) => boolean) {
    this.payloadSize = memory.payloadSize;
    this.#memory = memory;
    this.#forgets = forgets;
  }

  async put(frameId: Uint8Array, cell: Uint8Array, options?: PutOptions): Promise<Receipt> {
    this.puts += 1;
    if (this.#forgets(this.puts)) return { ttlSeconds: 7 * 24 * 3_600 };
    return await this.#memory.put(frameId, cell, options);
  }

  async get(frameId: Uint8Array, options?: GetOptions): Promise<Uint8Array> {
    return await this.#memory.get(frameId, options);
  }
}

/** What a reader has got so far, and how it ended. */
export class Listener {
  readonly subscription: Subscription;
  readonly lags: number[] = [];
  text = "";
  isEnded = false;
  error: CulvertError | undefined;

  constructor(subscription: Subscription) {
    this.subscription = subscription;
    const decoder = new TextDecoder();
    subscription.on("data", (chunk: Uint8Array) => {
      this.text += decoder.decode(chunk, { stream: true });
    });
    subscription.on("end", () => {
      this.isEnded = true;
    });
    subscription.on("lag", (frames: number) => this.lags.push(frames));
    subscription.on("error", (error: CulvertError) => {
      this.error = error;
    });
    onTestFinished(() => subscription.close().catch(() => undefined));
  }

  get isOver(): boolean {
    return this.isEnded || this.error !== undefined;
  }
}

/** A reader of a broadcast, from its next frame on unless told otherwise. */
export function listen(
  { transport, at }: Place,
  broadcast: Broadcast,
  options: ConstructorParameters<typeof Subscription>[2] & { readonly atStart?: boolean } = {},
): Listener {
  const { atStart = false, ...rest } = options;
  const capability = atStart ? broadcast.capabilityAtStart() : broadcast.capability();
  return new Listener(new Subscription(transport, capability, { ...at, ...rest }));
}
