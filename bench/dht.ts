/**
 * Our DHT beside hyperdht and bittorrent-dht in one run: networks of real sockets on the loopback,
 * all nodes in this process, one network after the other; signed values of 900 bytes put by one
 * client and got by another, then got again after 25 % and 50 % of the nodes have fallen silent.
 * CPU is that of client and nodes together. Ours speaks over sealed links, the others in the clear.
 *
 * Then the same at a loss of a tenth of all packets, if this process may make a network namespace
 * of its own, in which the kernel drops them. Larger networks: `bench/dht-sizes.ts`.
 *
 * Run: `npx tsx bench/dht.ts [--nodes 20] [--values 500] [--party culvert]`.
 */
import { writeFileSync } from "node:fs";
import { equalBytes } from "../src/base/index.ts";
import { misused, optionsOf, wholeNumber } from "./command-line.ts";
import { bittorrentParty, culvertParty, hyperParty, type Party } from "./dht-parties.ts";
import { HALF_SILENT, sampledInSilence, silentRows } from "./dht-silence.ts";
import { contentOf, type Row, timed } from "./dht-timing.ts";
import { atLeast, check, printTable, type Verdict, writeResults } from "./harness.ts";
import {
  hasNamespaces,
  loseNothing,
  losePackets,
  openLoopback,
  runInNamespace,
} from "./lossy-namespace.ts";

/** Puts and gets before anything is timed: caches and code are warm, and the answers are right. */
const WARM = 100;
/** Values of a network that loses packets: each takes others seconds. */
const LOSSY_VALUES = 60;
const LOSS = 0.1;
const PUT_LOSSY = "put, a tenth lost";

const USAGE = "npx tsx bench/dht.ts [--nodes 20] [--values 500] [--party culvert]";
const OPTIONS = {
  nodes: { type: "string", default: "20" },
  values: { type: "string", default: "500" },
  /** Only these, and no verdicts. */
  party: { type: "string", multiple: true },
  /** Only what is measured with loss, in a namespace of its own; set by the process itself. */
  "lossy-to": { type: "string" },
} as const;
const words = optionsOf(OPTIONS, USAGE);
const parties = words.party ?? [];
const bounds = { max: 100_000, usage: USAGE };
const nodes = wholeNumber(words.nodes, { name: "--nodes", min: 4, ...bounds });
const { "lossy-to": lossyTo } = words;
const valuesWanted = wholeNumber(words.values, { name: "--values", min: 1, ...bounds });
const values = lossyTo === undefined ? valuesWanted : LOSSY_VALUES;

interface Contender {
  readonly name: string;
  readonly start: () => Promise<Party>;
}

const CONTENDERS: readonly Contender[] = [
  { name: "culvert", start: () => culvertParty(nodes, 20) },
  { name: "culvert, 12 replicas", start: () => culvertParty(nodes, 12) },
  { name: "hyperdht", start: () => hyperParty(nodes) },
  { name: "bittorrent-dht", start: () => bittorrentParty(nodes) },
];

async function measureParty({ name, start }: Contender): Promise<Row[]> {
  const party = await start();
  const put = async (number: number): Promise<boolean> => {
    await party.put(number, contentOf(number));
    return true;
  };
  const get = async (number: number): Promise<boolean> => {
    const bytes = await party.get(number);
    check(
      bytes === undefined || equalBytes(bytes, contentOf(number)),
      `${name} gives what was put`,
    );
    return bytes !== undefined;
  };
  for (let number = 0; number < values + WARM; number++) party.prepare(number);
  for (let number = values; number < values + WARM; number++) {
    check((await put(number)) && (await get(number)), `${name} keeps a value`);
  }
  if (lossyTo !== undefined) losePackets(LOSS);
  const measure = lossyTo === undefined ? measureSilence : measureLoss;
  const rows = await measure(name, { party, put, get });
  if (lossyTo !== undefined) loseNothing();
  await party.close();
  return rows;
}

interface Operations {
  readonly party: Party;
  readonly put: (number: number) => Promise<boolean>;
  readonly get: (number: number) => Promise<boolean>;
}

/** All nodes live; then a part of them falls silent, and a larger one. */
async function measureSilence(name: string, { party, put, get }: Operations): Promise<Row[]> {
  const all = { count: values };
  const rows = [
    await timed({ name, what: "put" }, put, all),
    await timed({ name, what: "get" }, get, all),
  ];
  check(
    rows.every((row) => row["success %"] === 100),
    `${name} keeps every value while all nodes live`,
  );
  return [...rows, ...silentRows(name, [await sampledInSilence({ party, nodes, values }, get)])];
}

/** One at a time, or it would be the time of this one processor that is measured. */
async function measureLoss(name: string, { put, get }: Operations): Promise<Row[]> {
  return [
    await timed({ name, what: PUT_LOSSY }, put, { count: values }),
    await timed({ name, what: "get, a tenth lost" }, get, { count: values }),
  ];
}

async function measureAll(): Promise<Row[]> {
  const rows: Row[] = [];
  for (const contender of CONTENDERS) {
    if (parties.length > 0 && !parties.includes(contender.name)) continue;
    const measured = await measureParty(contender);
    printTable(contender.name, measured);
    rows.push(...measured);
  }
  return rows;
}

/** What is asked, of the rows that were measured. */
function judge(rows: readonly Row[]): Verdict[] {
  const figure = (name: string, what: string, column: string): number =>
    Number(rows.find((row) => row.name === name && row.what === what)?.[column]);
  const overHyper = (what: string, column: string, own = "culvert"): number =>
    figure("hyperdht", what, column) / figure(own, what, column);
  const overBest = (what: string, column: string): number =>
    Math.min(...["hyperdht", "bittorrent-dht"].map((name) => figure(name, what, column))) /
    figure("culvert", what, column);
  const verdicts = [
    atLeast("get, median, hyperdht over ours", overHyper("get", "median ms"), 3),
    atLeast("get, CPU, hyperdht over ours", overHyper("get", "CPU ms"), 3),
    atLeast(
      "signed put to 12 replicas, CPU, hyperdht over ours",
      overHyper("put", "CPU ms", "culvert, 12 replicas"),
      1.4,
    ),
    atLeast(
      "get after 50 % fell silent, success %",
      figure("culvert", HALF_SILENT, "success %"),
      99.9,
    ),
  ];
  if (!rows.some(({ what }) => what === PUT_LOSSY)) return verdicts;
  return [
    ...verdicts,
    atLeast(
      "put, a tenth lost, median, best peer over ours",
      overBest(PUT_LOSSY, "median ms"),
      100,
    ),
    atLeast("put, a tenth lost, p95, best peer over ours", overBest(PUT_LOSSY, "p95 ms"), 9),
  ];
}

async function main(): Promise<void> {
  const unknown = parties.find((name) => CONTENDERS.every((one) => one.name !== name));
  if (unknown !== undefined) misused(`no party is called ${unknown}`, USAGE);
  if (lossyTo !== undefined) {
    openLoopback();
    writeFileSync(lossyTo, JSON.stringify(await measureAll()));
    return;
  }
  const rows = await measureAll();
  if (parties.length > 0) return;
  if (hasNamespaces()) {
    const measured = runInNamespace("--nodes", String(nodes), "--lossy-to");
    rows.push(...(JSON.parse(measured) as Row[]));
  } else console.log("no row with loss: this process may make no network namespace");
  printTable(`${values} values of 900 bytes, signed; ${nodes} nodes, loopback`, rows);
  writeResults("dht", { nodes, values, rows }, judge(rows));
}

await main();
// Peers leave timers behind that would keep the process for minutes.
process.exit();
