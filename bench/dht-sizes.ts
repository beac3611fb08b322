/**
 * Puts and gets in networks of 50 and 100 nodes, what a node takes, and gets once nodes are silent:
 * our DHT, hyperdht and bittorrent-dht in turns, and after them, where it starts, libp2p's kad-dht;
 * each network in a process of its own. Who waits for the silent ones goes by the ids of a network,
 * so those gets are of several networks.
 *
 * Run: `npm run -s bench -- dht-sizes`, or one size: `node bench/dist/bench/dht-sizes.js 50`.
 */
import { wholeNumber } from "./command-line.ts";
import { HALF_SILENT, type SilentSamples, silentRows } from "./dht-silence.ts";
import type { SizeWish } from "./dht-size-party.ts";
import { type Row, rowOf, type Sample } from "./dht-timing.ts";
import { atLeast, atMost, check, printTable, type Verdict, writeResults } from "./harness.ts";
import { HelperProcess } from "./helper-process.ts";
import { kadProblem } from "./kad-party.ts";

/** Values of one turn. */
const TURN = 50;

/** Who is measured, and by how much. */
interface Contender {
  readonly name: string;
  readonly values: number;
  /** Put and got before anything is counted, after which compilers have seen it all. */
  readonly warm: number;
  /** Networks whose gets are taken together once nodes are silent. */
  readonly silentNetworks: number;
}

const WHOLE = { values: 500, warm: 500, silentNetworks: 5 };
const OURS: Contender = { name: "culvert, 12 replicas", ...WHOLE };
const PEERS: readonly Contender[] = [
  { name: "hyperdht", ...WHOLE },
  { name: "bittorrent-dht", ...WHOLE },
];
/** Each of its operations takes a hundred times as long: fewer of them. */
const KAD: Contender = { name: "kad-dht", values: TURN, warm: 10, silentNetworks: 1 };
const kadIsMissing = kadProblem();
/** Those of a group take turns; kad-dht is busy when nobody asks it, and comes after the others. */
const GROUPS = [[OURS, ...PEERS], ...(kadIsMissing === undefined ? [[KAD]] : [])];

/** What one kind of operation came to in a network of so many nodes. */
interface SizeRow extends Row {
  readonly nodes: number;
  /** JS heap of each node, its links included, once all values are kept. */
  readonly "heap KB": number;
  /** Requests of one get, where the party tells. */
  readonly requests: number | string;
}

/** A network in another process. */
class Network {
  readonly contender: Contender;
  readonly #process: HelperProcess;

  private constructor(contender: Contender, nodes: number) {
    this.contender = contender;
    const { name, values, warm } = contender;
    this.#process = new HelperProcess("dht-size-party", [
      name,
      ...[nodes, values, warm].map(String),
    ]);
  }

  /** One that can be asked. */
  static async start(contender: Contender, nodes: number): Promise<Network> {
    const network = new Network(contender, nodes);
    await network.#process.next();
    return network;
  }

  async run(what: "put" | "get", from: number): Promise<Sample> {
    return await this.#ask({ what, from, count: TURN });
  }

  /** Requests that the one who gets has sent so far; NaN where the party does not tell. */
  async requests(): Promise<number> {
    return (await this.#ask<number | null>({ what: "requests" })) ?? Number.NaN;
  }

  async heapKb(): Promise<number> {
    return await this.#ask({ what: "heap" });
  }

  async silence(): Promise<SilentSamples> {
    return await this.#ask({ what: "silence" });
  }

  async close(): Promise<void> {
    await this.#process.stop();
  }

  async #ask<Reply>(wish: SizeWish): Promise<Reply> {
    return (await this.#process.ask(wish)) as Reply;
  }
}

