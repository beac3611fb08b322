/**
 * Puts and gets in networks of 50 and 100 nodes, side by side, what a node takes, and gets once
 * nodes are silent. Each network has a process of its own: what one leaves behind is not counted to
 * the next.
 */
import { execFileSync } from "node:child_process";
import { memoryUsage } from "node:process";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { equalBytes } from "../src/base/index.ts";
import { bittorrentParty, culvertParty, hyperParty, type Party } from "./dht-parties.ts";
import { HALF_SILENT, timedInSilence } from "./dht-silence.ts";
import { contentOf, type Row, timed } from "./dht-timing.ts";
import { atLeast, atMost, check, printTable, type Verdict } from "./harness.ts";

const SIZES = [50, 100] as const;
const LARGEST = 100;
const VALUES = 500;
const WARM = 100;

/** What one kind of operation came to in a network of so many nodes. */
export interface SizeRow extends Row {
  readonly nodes: number;
  /** Requests of one get, where the party tells. */
  readonly requests: number | string;
  /** JS heap of each node, its links included, once all values are kept. */
  readonly "heap KB": number;
}

const OURS = "culvert, 12 replicas";
const PEERS = ["hyperdht", "bittorrent-dht"] as const;
const STARTS: Readonly<Record<string, (nodes: number) => Promise<Party>>> = {
  [OURS]: (nodes) => culvertParty(nodes, 12),
  hyperdht: hyperParty,
  "bittorrent-dht": bittorrentParty,
};

/** One network after the other; a party that gives a wrong value, or none, ends the benchmark. */
export function measureSizes(): SizeRow[] {
  const rows: SizeRow[] = [];
  for (const nodes of SIZES) {
    for (const name of Object.keys(STARTS)) {
      const program = [...process.execArgv, process.argv[1] ?? ""];
      const words = ["--nodes", String(nodes), "--size-of", name];
      const stdio = ["ignore", "pipe", "inherit"] as const;
      const said = execFileSync(process.execPath, [...program, ...words], { stdio: [...stdio] });
      const measured = JSON.parse(said.toString()) as SizeRow[];
      printTable(`${name}, ${nodes} nodes`, measured);
      rows.push(...measured);
    }
  }
  return rows;
}

/** In the process of one network. */
export async function measureSize(name: string, nodes: number): Promise<SizeRow[]> {
  const start = STARTS[name];
  if (start === undefined) throw new RangeError(`no party is called ${name}`);
  const heapBefore = heapBytes();
  const party = await start(nodes);
  const put = async (number: number): Promise<boolean> => {
    await party.put(number, contentOf(number));
    return true;
  };
  const get = async (number: number): Promise<boolean> => {
    const bytes = await party.get(number);
    return bytes !== undefined && equalBytes(bytes, contentOf(number));
  };
  for (let number = 0; number < VALUES + WARM; number++) party.prepare(number);
  for (let number = VALUES; number < VALUES + WARM; number++) {
    check((await put(number)) && (await get(number)), `${name} keeps a value`);
  }
  const puts = await timed({ name, what: "put" }, put, { count: VALUES });
  const requestsBefore = party.requestsOfGetter?.() ?? Number.NaN;
  const gets = await timed({ name, what: "get" }, get, { count: VALUES });
  const requests = ((party.requestsOfGetter?.() ?? Number.NaN) - requestsBefore) / VALUES;
  check(puts["success %"] + gets["success %"] === 200, `${name} keeps every value`);
  const heap = (heapBytes() - heapBefore) / 1_024 / nodes;
  const silent = await timedInSilence({ name, party, nodes }, get);
  await party.close();
  const more = { nodes, "heap KB": heap };
  const told = Number.isNaN(requests) ? "–" : requests;
  return [
    { ...puts, ...more, requests: "–" },
    { ...gets, ...more, requests: told },
    ...silent.map((row) => ({ ...row, ...more, requests: "–" })),
  ];
}

/** What is asked of larger networks. */
export function judgeSizes(rows: readonly SizeRow[]): Verdict[] {
  const figure = (nodes: number, name: string, what: string, column: string): number =>
    Number(rows.find((r) => r.nodes === nodes && r.name === name && r.what === what)?.[column]);
  const over = (nodes: number, what: string, column: string): number =>
    figure(nodes, "hyperdht", what, column) / figure(nodes, OURS, what, column);
  const perSize = SIZES.flatMap((nodes) => [
    atLeast(`${nodes} nodes: get, median, hyperdht over ours`, over(nodes, "get", "median ms"), 3),
    atLeast(`${nodes} nodes: get, CPU, hyperdht over ours`, over(nodes, "get", "CPU ms"), 3),
    atLeast(`${nodes} nodes: signed put, CPU, the same`, over(nodes, "put", "CPU ms"), 1.4),
  ]);
  const largest = (what: string, column: string, name = OURS): number =>
    figure(LARGEST, name, what, column);
  const best = Math.min(...PEERS.map((name) => largest(HALF_SILENT, "p99 ms", name)));
  return [
    ...perSize,
    atMost(`${LARGEST} nodes: requests of a get`, largest("get", "requests"), 4),
    atLeast(
      `${LARGEST} nodes, half of them silent: success % of a get`,
      largest(HALF_SILENT, "success %"),
      99.9,
    ),
    atLeast(
      `${LARGEST} nodes, half of them silent: get, p99, best peer over ours`,
      best / largest(HALF_SILENT, "p99 ms"),
      50,
    ),
  ];
}

function heapBytes(): number {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  collect();
  return memoryUsage().heapUsed;
}
