import { assert, SeededRandom } from "../../base/index.ts";
import { type NodeContact, nodeIdText } from "../../identity/index.ts";
import { type ClientOptions, type NetworkClient, openClient } from "../../node/index.ts";
import type { StreamOptions } from "../../stream/options.ts";
import { CLEAN_LINE, type LineProfile, VirtualNetwork } from "../network/index.ts";
import { publicHost } from "../swarm/swarm.ts";
import { VirtualClock } from "../virtual-clock.ts";
import { Violation } from "../world/violation.ts";
import { Capture } from "./capture.ts";
import { type Hostility, MISDEEDS } from "./hostile.ts";
import { type RoadGround, RoadNode, virtualMachine } from "./road-node.ts";
import { type FrameOwner, RoadPair } from "./road-pair.ts";

/** What a world of the whole road is; everything else follows from the seed. */
export interface RoadPlan {
  readonly seed: number;
  readonly nodes: number;
  readonly clients: number;
  readonly streams: number;
  /** Bytes that each end of each stream writes. */
  readonly bytes: number;
  readonly via: ClientOptions["via"];
  /** Of nodes and clients, each way, over a clean line of ten milliseconds. */
  readonly line?: Partial<LineProfile>;
  /** How many of the nodes are hostile; the ways take turns. The first node is honest. */
  readonly hostile?: number;
  /** The ways, all of {@link MISDEEDS} unless told otherwise. */
  readonly hostilities?: readonly Hostility[];
  /** Nodes that lose their power, one after the other, at random moments, and come back. */
  readonly crashes?: number;
  /** A third of the nodes is cut off from all others for so long, in ms. */
  readonly partitionMs?: number;
  readonly onion?: ClientOptions["onion"];
  readonly stream?: Partial<StreamOptions>;
  /** Virtual time for the streams, in ms; ten minutes unless told otherwise. */
  readonly limitMs?: number;
  /** Keeps what all links carry, for the judges: costs memory. */
  readonly isWatched?: boolean;
  /** Takes one line of text for every packet. */
  readonly log?: (line: string) => void;
}

/** What came of a world. */
export interface RoadReport {
  /** The first rule that was broken. */
  readonly violation: Violation | undefined;
  /** The fingerprint of every packet: the same for the same plan. */
  readonly traceHash: string;
  /** Virtual time from the first byte that was written to the last one that was read. */
  readonly tookMs: number;
  /** Bytes that were read at both ends of all streams. */
  readonly receivedBytes: number;
  /** Packets of the virtual network. */
  readonly packets: number;
  readonly crashes: number;
  /** Timers that are still armed when everything has been closed. */
  readonly timersLeft: number;
}

const LINE: LineProfile = { ...CLEAN_LINE, jitterMs: 5, isQueued: true };
const LIMIT_MS = 600_000;
/** For a node or a client to be up, or down, however bad the lines are. */
const STEP_MS = 300_000;
/** Faults happen from the beginning of the streams on, for so long. */
const FAULTS_MS = 3_000;
const DOWN_MS = { min: 1_000, max: 20_000 } as const;
const BOOTSTRAP_NODES = 3;
/** The longest that anything lingers behind what was closed. */
const LINGER_MS = 120_000;

/**
 * The whole road in one process: the nodes and clients that src/node puts together, on a virtual
 * network and a virtual clock. Real cryptography, real shells; time, chance and packets follow
 * from the seed.
 */
export class RoadWorld {
  readonly plan: RoadPlan;
  readonly clock: VirtualClock = new VirtualClock();
  readonly network: VirtualNetwork;
  readonly capture: Capture;
  readonly nodes: RoadNode[] = [];
  readonly clients: NetworkClient[] = [];
  /** The ids of the clients, in hexadecimal. */
  readonly clientNames: Set<string> = new Set<string>();
  /** Whose frame an address carries. */
  readonly owners: Map<string, FrameOwner> = new Map<string, FrameOwner>();
  readonly #random: SeededRandom;
  readonly #ground: RoadGround;
  #pairs: readonly RoadPair[] = [];
  #crashes = 0;
  readonly #repairs: Promise<void>[] = [];
  #violation: Violation | undefined;

  constructor(plan: RoadPlan) {
    this.plan = plan;
    this.#random = new SeededRandom(plan.seed);
    const line = { ...LINE, ...plan.line };
    const log = plan.log && { log: plan.log };
    this.network = new VirtualNetwork({ clock: this.clock, seed: plan.seed, line, ...log });
    this.capture = new Capture(this.clock);
    const { clock, capture } = this;
    this.#ground = { clock, capture, isWatched: plan.isWatched ?? false };
  }