async function measureGroup(group: readonly Contender[], nodes: number): Promise<SizeRow[]> {
  const networks: Network[] = [];
  for (const contender of group) networks.push(await Network.start(contender, nodes));
  const puts = await inTurns(networks, "put");
  const sentBefore = new Map<Network, number>();
  for (const network of networks) sentBefore.set(network, await network.requests());
  const gets = await inTurns(networks, "get");
  const rows: SizeRow[] = [];
  for (const network of networks) {
    const { name, values, silentNetworks } = network.contender;
    const sent = (await network.requests()) - (sentBefore.get(network) ?? Number.NaN);
    const put = rowOf({ name, what: "put" }, puts.get(network) ?? []);
    const get = rowOf({ name, what: "get" }, gets.get(network) ?? []);
    // A slow peer may lose some; a fast one that did would be compared for what it does not do.
    const keepsAll = put["success %"] + get["success %"] === 200;
    check(keepsAll || name === KAD.name, `${name} keeps every value`);
    const more = { nodes, "heap KB": await network.heapKb(), requests: "–" };
    const told = Number.isNaN(sent) ? "–" : sent / values;
    rows.push({ ...put, ...more }, { ...get, ...more, requests: told });
    const inSilence = [await network.silence()];
    await network.close();
    while (inSilence.length < silentNetworks) {
      inSilence.push(await silenceAnother(network.contender, nodes));
    }
    rows.push(...silentRows(name, inSilence).map((silent) => ({ ...silent, ...more })));
  }
  return rows;
}

/** What each network came to: one after the other, some values at a time. */
async function inTurns(
  networks: readonly Network[],
  what: "put" | "get",
): Promise<Map<Network, readonly Sample[]>> {
  const samples = new Map<Network, readonly Sample[]>();
  for (let from = 0; from < WHOLE.values; from += TURN) {
    for (const network of networks) {
      if (from >= network.contender.values) continue;
      samples.set(network, [...(samples.get(network) ?? []), await network.run(what, from)]);
    }
  }
  return samples;
}

/** The same in a network of other ids. */
async function silenceAnother(contender: Contender, nodes: number): Promise<SilentSamples> {
  const network = await Network.start(contender, nodes);
  for (let from = 0; from < contender.values; from += TURN) await network.run("put", from);
  const samples = await network.silence();
  await network.close();
  return samples;
}

function judge(nodes: number, rows: readonly SizeRow[]): Verdict[] {
  const figure = (name: string, what: string, column: string): number =>
    Number(rows.find((row) => row.name === name && row.what === what)?.[column]);
  const over = (what: string, column: string): number =>
    figure("hyperdht", what, column) / figure(OURS.name, what, column);
  const best = Math.min(...PEERS.map(({ name }) => figure(name, HALF_SILENT, "p99 ms")));
  return [
    atLeast(`${nodes} nodes: get, median, hyperdht over ours`, over("get", "median ms"), 3),
    atLeast(`${nodes} nodes: get, CPU, hyperdht over ours`, over("get", "CPU ms"), 3),
    atLeast(`${nodes} nodes: signed put, CPU, the same`, over("put", "CPU ms"), 1.4),
    atMost(`${nodes} nodes: requests of a get`, figure(OURS.name, "get", "requests"), 4),
    atLeast(
      `${nodes} nodes, half of them silent: success % of a get`,
      figure(OURS.name, HALF_SILENT, "success %"),
      99.9,
    ),
    atLeast(
      `${nodes} nodes, half of them silent: get, p99, best peer over ours`,
      best / figure(OURS.name, HALF_SILENT, "p99 ms"),
      50,
    ),
  ];
}

const usage = "node bench/dist/bench/dht-sizes.js [NODES...]";
const wanted = process.argv.slice(2).map((word) => {
  return wholeNumber(word, { name: "NODES", min: 4, max: 10_000, usage });
});
if (kadIsMissing !== undefined) console.log(`no row of kad-dht: ${kadIsMissing}`);
const rows: SizeRow[] = [];
const verdicts: Verdict[] = [];
for (const nodes of wanted.length > 0 ? wanted : [50, 100]) {
  const measured: SizeRow[] = [];
  for (const group of GROUPS) measured.push(...(await measureGroup(group, nodes)));
  printTable(`${WHOLE.values} values of 900 bytes, signed; ${nodes} nodes, loopback`, measured);
  rows.push(...measured);
  verdicts.push(...judge(nodes, measured));
}
writeResults("dht-sizes", rows, verdicts);
