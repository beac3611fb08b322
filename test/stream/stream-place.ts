import { generateSecret } from "culvert";
import { VirtualClock } from "culvert/testing";
import { LossyTransport, MemoryTransport, type Transport } from "culvert/transport";
import { onTestFinished } from "vitest";

/** A Map, a clock and a secret, for streams that come and go. */
export interface Place {
  readonly clock: VirtualClock;
  readonly transport: Transport;
  readonly secret: Uint8Array;
  readonly options: { readonly clock: VirtualClock };
  elapse<T>(promise: Promise<T>): Promise<T>;
}

/** A place of its own, at 20 ms. */
export function place(weather: { readonly loss?: number } = {}): Place {
  const clock = new VirtualClock();
  const map = new MemoryTransport({ clock });
  onTestFinished(() => map.close());
  const transport = new LossyTransport(map, { rttMs: 20, seed: 3, clock, ...weather });
  const elapse = <T>(promise: Promise<T>): Promise<T> => clock.runPromise(promise, 600_000);
  return { clock, transport, secret: generateSecret(), options: { clock }, elapse };
}
