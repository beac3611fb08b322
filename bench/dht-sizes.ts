/**
 * Puts and gets in networks of 50 and 100 nodes, what a node takes, and gets once nodes are silent:
 * our DHT, hyperdht and bittorrent-dht in turns, each network in a process of its own. Who waits
 * for the silent ones goes by the ids of a network, so those gets are of several networks.
 *
 * Run: `npm run -s bench -- dht-sizes`, or one size: `node bench/dist/bench/dht-sizes.js 50`.
 */
import { wholeNumber } from "./command-line.ts";
import { HALF_SILENT, type SilentSamples, silentRows } from "./dht-silence.ts";
import type { SizeWish } from "./dht-size-party.ts";
import { type Row, rowOf, type Sample } from "./dht-timing.ts";
import { atLeast, atMost, check, printTable, type Verdict, writeResults } from "./harness.ts";
import { HelperProcess } from "./helper-process.ts";

const VALUES = 500;
/** Values of one turn. */
const TURN = 50;
/** Networks whose gets are taken together once nodes are silent. */
const SILENT_NETWORKS = 5;
const OURS = "culvert, 12 replicas";
const PEERS = ["hyperdht", "bittorrent-dht"] as const;

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
  readonly name: string;
  readonly #process: HelperProcess;

  constructor(name: string, nodes: number) {
    this.name = name;
    this.#process = new HelperProcess("dht-size-party", [name, String(nodes), String(VALUES)]);
  }

  /** Resolves when it can be asked. */
  async ready(): Promise<void> {
    await this.#process.next();
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

async function measureSize(nodes: number): Promise<SizeRow[]> {
  const networks: Network[] = [];
  for (const name of [OURS, ...PEERS]) {
    const network = new Network(name, nodes);
    await network.ready();
    networks.push(network);
  }
  const samples = new Map<string, Sample[]>();
  const inTurns = async (what: "put" | "get"): Promise<void> => {
    for (let from = 0; from < VALUES; from += TURN) {
      for (const network of networks) {
        const key = `${network.name}: ${what}`;
        samples.set(key, [...(samples.get(key) ?? []), await network.run(what, from)]);
      }
    }
  };
  await inTurns("put");
  const sentBefore = new Map<Network, number>();
  for (const network of networks) sentBefore.set(network, await network.requests());
  await inTurns("get");
  const rows: SizeRow[] = [];
  for (const network of networks) {
    const { name } = network;
    const sent = (await network.requests()) - (sentBefore.get(network) ?? Number.NaN);
    const row = (what: string): Row => rowOf({ name, what }, samples.get(`${name}: ${what}`) ?? []);
    const [puts, gets] = [row("put"), row("get")];
    check(puts["success %"] + gets["success %"] === 200, `${name} keeps every value`);
    const more = { nodes, "heap KB": await network.heapKb(), requests: "–" };
    const told = Number.isNaN(sent) ? "–" : sent / VALUES;
    rows.push({ ...puts, ...more }, { ...gets, ...more, requests: told });
    const inSilence = [await network.silence()];
    await network.close();
    while (inSilence.length < SILENT_NETWORKS) inSilence.push(await silenceAnother(name, nodes));
    rows.push(...silentRows(name, inSilence).map((silent) => ({ ...silent, ...more })));
  }
  return rows;
}

/** The same in a network of other ids. */
async function silenceAnother(name: string, nodes: number): Promise<SilentSamples> {
  const network = new Network(name, nodes);
  await network.ready();
  for (let from = 0; from < VALUES; from += TURN) await network.run("put", from);
  const samples = await network.silence();
  await network.close();
  return samples;
}

function judge(nodes: number, rows: readonly SizeRow[]): Verdict[] {
  const figure = (name: string, what: string, column: string): number =>
    Number(rows.find((row) => row.name === name && row.what === what)?.[column]);
  const over = (what: string, column: string): number =>
    figure("hyperdht", what, column) / figure(OURS, what, column);
  const best = Math.min(...PEERS.map((name) => figure(name, HALF_SILENT, "p99 ms")));
  return [
    atLeast(`${nodes} nodes: get, median, hyperdht over ours`, over("get", "median ms"), 3),
    atLeast(`${nodes} nodes: get, CPU, hyperdht over ours`, over("get", "CPU ms"), 3),
    atLeast(`${nodes} nodes: signed put, CPU, the same`, over("put", "CPU ms"), 1.4),
    atMost(`${nodes} nodes: requests of a get`, figure(OURS, "get", "requests"), 4),
    atLeast(
      `${nodes} nodes, half of them silent: success % of a get`,
      figure(OURS, HALF_SILENT, "success %"),
      99.9,
    ),
    atLeast(
      `${nodes} nodes, half of them silent: get, p99, best peer over ours`,
      best / figure(OURS, HALF_SILENT, "p99 ms"),
      50,
    ),
  ];
}

const usage = "node bench/dist/bench/dht-sizes.js [NODES...]";
const wanted = process.argv.slice(2).map((word) => {
  return wholeNumber(word, { name: "NODES", min: 4, max: 10_000, usage });
});
const rows: SizeRow[] = [];
const verdicts: Verdict[] = [];
for (const nodes of wanted.length > 0 ? wanted : [50, 100]) {
  const measured = await measureSize(nodes);
  printTable(`${VALUES} values of 900 bytes, signed; ${nodes} nodes, loopback`, measured);
  rows.push(...measured);
  verdicts.push(...judge(nodes, measured));
}
writeResults("dht-sizes", rows, verdicts);
