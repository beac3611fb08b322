/**
 * Our DHT beside hyperdht and bittorrent-dht in one run: networks of real sockets on the loopback,
 * all nodes in this process, one network after the other; signed values of 900 bytes put by one
 * client and got by another, then got again after 25 % and 50 % of the nodes have fallen silent.
 * CPU is that of client and nodes together. Ours speaks over sealed links, the others in the clear.
 *
 * Run: `npx tsx bench/dht.ts [--nodes 20] [--values 100]`.
 */
import { parseArgs } from "node:util";
import { equalBytes, SeededRandom } from "../src/base/index.ts";
import { bittorrentParty, culvertParty, hyperParty, type Party } from "./dht-parties.ts";
import { atLeast, check, printTable, writeResults } from "./harness.ts";

const VALUE_BYTES = 900;
/** What each network is asked first, untimed: its caches are warm, and its answers are right. */
const CHECKED = 5;
/** Gets in flight once nodes are silent: alone, each may wait for seconds. */
const TOGETHER = 20;
const SHARES = [0.25, 0.5] as const;

const { values: words } = parseArgs({
  options: {
    nodes: { type: "string", default: "20" },
    values: { type: "string", default: "100" },
  },
});
const [nodes, values] = [Number(words.nodes), Number(words.values)];

const contentOf = (number: number): Uint8Array => new SeededRandom(number).bytes(VALUE_BYTES);

/** What one kind of operation came to. */
interface Row extends Readonly<Record<string, string | number>> {
  readonly name: string;
  readonly what: string;
  readonly "success %": number;
  readonly "median ms": number;
  readonly "p95 ms": number;
  readonly "p99 ms": number;
  readonly "CPU ms": number;
}

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

/** Times one operation for every value; a false answer or an error is a failure. */
async function timed(
  label: { readonly name: string; readonly what: string },
  run: (number: number) => Promise<boolean>,
  inFlight = 1,
): Promise<Row> {
  const times: number[] = [];
  let [next, succeeded] = [0, 0];
  const cpu = process.cpuUsage();
  const worker = async (): Promise<void> => {
    while (next < values) {
      const number = next++;
      const from = performance.now();
      if (await run(number).catch(() => false)) succeeded += 1;
      times.push(performance.now() - from);
    }
  };
  await Promise.all(Array.from({ length: inFlight }, worker));
  const { user, system } = process.cpuUsage(cpu);
  times.sort((a, b) => a - b);
  const at = (share: number): number => times[Math.ceil(share * times.length) - 1] ?? Number.NaN;
  return {
    ...label,
    "success %": (100 * succeeded) / values,
    "median ms": at(0.5),
    "p95 ms": at(0.95),
    "p99 ms": at(0.99),
    "CPU ms": (user + system) / 1_000 / values,
  };
}

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
  for (let number = values; number < values + CHECKED; number++) {
    check((await put(number)) && (await get(number)), `${name} keeps a value`);
  }
  const rows = [await timed({ name, what: "put" }, put), await timed({ name, what: "get" }, get)];
  check(
    rows.every((row) => row["success %"] === 100),
    `${name} keeps every value while all nodes live`,
  );
  let silent = 0;
  for (const share of SHARES) {
    // Those who fall silent are taken from the end, and add up.
    silent = Math.floor(share * nodes);
    await party.silence(silent);
    const what = `get, ${100 * share} % silent`;
    rows.push(await timed({ name, what }, get, TOGETHER));
  }
  await party.close();
  return rows;
}

async function main(): Promise<void> {
  check(nodes >= 4 && values >= 1, "a network has nodes, and something to keep");
  const rows: Row[] = [];
  for (const contender of CONTENDERS) {
    const measured = await measureParty(contender);
    printTable(contender.name, measured);
    rows.push(...measured);
  }
  printTable(`${values} values of ${VALUE_BYTES} bytes, signed; ${nodes} nodes, loopback`, rows);
  const figure = (name: string, what: string, column: string): number =>
    Number(rows.find((row) => row.name === name && row.what === what)?.[column]);
  const overHyper = (what: string, column: string, own = "culvert"): number =>
    figure("hyperdht", what, column) / figure(own, what, column);
  const half = "get, 50 % silent";
  const bestP99 = Math.min(
    ...["hyperdht", "bittorrent-dht"].map((name) => figure(name, half, "p99 ms")),
  );
  writeResults("dht", { nodes, values, rows }, [
    atLeast("get, median, hyperdht over ours", overHyper("get", "median ms"), 3),
    atLeast("get, CPU, hyperdht over ours", overHyper("get", "CPU ms"), 3),
    atLeast(
      "signed put to 12 replicas, CPU, hyperdht over ours",
      overHyper("put", "CPU ms", "culvert, 12 replicas"),
      1.4,
    ),
    atLeast("get after 50 % fell silent, success %", figure("culvert", half, "success %"), 99.9),
    atLeast(
      "get after 50 % fell silent, p99, best peer over ours",
      bestP99 / figure("culvert", half, "p99 ms"),
      50,
    ),
  ]);
}

await main();
// Peers leave timers behind that would keep the process for minutes.
process.exit();
