/**
 * One process of a benchmark of the whole road: a node, or a client with one end of a stream.
 * `RoadParties` of `road-parties.ts` starts it and talks to it.
 */
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { SeededRandom } from "../src/base/index.ts";
import { rootPublicKey } from "../src/crypto/index.ts";
import { parseListenAddress, parseNodeContact } from "../src/identity/index.ts";
import { collectEarly } from "../src/io/collector.ts";
import {
  type ClientOptions,
  type NetworkClient,
  NODE_DEFAULTS,
  openClient,
  startNode,
} from "../src/node/index.ts";
import { Stream } from "../src/stream/index.ts";
import type { Transport } from "../src/transport/index.ts";
import { check, median } from "./harness.ts";
import { readKnown, writeKnown } from "./known-bytes.ts";
import { LayerProfile, type ThreadTimes, threadTimes } from "./layer-profile.ts";

/** What a party is told at its start, as JSON in its first argument. */
export interface RoadPartyConfig {
  readonly role: "node" | "client";
  /** Nodes to begin with; the first node has none. */
  readonly nodes: readonly string[];
  /** Of a node: where it keeps what it has to. */
  readonly directory?: string;
  /** Of a client. */
  readonly via?: ClientOptions["via"];
}

/** What a party can be asked for; one order at a time. */
export type RoadOrder =
  /** Opens an end of a new stream. */
  | { readonly kind: "open"; readonly secret: string; readonly role: "listen" | "dial" }
  | { readonly kind: "write" | "read"; readonly bytes: number }
  /** Ends it in order, once the other end does too: it leaves nothing behind. */
  | { readonly kind: "close" }
  /** Measures the round trip of one request: a get of what is there. */
  | { readonly kind: "request"; readonly rounds: number }
  | { readonly kind: "sample" | "profile" | "profiled" };

/** What a party answers. */
export interface RoadAnswer extends ThreadTimes {
  /** On the clock that all processes of a machine share, when an order began and was done. */
  readonly fromMs: number;
  readonly toMs: number;
  readonly rssBytes: number;
  /** The most that it ever was. */
  readonly rssPeakBytes: number;
  /** Of `request`: the median, milliseconds. */
  readonly roundTripMs?: number;
  /** Of `profiled`: shares of the main thread's time by layer. */
  readonly layers?: Readonly<Record<string, number>>;
  /** Of a node: how others join by it. */
  readonly contact?: string;
  readonly error?: string;
}

const config: RoadPartyConfig = JSON.parse(process.argv[2] ?? "{}");
const profile = new LayerProfile();

const nowMs = (): number => Number(process.hrtime.bigint()) / 1e6;

/** A client, and the end of a stream that it has open. */
class Client {
  readonly #network: NetworkClient;
  #stream: Stream | undefined;
  #map: Transport | undefined;
  #carried = 0;

  constructor(network: NetworkClient) {
    this.#network = network;
  }

  async open(secret: string, role: "listen" | "dial"): Promise<void> {
    this.#carried = 0;
    this.#stream = Stream[role](this.#network.transport(), Buffer.from(secret, "base64"));
    this.#stream.on("error", () => {});
  }

  async write(bytes: number): Promise<void> {
    await writeKnown(this.#open, this.#carried, bytes);
    this.#carried += bytes;
  }

  async read(bytes: number): Promise<void> {
    await readKnown(this.#open, this.#carried, bytes);
    this.#carried += bytes;
  }

  async close(): Promise<void> {
    const stream = this.#open;
    this.#stream = undefined;
    stream.resume().end();
    await once(stream, "close");
  }

  /** Over one transport, as a stream asks: its circuits are there from the second request on. */
  async roundTripMs(rounds: number): Promise<number> {
    const random = new SeededRandom(process.pid);
    const frame = randomBytes(32);
    this.#map ??= bindAny(this.#network);
    const cell = random.bytes(this.#map.payloadSize);
    await this.#map.put(frame, cell, { ttlSeconds: 600 });
    const times: number[] = [];
    for (let i = 0; i <= rounds; i++) {
      const from = nowMs();
      const got = await this.#map.get(frame, { waitMs: 0 });
      times.push(nowMs() - from);
      check(Buffer.compare(got, cell) === 0, "the record is another");
    }
    return median(times.slice(1)); // the first one may have waited for a circuit
  }

  get #open(): Stream {
    if (this.#stream === undefined) throw new Error("no stream is open");
    return this.#stream;
  }
}

/** The Map under keys that nobody else has. */
function bindAny(network: NetworkClient): Transport {
  const writeSeed = randomBytes(32);
  return network.transport().bind({ writeSeed, readRoot: rootPublicKey(writeSeed) });
}

async function obey(client: Client | undefined, order: RoadOrder): Promise<Partial<RoadAnswer>> {
  switch (order.kind) {
    case "open":
      await client?.open(order.secret, order.role);
      return {};
    case "write":
      await client?.write(order.bytes);
      return {};
    case "read":
      await client?.read(order.bytes);
      return {};
    case "close":
      await client?.close();
      return {};
    case "request":
      return { roundTripMs: (await client?.roundTripMs(order.rounds)) ?? Number.NaN };
    case "profile":
      await profile.start();
      return {};
    case "profiled":
      return { layers: await profile.stop() };
    default:
      return {};
  }
}

async function answer(work: () => Promise<Partial<RoadAnswer>>): Promise<void> {
  const fromMs = nowMs();
  const facts = await work().catch((error: unknown) => ({ error: String(error) }));
  const rssBytes = process.memoryUsage.rss();
  const rssPeakBytes = process.resourceUsage().maxRSS * 1_024;
  const now = { toMs: nowMs(), rssBytes, rssPeakBytes, ...threadTimes() };
  process.send?.({ fromMs, ...now, ...facts } satisfies RoadAnswer);
}

async function main(): Promise<void> {
  const bootstrap = config.nodes.map(parseNodeContact);
  let client: Client | undefined;
  let contact = "";
  if (config.role === "node") {
    const { directory } = config;
    const listen = ["udp://127.0.0.1:0", "tcp://127.0.0.1:0"].map(parseListenAddress);
    collectEarly(); // as `culvert node` does
    const node = await startNode({ ...NODE_DEFAULTS, directory, listen, bootstrap });
    await node.joined;
    [contact = ""] = node.contacts;
  } else {
    client = new Client(await openClient({ bootstrap, via: config.via ?? "onion" }));
  }
  process.on("message", (order: RoadOrder) => void answer(() => obey(client, order)));
  await answer(async () => ({ contact }));
}

process.once("disconnect", () => process.exit());
await main();
