/**
 * One network of `bench/dht-sizes.ts`, in a process of its own: what one leaves behind is not
 * counted to the next. Does what its parent asks for, which lets the networks take turns.
 *
 * Arguments: the party, how many nodes, how many values, and how many more are put and got before
 * anything is counted.
 */
import { memoryUsage } from "node:process";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { equalBytes } from "../src/base/index.ts";
import { bittorrentParty, culvertParty, hyperParty, type Party } from "./dht-parties.ts";
import { type SilentSamples, sampledInSilence } from "./dht-silence.ts";
import { contentOf, type Sample, sampled } from "./dht-timing.ts";
import { check } from "./harness.ts";
import { kadParty } from "./kad-party.ts";

/** What is to be done: some operations, or telling what they came to, or the last thing. */
export type SizeWish =
  | { readonly what: "put" | "get"; readonly from: number; readonly count: number }
  /** Requests that the one who gets has sent so far, or null if the party does not tell. */
  | { readonly what: "requests" }
  /** KB of the JS heap of each node, its links included: not between what is timed. */
  | { readonly what: "heap" }
  | { readonly what: "silence" };

export type SizeReply = Sample | number | null | SilentSamples;

const STARTS: Readonly<Record<string, (nodes: number) => Promise<Party>>> = {
  "culvert, 12 replicas": (nodes) => culvertParty(nodes, 12),
  hyperdht: hyperParty,
  "bittorrent-dht": bittorrentParty,
  "kad-dht": kadParty,
};

const [name = "", ...numbers] = process.argv.slice(2);
const [nodes = 0, values = 0, warm = 0] = numbers.map(Number);
const start = STARTS[name];
if (start === undefined) throw new RangeError(`no party is called ${name}`);
const heapBefore = heapBytes();
const party = await start(nodes);

async function put(number: number): Promise<boolean> {
  await party.put(number, contentOf(number));
  return true;
}

async function get(number: number): Promise<boolean> {
  const bytes = await party.get(number);
  return bytes !== undefined && equalBytes(bytes, contentOf(number));
}

async function done(wish: SizeWish): Promise<SizeReply> {
  switch (wish.what) {
    case "put":
      return await sampled(put, wish);
    case "get":
      return await sampled(get, wish);
    case "requests":
      return party.requestsOfGetter?.() ?? null;
    case "heap":
      return (heapBytes() - heapBefore) / 1_024 / nodes;
    case "silence":
      return await sampledInSilence({ party, nodes, values }, get);
  }
}

/** Collects garbage, which costs the engine some of the code that it has compiled. */
function heapBytes(): number {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  collect();
  return memoryUsage().heapUsed;
}

for (let number = 0; number < values + warm; number++) party.prepare(number);
for (let number = values; number < values + warm; number++) {
  check((await put(number)) && (await get(number)), `${name} keeps a value`);
}
process.on("message", async (wish: SizeWish) => process.send?.(await done(wish)));
// Peers leave timers behind that would keep the process for minutes.
process.on("disconnect", () => process.exit());
process.send?.("ready");
