/**
 * Goodput of one circuit through three relays, over real links on the loopback and with a process
 * for each node, as a share of what a relay passes on at most over the same links.
 *
 * There are more nodes than most machines have processors to spare: what counts is therefore the
 * processor time of a cell at each node. The busiest one says how fast the circuit is where each
 * node has a processor of its own, and the relay with nothing else to do what its ceiling is.
 *
 * Run: `npm run -s bench -- onion-goodput`.
 */
import { assert } from "../src/base/index.ts";
import { crypto, type ProviderName } from "../src/crypto/index.ts";
import { systemClock } from "../src/io/clock.ts";
import { systemRandom } from "../src/io/random.ts";
import {
  CIRCUIT_LIMITS,
  Circuit,
  epochOf,
  ONION_GEOMETRY,
  type OnionChannel,
  type OnionLinks,
  type Route,
  TunnelService,
} from "../src/onion/index.ts";
import { atLeast, check, median, printTable, writeResults } from "./harness.ts";
import { HelperProcess } from "./helper-process.ts";
import {
  type BenchNode,
  hopsThrough,
  identityOf,
  type NodeOrder,
  type NodeUsage,
  openBenchNode,
  SINK_SIGN_CELLS,
} from "./onion-node.ts";
import { NATIVE_PROVIDERS } from "./providers.ts";

const IN_USE = crypto().name;
const RELAYS = 3;
const ASKED = 0.7;
const { cellBytes } = ONION_GEOMETRY;
const DATA_BYTES = cellBytes - 23;
const MESSAGE_CELLS = 64;
const { ONION_MESSAGES, ONION_ROUNDS } = process.env;
/** Each round carries so many messages of 64 cells. */
const MESSAGES = Number(ONION_MESSAGES ?? 80);
const ROUNDS = Number(ONION_ROUNDS ?? 9);
/** Rounds that warm everything up. */
const WARM_UP = 2;
const CELLS = MESSAGES * MESSAGE_CELLS;

/** A node of the benchmark as its origin sees it. */
class Peer {
  readonly #process: HelperProcess;

  constructor(number: number, provider: ProviderName) {
    const args = [String(number), provider];
    this.#process = new HelperProcess("onion-node", args, { serialization: "advanced" });
  }

