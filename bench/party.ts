/**
 * One process of a benchmark with several: a Map server, or one end of a stream over its socket.
 * `Parties` of `parties.ts` starts it and talks to it.
 */
import { once } from "node:events";
import { SeededRandom } from "../src/base/index.ts";
import { connectMap, MapClient, startMapServer } from "../src/mapservice/index.ts";
import { Stream } from "../src/stream/index.ts";
import { check } from "./harness.ts";
import { LoopWatch } from "./loop-watch.ts";

/** What a party is told at its start, as JSON in its first argument. */
export interface PartyConfig {
  readonly role: "map" | "writer" | "reader";
  readonly socket: string;
  readonly cellBytes: number;
  /** Base64; of no use to the Map. */
  readonly secret: string;
  /** Where the Map keeps its records; in memory without it. */
  readonly directory?: string;
  /** Whether the steps of the event loop are timed. */
  readonly isWatched: boolean;
}

/** What a party can be asked for; it answers each with a {@link PartySample}. */
export interface PartyOrder {
  readonly kind: "write" | "read" | "sample" | "collect";
  readonly bytes: number;
}

/** How a party is doing. */
export interface PartySample {
  readonly rssBytes: number;
  /** The most that a look every 50 ms has seen since the last `collect`. */
  readonly rssPeakBytes: number;
  /** Objects and buffers; what is garbage only after `collect` is left out. */
  readonly heldBytes: number;
  /** Bytes that the stream has accepted, or given to the application. */
  readonly carriedBytes: number;
  readonly longestStepMs: number;
}

const SOURCE = new SeededRandom(1).bytes(2 ** 20);
const CHUNK_BYTES = 64 * 1_024;

const config: PartyConfig = JSON.parse(process.argv[2] ?? "{}");
const watch = new LoopWatch();
let rssPeakBytes = 0;

function sample(carriedBytes: number): PartySample {
  const { rss, heapUsed, external } = process.memoryUsage();
  rssPeakBytes = Math.max(rssPeakBytes, rss);
  const heldBytes = heapUsed + external;
  return { rssBytes: rss, rssPeakBytes, heldBytes, carriedBytes, longestStepMs: watch.longestMs };
}

function collect(): void {
  for (let i = 0; i < 3; i++) globalThis.gc?.();
  rssPeakBytes = 0;
  watch.reset();
}

async function write(stream: Stream, from: number, bytes: number): Promise<void> {
  for (let at = from; at < from + bytes; ) {
    const begin = at % SOURCE.length;
    const length = Math.min(CHUNK_BYTES, SOURCE.length - begin, from + bytes - at);
    at += length;
    if (!stream.write(SOURCE.subarray(begin, begin + length))) await once(stream, "drain");
  }
}

/** Reads so many bytes, comparing each with what was written there. */
async function read(stream: Stream, from: number, bytes: number): Promise<void> {
  for (let at = from; at < from + bytes; ) {
    const wanted = Math.min(stream.readableLength, from + bytes - at);
    const chunk: unknown = wanted > 0 ? stream.read(wanted) : null;
    if (!(chunk instanceof Uint8Array)) {
      stream.read(0);
      if (stream.readableLength === 0) await once(stream, "readable");
      continue;
    }
    for (let done = 0; done < chunk.length; ) {
      const begin = (at + done) % SOURCE.length;
      const length = Math.min(SOURCE.length - begin, chunk.length - done);
      const expected = SOURCE.subarray(begin, begin + length);
      check(Buffer.compare(chunk.subarray(done, done + length), expected) === 0, "bytes differ");
      done += length;
    }
    at += chunk.length;
  }
}

async function serveMap(): Promise<void> {
  const { socket, cellBytes, directory } = config;
  const listen = [`unix:${socket}`];
  const where = directory === undefined ? {} : { directory };
  await startMapServer({ listen, payloadSize: cellBytes, ...where });
  process.on("message", ({ kind }: PartyOrder) => {
    if (kind === "collect") collect();
    process.send?.(sample(0));
  });
}

async function runStream(): Promise<void> {
  const transport = new MapClient(await connectMap(`unix:${config.socket}`));
  const secret = Buffer.from(config.secret, "base64");
  const isWriter = config.role === "writer";
  const stream = isWriter ? Stream.listen(transport, secret) : Stream.dial(transport, secret);
  let asked = 0;
  const carry = async (bytes: number): Promise<void> => {
    const from = asked;
    asked += bytes;
    await (isWriter ? write(stream, from, bytes) : read(stream, from, bytes));
  };
  process.on("message", async ({ kind, bytes }: PartyOrder) => {
    if (kind === "write" || kind === "read") await carry(bytes);
    else if (kind === "collect") collect();
    process.send?.(sample(isWriter ? stream.bytesWritten : stream.bytesRead));
  });
}

setInterval(() => sample(0), 50).unref();
await (config.role === "map" ? serveMap() : runStream());
if (config.isWatched) watch.start();
process.send?.("ready");
process.once("disconnect", () => process.exit());
