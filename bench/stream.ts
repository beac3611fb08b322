/**
 * A stream over a memory Map with capabilities, all parties on one core: how many frames a second
 * reach the reading application, as a ratio to what the same run can compute (`ceilings.ts`).
 *
 * Run: `npm run -s bench -- stream`, or with a provider and sizes in KiB:
 * `node bench/dist/bench/stream.js node 1 8`.
 */
import { once } from "node:events";
import { SeededRandom } from "../src/base/index.ts";
import { CELL_OVERHEAD_BYTES, ReadCapability, useProvider } from "../src/crypto/index.ts";
import { systemClock } from "../src/io/clock.ts";
import { defer } from "../src/io/defer.ts";
import { nativeSigner } from "../src/io/native-signer.ts";
import { localCarrier, MapClient, MapService, MemoryRecordStore } from "../src/mapservice/index.ts";
import { payloadBytesMax } from "../src/stream/frame/frame.ts";
import { generateCapability, generateSecret, Stream } from "../src/stream/index.ts";
import { checkedRecord, READERS, wholeFrame } from "./frame-work.ts";
import { atLeast, check, printTable, type Verdict, writeResults } from "./harness.ts";
import { installed, NATIVE_PROVIDERS } from "./providers.ts";
import { UNLIMITED } from "./unlimited.ts";

const ASKED: readonly { kib: number; ratio: number }[] = [
  { kib: 1, ratio: 0.7 },
  { kib: 8, ratio: 0.8 },
  { kib: 32, ratio: 0.8 },
];
const ROUNDS = 9;
/**
 * Carried, and computed, before anything is timed. The work of a stream is spread over some
 * hundred functions: of each thousand frames the first has 94 to 130 of them compiled, the second
 * 58 to 115, the third and the fourth 33 to 49, the sixth 10.
 */
const WARM_FRAMES = 6_144;
/**
 * How long a sample runs, about: long enough that each has its share of the collector's work, most
 * of which is done once for some thousand frames, and short enough that some are not disturbed.
 */
const SAMPLE_MS = 800;
/**
 * What was put lives for two seconds, and is swept soon after: a Map that has run for a while takes
 * the memory of what has expired, and gets none from the kernel, which may cost more than a frame.
 */
const LIFE = { ttlSeconds: 2 };
const MAP_LIMITS = { ...UNLIMITED, sweepMs: 100, ttlSecondsMin: 1 };

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

  constructor(cellBytes: number, reader: keyof typeof READERS) {
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

  /** Sends so many full frames and waits until the reader has taken, and compared, every byte. */
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
        const expected = this.#expected(this.#received, chunk.length);
        check(Buffer.compare(chunk, expected) === 0, "the bytes arrive as they were written");
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

  /** What stands at this position: the source again and again. */
  #expected(at: number, length: number): Uint8Array {
    const from = at % this.#source.length;
    if (from + length <= this.#source.length) return this.#source.subarray(from, from + length);
    const rest = from + length - this.#source.length;
    return Buffer.concat([this.#source.subarray(from), this.#source.subarray(0, rest)]);
  }
}

/** What one frame took: microseconds on the clock, and of this process on any processor. */
interface Cost {
  readonly wallUs: number;
  readonly cpuUs: number;
}

async function timed(frames: number, work: () => void | Promise<void>): Promise<Cost> {
  const [from, before] = [process.hrtime.bigint(), process.cpuUsage()];
  await work();
  const wallUs = Number(process.hrtime.bigint() - from) / 1e3 / frames;
  const { user, system } = process.cpuUsage(before);
  return { wallUs, cpuUs: (user + system) / frames };
}

/** The least disturbed samples: whatever else the machine does only ever adds. */
function leastCost(costs: readonly Cost[]): Cost {
  return {
    wallUs: Math.min(...costs.map(({ wallUs }) => wallUs)),
    cpuUs: Math.min(...costs.map(({ cpuUs }) => cpuUs)),
  };
}

async function compare(
  kib: number,
  reader: keyof typeof READERS,
): Promise<{ ceiling: Cost; stream: Cost }> {
  const cellBytes = kib * 1024;
  const frame = random.bytes(cellBytes - CELL_OVERHEAD_BYTES);
  checkedRecord(frame);
  const computeFrame = wholeFrame(frame, READERS[reader]);
  const compute = (frames: number): void => {
    for (let i = 0; i < frames; i++) computeFrame();
  };
  const conduit = new Conduit(cellBytes, reader);
  // One byte of the first frame is the mode; what is left over stays behind for the last one.
  await conduit.carry(WARM_FRAMES);
  const { wallUs: guessUs } = await timed(WARM_FRAMES, () => compute(WARM_FRAMES));
  const frames = Math.max(Math.round((SAMPLE_MS * 1e3) / guessUs / 16) * 16, 64);
  const [ceilings, streams]: [Cost[], Cost[]] = [[], []];
  for (let round = 0; round < ROUNDS; round++) {
    ceilings.push(await timed(frames, () => compute(frames)));
    streams.push(await timed(frames, () => conduit.carry(frames)));
  }
  await conduit.close();
  return { ceiling: leastCost(ceilings), stream: leastCost(streams) };
}

async function main(): Promise<void> {
  const [wanted, ...sizes] = process.argv.slice(2);
  const rows: Record<string, string | number>[] = [];
  const verdicts: Verdict[] = [];
  for (const name of NATIVE_PROVIDERS.filter((each) => wanted === undefined || each === wanted)) {
    useProvider(installed(name));
    for (const { kib, ratio: asked } of ASKED) {
      if (sizes.length > 0 && !sizes.includes(String(kib))) continue;
      for (const reader of ["secret", "capability"] as const) {
        const { ceiling, stream } = await compare(kib, reader);
        const ratio = ceiling.cpuUs / stream.cpuUs;
        rows.push({
          provider: name,
          reader,
          kib,
          "ceiling, us": ceiling.cpuUs,
          "stream, us": stream.cpuUs,
          "stream, frames/s": 1e6 / stream.cpuUs,
          "MB/s": payloadBytesMax(kib * 1024) / stream.cpuUs,
          ratio,
          "by the clock": ceiling.wallUs / stream.wallUs,
        });
        const what = `${name}, by ${reader}: stream over its ceiling, ${kib} KiB`;
        verdicts.push(atLeast(what, ratio, asked));
      }
    }
  }
  printTable("a stream over a Map in memory, all parties on one core, a frame", rows);
  writeResults("stream", rows, verdicts);
}

await main();