  async ready(): Promise<BenchNode> {
    return (await this.#process.next()) as BenchNode;
  }

  async ask(order: NodeOrder): Promise<NodeUsage> {
    return (await this.#process.ask(order)) as NodeUsage;
  }

  async arrived(bytes: number): Promise<void> {
    while ((await this.ask({ do: "usage" })).bytes < bytes) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  async close(): Promise<void> {
    await this.#process.stop();
  }
}

/** Nodes in a row, and the origin in this process. */
class Line {
  readonly peers: readonly Peer[];
  readonly #nodes: readonly BenchNode[];

  private constructor(peers: readonly Peer[], nodes: readonly BenchNode[]) {
    this.peers = peers;
    this.#nodes = nodes;
  }

  static async start(origin: Origin, numbers: readonly number[], provider: ProviderName) {
    const peers = numbers.map((number) => new Peer(number, provider));
    const nodes = await Promise.all(peers.map((peer) => peer.ready()));
    for (const peer of peers) await peer.ask({ do: "meet", nodes });
    origin.meet(nodes);
    return new Line(peers, nodes);
  }

  get last(): Peer {
    const last = this.peers.at(-1);
    assert(last !== undefined, "a line has an end");
    return last;
  }

  /** The epoch may turn while a benchmark runs: then the nodes' keys are of the last one. */
  get route(): Route {
    return { epoch: epochOf(Date.now()), hops: hopsThrough(this.#nodes) };
  }

  async close(): Promise<void> {
    for (const peer of this.peers) await peer.close();
  }
}

type Origin = Awaited<ReturnType<typeof openBenchNode>>;

/** What one cell took: on the clock, and of each process; microseconds. */
interface Cost {
  readonly wallUs: number;
  /** The origin first, then the hops. */
  readonly cpuUs: readonly number[];
}

/** Runs something that carries all cells, and says what each process has spent on one. */
async function costOf({ peers }: Line, run: () => Promise<void>): Promise<Cost> {
  const usages = (): Promise<NodeUsage[]> =>
    Promise.all(peers.map((peer) => peer.ask({ do: "usage" })));
  const before = await usages();
  const [own, start] = [process.cpuUsage(), performance.now()];
  await run();
  const wallUs = ((performance.now() - start) * 1_000) / CELLS;
  const { user, system } = process.cpuUsage(own);
  const after = await usages();
  const spent = after.map(({ cpuUs }, i) => cpuUs - (before[i]?.cpuUs ?? 0));
  return { wallUs, cpuUs: [user + system, ...spent].map((us) => us / CELLS) };
}

/** Sends messages through a circuit until the last hop has all of them. */
async function carry(origin: Origin, line: Line): Promise<Cost> {
  const circuit = await Circuit.build(origin.service, line.route);
  const message = new Uint8Array(MESSAGE_CELLS * DATA_BYTES).fill(7);
  const { bytes } = await line.last.ask({ do: "usage" });
  const cost = await costOf(line, async () => {
    for (let sent = 0; sent < MESSAGES; ) {
      if (circuit.sendData(message)) sent += 1;
      else await circuit.drained();
      check(!circuit.isEnded, "the circuit lives");
    }
    await line.last.arrived(bytes + MESSAGES * message.length);
  });
  circuit.close();
  return cost;
}

/**
 * Pushes cells of noise through a circuit of two hops, a window of them at a time. Nothing is
 * sealed at its origin, and nothing opened at its end: only the relay between has all its work.
 */
async function push(origin: Origin, line: Line): Promise<Cost> {
  const feed = new Feed(origin);
  await Circuit.build(feed.service, line.route);
  const { bytes } = await line.last.ask({ do: "usage" });
  const cost = await costOf(line, async () => {
    await feed.push(CELLS);
    await line.last.arrived(bytes + CELLS * cellBytes);
  });
  feed.close();
  return cost;
}

/** The channel of a circuit, without the circuit's layers and credit. */
class Feed {
  readonly service: TunnelService;
  #channel: OnionChannel | undefined;
  #signs = 0;
  #onSign: () => void = () => {};

  constructor(origin: Origin) {
    const links: OnionLinks = {
      send: (to, unit) => origin.links.send(to, unit),
      open: (to, events) => {
        let isBuilt = false;
        const unit = (cell: Uint8Array): void => {
          if (isBuilt) this.#sign();
          else events.unit(cell);
          isBuilt = true;
        };
        this.#channel = origin.links.open(to, { ...events, unit });
        return this.#channel;
      },
    };
    const self = identityOf(1).id;
    this.service = new TunnelService({ links, clock: systemClock, random: systemRandom, self });
  }

  async push(cells: number): Promise<void> {
    const noise = new Uint8Array(cellBytes).fill(9);
    for (let sent = 0; sent < cells; ) {
      if (sent - this.#signs * SINK_SIGN_CELLS < CIRCUIT_LIMITS.windowCells) {
        this.#channel?.send(noise.slice());
        sent += 1;
      } else {
        await new Promise<void>((resolve) => {
          this.#onSign = resolve;
        });
      }
    }
  }

  close(): void {
    this.#channel?.close();
    this.service.close();
  }

  #sign(): void {
    this.#signs += 1;
    this.#onSign();
  }
}

/** What one provider reaches. */
interface Row extends Readonly<Record<string, string | number>> {
  readonly provider: string;
  /** Microseconds of a cell: at a relay with nothing else to do, and at the busiest node. */
  readonly relay: number;
  readonly busiest: number;
  readonly share: number;
  readonly "MB/s": number;
  /** On this machine, with all nodes on its processors, and how many of them were busy. */
  readonly "here MB/s": number;
  readonly busy: number;
}

/** Rounds of both set-ups take turns, so that whatever else the machine does meets both alike. */
function rowOf(provider: string, pushed: readonly Cost[], carried: readonly Cost[]): Row {
  const medianAt = (costs: readonly Cost[], at: number): number =>
    median(costs.map(({ cpuUs }) => cpuUs[at] ?? Number.NaN));
  const parties = Array.from({ length: 1 + RELAYS }, (_, at) => medianAt(carried, at));
  // The last relay passes nothing on.
  const relay = Math.min(medianAt(pushed, 1), ...parties.slice(1, -1));
  const busiest = Math.max(...parties);
  const best = carried.reduce((a, b) => (a.wallUs < b.wallUs ? a : b));
  const busy = best.cpuUs.reduce((sum, us) => sum + us, 0) / best.wallUs;
  return {
    provider,
    relay,
    busiest,
    share: relay / busiest,
    "MB/s": DATA_BYTES / busiest,
    "here MB/s": DATA_BYTES / best.wallUs,
    busy,
  };
}

async function measureProvider(provider: ProviderName) {
  const origin = await openBenchNode(1, provider);
  const circuit = await Line.start(origin, [11, 12, 13], provider);
  const single = await Line.start(origin, [21, 22], provider);
  await single.last.ask({ do: "sink" });
  const [pushed, carried]: [Cost[], Cost[]] = [[], []];
  for (let round = 0; round < WARM_UP + ROUNDS; round++) {
    pushed.push(await push(origin, single));
    carried.push(await carry(origin, circuit));
  }
  for (const line of [circuit, single]) await line.close();
  origin.service.close();
  await origin.host.close();
  const row = rowOf(provider, pushed.slice(WARM_UP), carried.slice(WARM_UP));
  return { row, pushed, carried };
}

const results = [];
for (const provider of NATIVE_PROVIDERS) results.push(await measureProvider(provider));
const rows = results.map(({ row }) => row);
printTable("one circuit through three relays: processor time of a cell in microseconds", rows);
writeResults(
  "onion-goodput",
  results,
  rows
    .filter(({ provider }) => provider === IN_USE)
    .map(({ provider, share }) =>
      atLeast(`goodput of a circuit, of a relay's ceiling, ${provider}`, share, ASKED),
    ),
);