  /** Starts the nodes, no more at once than are there, and then all clients at once. */
  async start(): Promise<void> {
    while (this.nodes.length < this.plan.nodes) {
      const { length } = this.nodes;
      const size = Math.min(Math.max(length, 1), this.plan.nodes - length);
      const joining = Array.from({ length: size }, (_, i) => this.#createNode(length + i));
      const bootstrap = this.#bootstrap();
      await this.#run(Promise.all(joining.map((node) => node.start(bootstrap))));
      this.nodes.push(...joining);
    }
    const { clients } = this.plan;
    const opening = Array.from({ length: clients }, (_, i) => this.#openClient(i));
    this.clients.push(...(await this.#run(Promise.all(opening))));
  }

  /** Carries all streams through whatever the plan has in store for them. */
  async carry(): Promise<{ readonly tookMs: number }> {
    const startedAt = this.clock.now();
    this.#pairs = Array.from({ length: this.plan.streams }, (_, i) => this.#openPair(i));
    this.#planFaults();
    const isOver = (): boolean =>
      this.#broken() !== undefined || this.#pairs.every(({ isComplete }) => isComplete);
    try {
      await this.clock.runUntil(isOver, this.plan.limitMs ?? LIMIT_MS);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      this.#violation ??= new Violation("hang", `${why}; ${this.#progress()}`);
    }
    return { tookMs: this.clock.now() - startedAt };
  }

  /** Stops everything, and tells what happened. */
  async finish({ tookMs }: { readonly tookMs: number }): Promise<RoadReport> {
    const violation = this.#broken();
    await this.#run(Promise.all(this.#pairs.map((pair) => pair.halt())));
    await this.#run(Promise.all(this.clients.map((client) => client.close())));
    await this.#run(Promise.all(this.#repairs));
    await this.#run(Promise.all(this.nodes.map((node) => node.stop())));
    await this.clock.runUntil(this.clock.now() + LINGER_MS);
    return {
      violation,
      traceHash: this.network.traceHash,
      tookMs,
      receivedBytes: this.#pairs.reduce((sum, { receivedBytes }) => sum + receivedBytes, 0),
      packets: this.network.count("delivered"),
      crashes: this.#crashes,
      timersLeft: this.clock.pending,
    };
  }

  #createNode(i: number): RoadNode {
    const host = this.network.addHost({ addresses: [publicHost(i)] });
    const { hostile = 0, hostilities = MISDEEDS } = this.plan;
    const hostility = i > 0 && i <= hostile ? hostilities[i % hostilities.length] : undefined;
    return new RoadNode(this.#ground, host, { random: this.#random.fork(i), hostility });
  }

  async #openClient(i: number): Promise<NetworkClient> {
    const host = this.network.addHost({ addresses: [publicHost(this.plan.nodes + i)] });
    const machine = virtualMachine(this.#ground, host, this.#random.fork(-1 - i));
    const watching: typeof machine = {
      ...machine,
      openLinks: async (options) => {
        const links = await machine.openLinks(options);
        this.clientNames.add(nodeIdText(links.id));
        return links;
      },
    };
    const { via, onion } = this.plan;
    const options = {
      bootstrap: this.#bootstrap(),
      via,
      machine: watching,
      ...(onion && { onion }),
    };
    return await openClient(options);
  }

  /** The first node and some others that are up. */
  #bootstrap(): NodeContact[] {
    const up = this.nodes.filter((node) => node.isUp);
    return up.slice(0, BOOTSTRAP_NODES).map(({ contact }) => contact);
  }

  #openPair(number: number): RoadPair {
    const { length } = this.clients;
    const [near, far] = [this.clients[number % length], this.clients[(number + 1) % length]];
    assert(near !== undefined && far !== undefined, "a world has clients");
    return new RoadPair({
      number,
      bytes: this.plan.bytes,
      transports: [near.transport(), far.transport()],
      clock: this.clock,
      random: this.#random.fork(1_000 + number),
      options: this.plan.stream ?? {},
      onAddress: (key, owner) => this.owners.set(key, owner),
    });
  }

  #planFaults(): void {
    const { crashes = 0, partitionMs = 0 } = this.plan;
    const random = this.#random.fork(2_000);
    for (let i = 0; i < crashes; i++) {
      const at = this.clock.now() + FAULTS_MS * random.unit();
      const downMs = DOWN_MS.min + (DOWN_MS.max - DOWN_MS.min) * random.unit();
      this.clock.schedule(at, () => this.#crashOne(random, downMs));
    }
    if (partitionMs === 0) return;
    const third = this.nodes.slice(-Math.ceil(this.nodes.length / 3)).map(({ host }) => host);
    const at = this.clock.now() + FAULTS_MS * random.unit();
    this.clock.schedule(at, () => this.network.partition(third));
    this.clock.schedule(at + partitionMs, () => this.network.heal());
  }

  #crashOne(random: SeededRandom, downMs: number): void {
    const up = this.nodes.filter((node, i) => i > 0 && node.isUp);
    const node = up[random.below(Math.max(up.length, 1))];
    if (node === undefined) return;
    this.#crashes += 1;
    const upAt = this.clock.now() + downMs;
    const repair = async (): Promise<void> => {
      await node.crash();
      await new Promise<void>((resolve) => this.clock.schedule(upAt, resolve));
      await node.start(this.#bootstrap());
    };
    this.#repairs.push(
      repair().catch((error: unknown) => {
        const why = error instanceof Error ? error.message : String(error);
        this.#violation ??= new Violation("failure", `a node does not come back: ${why}`);
      }),
    );
  }

  #broken(): Violation | undefined {
    for (const { violation } of this.#pairs) if (violation !== undefined) return violation;
    return this.#violation;
  }

  #progress(): string {
    const bytes = this.#pairs.map(({ receivedBytes }) => receivedBytes);
    return `bytes read by stream: ${bytes.join(", ")} of ${2 * this.plan.bytes}`;
  }

  async #run<T>(promise: Promise<T>): Promise<T> {
    return await this.clock.runPromise(promise, STEP_MS);
  }
}

/** Runs one world from its first node to its end. */
export async function runRoad(plan: RoadPlan): Promise<RoadReport> {
  const world = new RoadWorld(plan);
  await world.start();
  return await world.finish(await world.carry());
}
