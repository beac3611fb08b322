import { readFileSync } from "node:fs";
import { Session } from "node:inspector/promises";
import process from "node:process";

/** Which rooms and packages belong to a layer; what is none of them is told as "the rest". */
const LAYERS: readonly (readonly [layer: string, places: RegExp])[] = [
  ["crypto", /\/src\/crypto\/|@noble\/|sodium-native|noise-curve|native-signer/],
  ["links", /\/src\/link\/|udx-native|noise-handshake|\/src\/io\/(udp|tcp|byte-connection)/],
  ["onion", /\/src\/onion\/|\/src\/node\/onion/],
  ["requests", /\/src\/rpc\/|\/src\/node\/requests/],
  ["dht and map", /\/src\/(dht|mapservice)\/|\/src\/node\/|abstract-level|classic-level/],
  ["stream", /\/src\/(stream|retx|transport)\//],
];

/** What no layer has asked for. */
const COLLECTION = "garbage collection";
const REST = "the rest";

const TICK_US = 10_000;

interface ProfileNode {
  readonly id: number;
  readonly callFrame: { readonly functionName: string; readonly url: string };
  readonly children?: readonly number[] | undefined;
}

/**
 * Where the main thread of this process is: samples, each counted for the innermost function that
 * belongs to a layer. A profile costs time itself, so only the shares mean something.
 */
export class LayerProfile {
  readonly #session = new Session();

  async start(): Promise<void> {
    this.#session.connect();
    await this.#session.post("Profiler.enable");
    await this.#session.post("Profiler.setSamplingInterval", { interval: 1_000 });
    await this.#session.post("Profiler.start");
  }

  /** Share of the time since the start in which the thread was not idle, by layer. */
  async stop(): Promise<Readonly<Record<string, number>>> {
    const { profile } = await this.#session.post("Profiler.stop");
    this.#session.disconnect();
    const { nodes, samples = [], timeDeltas = [] } = profile;
    const layerOf = layersOf(nodes);
    const times: Record<string, number> = {};
    let sum = 0;
    for (const [i, id] of samples.entries()) {
      const layer = layerOf.get(id);
      if (layer === undefined) continue;
      const us = Math.max(timeDeltas[i] ?? 0, 0);
      times[layer] = (times[layer] ?? 0) + us;
      sum += us;
    }
    return Object.fromEntries(Object.entries(times).map(([layer, us]) => [layer, us / sum]));
  }
}

/** The layer of each function of the profile as it was called there; idle time has none. */
function layersOf(nodes: readonly ProfileNode[]): Map<number, string> {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const layers = new Map<number, string>();
  const [root] = nodes;
  const waiting: (readonly [ProfileNode, string])[] = root === undefined ? [] : [[root, REST]];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const [node, caller] = next;
    const { functionName, url } = node.callFrame;
    const own = functionName === "(garbage collector)" ? COLLECTION : layerOfUrl(url);
    // Node's own functions work for whoever has called them.
    const layer = own ?? caller;
    if (functionName !== "(idle)" && functionName !== "(program)") layers.set(node.id, layer);
    for (const id of node.children ?? []) {
      const child = byId.get(id);
      if (child !== undefined) waiting.push([child, layer]);
    }
  }
  return layers;
}

function layerOfUrl(url: string): string | undefined {
  if (url === "" || url.startsWith("node:")) return undefined;
  return LAYERS.find(([, places]) => places.test(url))?.[0];
}

/** Processor time of this process since its start, in microseconds. */
export interface ThreadTimes {
  /** Of the thread that runs JavaScript, where the kernel tells it apart; otherwise of all. */
  readonly mainUs: number;
  readonly allUs: number;
}

/** What the kernel has counted. */
export function threadTimes(): ThreadTimes {
  const { user, system } = process.cpuUsage();
  const allUs = user + system;
  try {
    const stat = readFileSync(`/proc/self/task/${process.pid}/stat`, "utf8");
    // After the name, which may hold anything: fields 3, 4, …; user time is the 14th.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const ticks = Number(fields[11]) + Number(fields[12]);
    return { mainUs: Math.min(ticks * TICK_US, allUs), allUs };
  } catch {
    return { mainUs: allUs, allUs };
  }
}
