/**
 * One process of a benchmark with several: a Map server, or one end of a stream over its socket.
 * `Parties` of `parties.ts` starts it and talks to it.
 */
import { connectMap, MapClient, startMapServer } from "../src/mapservice/index.ts";
import { Stream } from "../src/stream/index.ts";
import { readKnown, writeKnown } from "./known-bytes.ts";
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
  readonly kind: "write" | "read" | "sample" | "collect" | "watch";
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
}

async function serveMap(): Promise<void> {
  const { socket, cellBytes, directory } = config;
  const listen = [`unix:${socket}`];
  const where = directory === undefined ? {} : { directory };
  await startMapServer({ listen, payloadSize: cellBytes, ...where });
  process.on("message", ({ kind }: PartyOrder) => {
    if (kind === "collect") collect();
    else if (kind === "watch") watch.reset();
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
    await (isWriter ? writeKnown : readKnown)(stream, from, bytes);
  };
  process.on("message", async ({ kind, bytes }: PartyOrder) => {
    if (kind === "write" || kind === "read") await carry(bytes);
    else if (kind === "collect") collect();
    else if (kind === "watch") watch.reset();
    process.send?.(sample(isWriter ? stream.bytesWritten : stream.bytesRead));
  });
}

setInterval(() => sample(0), 50).unref();
await (config.role === "map" ? serveMap() : runStream());
if (config.isWatched) watch.start();
process.send?.("ready");
process.once("disconnect", () => process.exit());
