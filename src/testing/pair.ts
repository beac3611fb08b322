import type { Clock } from "../base/index.ts";
import { systemClock } from "../io/clock.ts";
import { generateSecret, Stream, type StreamOpenOptions } from "../stream/index.ts";
import { LossyTransport, MemoryTransport } from "../transport/index.ts";

/** What lies between the two streams of a {@link pair}. */
export interface PairOptions {
  /** Probability of each request, and of each reply, to be lost; 0 unless given. */
  readonly loss?: number;
  /** Round trip of one request to the Map, in ms; 0 unless given. */
  readonly rtt?: number;
  /** Of the weather; 1 unless given. */
  readonly seed?: number;
  /** A virtual clock makes it a matter of steps; real time unless given. */
  readonly clock?: Clock;
  /** How both streams are opened. */
  readonly open?: StreamOpenOptions;
}

/** Two streams that talk to each other. */
export interface Pair extends AsyncDisposable {
  /** The listening end. */
  readonly a: Stream;
  /** The dialling end. */
  readonly b: Stream;
  /** Stops both and their Map, whatever they are doing. */
  close(): Promise<void>;
}

/**
 * Two connected Streams over a lossy Map in memory.
 *
 * @throws RangeError for weather or a seed that cannot be
 * @example
 * ```ts
 * const { a, b, close } = await pair({ loss: 0.2, rtt: 50, seed: 7 });
 * a.end("hello");
 * for await (const chunk of b) console.log(chunk.toString());
 * await close();
 * ```
 */
export async function pair(options: PairOptions = {}): Promise<Pair> {
  const { loss = 0, rtt = 0, seed = 1, clock = systemClock, open = {} } = options;
  const map = new MemoryTransport({ clock });
  const transport = new LossyTransport(map, { loss, rttMs: rtt, seed, clock });
  const secret = generateSecret();
  const a = Stream.listen(transport, secret, { clock, ...open });
  const b = Stream.dial(transport, secret, { clock, ...open });
  const close = async (): Promise<void> => {
    await Promise.all([a.halt(), b.halt()]);
    map.close();
  };
  return { a, b, close, [Symbol.asyncDispose]: close };
}
