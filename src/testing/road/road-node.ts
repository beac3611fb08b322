import type { Clock, SeededRandom } from "../../base/index.ts";
import { type NodeContact, parseNodeContact } from "../../identity/index.ts";
import { openLinkHost } from "../../link/index.ts";
import { MemoryRecordStore, type RecordStore, storeOver } from "../../mapservice/index.ts";
import {
  type Machine,
  NODE_DEFAULTS,
  type NodeConfig,
  type RunningNode,
  startNode,
} from "../../node/index.ts";
import { type VirtualHost, virtualTcp, virtualUdp } from "../network/index.ts";
import type { Capture } from "./capture.ts";
import { type Hostility, hostileStore, misdeedOf } from "./hostile.ts";

/** Cells of a network that carries little: four circuit cells hold one. */
export const ROAD_CELL_BYTES = 1_024;

/** Records of one node, far more than a world puts. */
const ENTRIES_MAX = 100_000;
const PORT = 7_000;

/** What nodes and clients of a world are made of. */
export interface RoadGround {
  readonly clock: Clock;
  readonly capture: Capture;
  /** Whether what links carry is kept for the judges. */
  readonly isWatched: boolean;
}

/** The virtual machine at a host. */
export function virtualMachine(
  { clock, capture, isWatched }: RoadGround,
  host: VirtualHost,
  random: SeededRandom,
  hostility?: Hostility,
): Machine {
  const misdeed = misdeedOf(hostility, random.fork(1));
  return {
    clock,
    random,
    hosts: () => host.addresses,
    openLinks: async (options) => {
      const components = { clock, random, udp: virtualUdp(host), tcp: virtualTcp(host) };
      const links = await openLinkHost({ ...options, components });
      return capture.watch(links, { keeps: isWatched, misdeed });
    },
  };
}

/** A node of a world, over all its crashes: its seed and its disk stay. */
export class RoadNode {
  readonly host: VirtualHost;
  readonly hostility: Hostility | undefined;
  #disk: RecordStore;
  /** Lengths of the cells that were ever put here. */
  readonly cellLengths: Set<number> = new Set<number>();
  readonly #ground: RoadGround;
  readonly #random: SeededRandom;
  readonly #seed: Uint8Array;
  #running: RunningNode | undefined;
  #contact: NodeContact | undefined;
  #disks = 1_000;

  constructor(
    ground: RoadGround,
    host: VirtualHost,
    options: { readonly random: SeededRandom; readonly hostility?: Hostility | undefined },
  ) {
    this.#ground = ground;
    this.host = host;
    this.#random = options.random;
    this.hostility = options.hostility;
    this.#seed = options.random.bytes(32);
    this.#disk = this.#newDisk();
  }

  /** What it keeps, over all its lives. */
  get disk(): RecordStore {
    return this.#disk;
  }

  get isUp(): boolean {
    return this.#running !== undefined;
  }

  /** How others join by it; it has been started once. */
  get contact(): NodeContact {
    if (this.#contact === undefined) throw new Error("this node was never up");
    return this.#contact;
  }

  /** Starts it, and joins the network through others. */
  async start(bootstrap: readonly NodeContact[]): Promise<void> {
    this.host.isOnline = true;
    const config: NodeConfig = {
      ...NODE_DEFAULTS,
      listen: [
        { carrier: "udp", host: "0.0.0.0", port: PORT },
        { carrier: "tcp", host: "0.0.0.0", port: PORT },
      ],
      // All are in the open, and dialling each other back would only cost time.
      reachable: "direct",
      bootstrap,
      geometry: { ...NODE_DEFAULTS.geometry, cellBytes: ROAD_CELL_BYTES },
    };
    const machine = virtualMachine(this.#ground, this.host, this.#random, this.hostility);
    const { hostility } = this;
    const parts = { hostility, random: this.#random.fork(2), clock: this.#ground.clock };
    const store = hostileStore(this.#watchedDisk(), parts);
    const running = await startNode(config, { machine, seed: this.#seed, store });
    this.#running = running;
    const [contact = ""] = running.contacts;
    this.#contact = parseNodeContact(contact);
    await running.joined;
  }

  /** Cuts its power: nothing more is sent, and nobody is told. Its disk keeps what it confirmed. */
  async crash(): Promise<void> {
    this.host.isOnline = false;
    this.host.closeAll();
    await this.stop();
  }

  /** It is down, and comes back with nothing of what it had but its key. */
  loseDisk(): void {
    this.#disk = this.#newDisk();
  }

  /** Stops it in good order. */
  async stop(): Promise<void> {
    const running = this.#running;
    this.#running = undefined;
    await running?.close();
  }

  #newDisk(): RecordStore {
    return new MemoryRecordStore({
      payloadSize: ROAD_CELL_BYTES,
      entriesMax: ENTRIES_MAX,
      bytesMax: ENTRIES_MAX * 2 * ROAD_CELL_BYTES,
      mark: this.#random.fork(this.#disks++).bytes(16),
    });
  }

  /** The disk, which outlives the process. */
  #watchedDisk(): RecordStore {
    const { disk, cellLengths } = this;
    return storeOver(disk, {
      ...(disk.mark && { mark: disk.mark }),
      put: (puts, nowMs) => {
        for (const { record } of puts) cellLengths.add(record.payload.length);
        return disk.put(puts, nowMs);
      },
      close: async () => {},
    });
  }
}
