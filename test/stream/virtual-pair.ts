import type { Stream } from "culvert";
import { type PairOptions, pair, VirtualClock } from "culvert/testing";
import { onTestFinished } from "vitest";

/** Two streams on a clock that moves when it is told to. */
export interface VirtualPair {
  readonly a: Stream;
  readonly b: Stream;
  readonly clock: VirtualClock;
  /** Lets time pass until `promise` settles. */
  elapse<T>(promise: Promise<T>): Promise<T>;
  pass(ms: number): Promise<void>;
}

/** More than any test needs; a stream that hangs is found out at once. */
const LIMIT_MS = 600_000;

/** A pair that is put away when the test is over. */
export async function virtualPair(options: Omit<PairOptions, "clock"> = {}): Promise<VirtualPair> {
  const clock = new VirtualClock();
  const { a, b, close } = await pair({ rtt: 20, ...options, clock });
  onTestFinished(close);
  return {
    a,
    b,
    clock,
    elapse: (promise) => clock.runPromise(promise, LIMIT_MS),
    pass: (ms) => clock.runUntil(clock.now() + ms),
  };
}

/** Everything up to the end; the stream is not destroyed by it. */
export async function readAll(stream: Stream): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** Bytes that tell their place. */
export function pattern(length: number, seed = 0): Buffer {
  return Buffer.from(
    Uint8Array.from({ length }, (_, at) => (at * 31 + (at >> 8) * 7 + seed) & 255),
  );
}
