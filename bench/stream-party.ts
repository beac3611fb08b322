/**
 * One of the two parties that `bench/stream.ts` compares, in a process of its own, so that neither
 * has its garbage collected, or its functions compiled, by what the other one does: a stream, or
 * the arithmetic of its frames and nothing else.
 */
import { once } from "node:events";
import { SeededRandom } from "../src/base/index.ts";
import {
  CELL_OVERHEAD_BYTES,
  type ProviderName,
  ReadCapability,
  useProvider,
} from "../src/crypto/index.ts";
import { systemClock } from "../src/io/clock.ts";
import { defer } from "../src/io/defer.ts";
import { nativeSigner } from "../src/io/native-signer.ts";
import { localCarrier, MapClient, MapService, MemoryRecordStore } from "../src/mapservice/index.ts";
import { payloadBytesMax } from "../src/stream/frame/frame.ts";
import { generateCapability, generateSecret, Stream } from "../src/stream/index.ts";
import { checkedRecord, READERS, wholeFrame } from "./frame-work.ts";
import { check } from "./harness.ts";
import { installed } from "./providers.ts";
import { UNLIMITED } from "./unlimited.ts";

/** What a party does, in its arguments: its name, a provider, KiB of a cell, how a reader reads. */
export type PartyName = "ceiling" | "stream";
export type ReaderName = keyof typeof READERS;

/** An order: so many frames, of which it tells the {@link Cost}. */
export interface Frames {
  readonly frames: number;
}

/** What one frame took: microseconds on the clock, and of this process on any processor. */
export interface Cost {
  readonly wallUs: number;
  readonly cpuUs: number;
}

/**
 * What was put lives for two seconds, and is swept soon after: a Map that has run for a while takes
 * the memory of what has expired, and gets none from the kernel, which may cost more than a frame.
 */
const LIFE = { ttlSeconds: 2 };
const MAP_LIMITS = { ...UNLIMITED, sweepMs: 100, ttlSecondsMin: 1 };

/**
 * So many chunks are compared with what was written, before anything is timed, and one of eight
 * after that: it takes a hundredth of a large frame, and is none of the stream's work.
 */
const CHUNKS_COMPARED = 16_384;
const COMPARED_OF = 8;

const random = new SeededRandom(1);

/** Two streams, a Map service with its store in memory, and nothing between them but calls. */
class Conduit {
  readonly #a: Stream;
  readonly #b: Stream;
  readonly #service: MapService;
  readonly #source: Uint8Array;
  readonly #frameBytes: number;
  #sent = 0;
  #received = 0;
  #chunks = 0;

  constructor(cellBytes: number, reader: ReaderName) {
    this.#frameBytes = payloadBytesMax(cellBytes);
    this.#source = random.bytes(64 * this.#frameBytes);
    const store = new MemoryRecordStore({
      payloadSize: cellBytes,
      entriesMax: 2 ** 20,
      bytesMax: 2 ** 34,
    });
    const signer = nativeSigner(new Uint8Array(32).fill(1));
    this.#service = new MapService({ store, clock: systemClock, signer, defer }, MAP_LIMITS);
    // Each end has a carrier and a client of its own, as two processes would.
    const transport = (): MapClient =>
      new MapClient(localCarrier(this.#service, { isVerified: true }));
    if (reader === "secret") {
      const secret = generateSecret();
      this.#a = Stream.listen(transport(), secret, LIFE);
      this.#b = Stream.dial(transport(), secret, LIFE);
    } else {
      const [mine, yours] = [generateCapability(), generateCapability()];
      // By their bytes, as from elsewhere: one that was made here knows the addresses by the seed.
      const [toMe, toYou] = [yours, mine].map((one) => {
        return ReadCapability.fromBytes(one.readCapability().toBytes());
      }) as [ReadCapability, ReadCapability];
      this.#a = Stream.fromCapabilities(transport(), { write: mine, read: toMe }, LIFE);
      this.#b = Stream.fromCapabilities(transport(), { write: yours, read: toYou }, LIFE);
    }
  }

  /** Sends so many full frames and waits until the reader has taken every byte. */
  async carry(frames: number): Promise<void> {
    const reading = this.#receive(this.#received + frames * this.#frameBytes);
    for (let left = frames; left > 0; ) {
      const some = Math.min(left, 16);
      const chunk = this.#expected(this.#sent, some * this.#frameBytes);
      this.#sent += chunk.length;
      left -= some;
      if (!this.#a.write(chunk)) await once(this.#a, "drain");
    }
    await reading;
  }

  async close(): Promise<void> {
    await Promise.all([this.#a.halt(), this.#b.halt()]);
    await this.#service.close();
  }

  #receive(until: number): Promise<void> {
    return new Promise((resolve) => {
      const take = (chunk: Uint8Array): void => {
        this.#compare(chunk);
        this.#received += chunk.length;
        if (this.#received < until) return;
        this.#b.off("data", take);
        this.#b.pause();
        resolve();
      };
      this.#b.on("data", take);
      this.#b.resume();
    });
  }

  #compare(chunk: Uint8Array): void {
    this.#chunks += 1;
    if (this.#chunks > CHUNKS_COMPARED && this.#chunks % COMPARED_OF > 0) return;
    const expected = this.#expected(this.#received, chunk.length);
    check(Buffer.compare(chunk, expected) === 0, "the bytes arrive as they were written");
  }

  /** What stands at this position: the source again and again. */
  #expected(at: number, length: number): Uint8Array {
    const from = at % this.#source.length;
    if (from + length <= this.#source.length) return this.#source.subarray(from, from + length);
    const rest = from + length - this.#source.length;
    return Buffer.concat([this.#source.subarray(from), this.#source.subarray(0, rest)]);
  }
}

async function timed(frames: number, work: () => void | Promise<void>): Promise<Cost> {
  const [from, before] = [process.hrtime.bigint(), process.cpuUsage()];
  await work();
  const wallUs = Number(process.hrtime.bigint() - from) / 1e3 / frames;
  const { user, system } = process.cpuUsage(before);
  return { wallUs, cpuUs: (user + system) / frames };
}

/** The work of all parties for so many frames, and nothing else. */
function computing(cellBytes: number, reader: ReaderName): (frames: number) => void {
  const frame = random.bytes(cellBytes - CELL_OVERHEAD_BYTES);
  checkedRecord(frame);
  const computeFrame = wholeFrame(frame, READERS[reader]);
  return (frames) => {
    for (let i = 0; i < frames; i++) computeFrame();
  };
}

const [name, provider, kib, reader] = process.argv.slice(2) as [
  PartyName,
  ProviderName,
  string,
  ReaderName,
];
useProvider(installed(provider));
const cellBytes = Number(kib) * 1_024;
const conduit = name === "stream" ? new Conduit(cellBytes, reader) : undefined;
const work = conduit ? (frames: number) => conduit.carry(frames) : computing(cellBytes, reader);

process.on("message", async ({ frames }: Frames) => {
  process.send?.(await timed(frames, () => work(frames)));
});
process.on("disconnect", async () => {
  await conduit?.close();
  process.exit(0);
});
