import { CulvertError, type ErrorCode, isAbortError, isCulvertError } from "../base/index.ts";
import { rootPublicKey } from "../crypto/index.ts";
import { allocationAt, Contact } from "../dht/index.ts";
import {
  addressScope,
  formatNodeAddress,
  type NodeAddress,
  type NodeContact,
  type NodeDescriptor,
  type NodeId,
  NodeIdentity,
  nodeIdText,
} from "../identity/index.ts";
import type { LinkHost } from "../link/index.ts";
import type { BoundMapClient } from "../mapservice/index.ts";
import { type NetworkClient, openClient } from "./client.ts";
import { clockSideOf } from "./health/clock-side.ts";
import { openClientLinks } from "./links/client-links.ts";
import { type Machine, THIS_MACHINE } from "./machine.ts";
import { NETWORK_NAME } from "./network-name.ts";
import { isSameGeometry } from "./onion/onion-geometry.ts";
import { Overlay } from "./overlay.ts";

/** A layer of the way to a network; each stands on those before it. */
export type Layer =
  | "udp"
  | "tcp"
  | "node"
  | "clock"
  | "geometry"
  | "join"
  | "direct"
  | "circuit"
  | "onion";

/** What came of trying one thing. */
export interface Finding {
  readonly layer: Layer;
  /** What was tried, in a few words. */
  readonly what: string;
  /** `skipped` when something that it stands on has failed. */
  readonly outcome: "ok" | "failed" | "skipped";
  /** What was seen: of a failure, why. */
  readonly detail: string;
  /** Of a failure. */
  readonly code?: ErrorCode;
  readonly ms: number;
}

/** What an examination is told. */
export interface ExaminationOptions {
  /** Nodes to begin with. */
  readonly nodes: readonly NodeContact[];
  /** This one, unless told otherwise. */
  readonly machine?: Machine;
  readonly signal?: AbortSignal | undefined;
}

/** A record that is put to see whether it can be got: gone soon. */
const RECORD_TTL_SECONDS = 120;
/** How long a get waits for what was just put, and anything takes at the most. */
const GET_WAIT_MS = 5_000;
const STEP_MS = 60_000;

/**
 * Tries every layer of the way to a network in its order, and tells what it finds as it goes. What
 * fails is a finding; nothing is thrown but what the signal says.
 */
export async function* examineNetwork(options: ExaminationOptions): AsyncGenerator<Finding> {
  const examination = new Examination(options);
  try {
    yield* examination.ports();
    yield* examination.nodes();
    yield* examination.map("direct");
    yield* examination.map("onion");
  } finally {
    await examination.close();
  }
}

class Examination {
  readonly #nodes: readonly NodeContact[];
  readonly #machine: Machine;
  readonly #signal: AbortSignal | undefined;
  readonly #isLocal: boolean;
  readonly #met: NodeDescriptor[] = [];
  /** The network in which each of them has answered. */
  readonly #networks = new Map<NodeDescriptor, number>();
  readonly #seed: Uint8Array;
  #client: NetworkClient | undefined;

  constructor({ nodes, machine = THIS_MACHINE, signal }: ExaminationOptions) {
    this.#nodes = nodes;
    this.#machine = machine;
    this.#signal = signal;
    this.#isLocal = nodes.every(({ address }) => addressScope(address.host) === "private");
    this.#seed = machine.random.bytes(32);
  }

  async *ports(): AsyncGenerator<Finding> {
    for (const carrier of ["udp", "tcp"] as const) {
      yield await this.#try(carrier, `bind a ${carrier.toUpperCase()} port`, async () => {
        const host = await this.#openHost(carrier);
        const [address] = host.addresses;
        await host.close();
        return address === undefined ? "bound" : formatNodeAddress(address);
      });
    }
  }

  async *nodes(): AsyncGenerator<Finding> {
    for (const node of this.#nodes) {
      const name = shortOf(node);
      const before = this.#met.length;
      yield await this.#try("node", `reach ${name} at ${formatNodeAddress(node.address)}`, () =>
        this.#meet(node),
      );
      const [descriptor] = this.#met.slice(before);
      const { addresses } = descriptor?.claims ?? { addresses: [] };
      for (const address of addresses) {
        if (formatNodeAddress(address) === formatNodeAddress(node.address)) continue;
        const what = `reach ${name} at ${formatNodeAddress(address)}`;
        yield await this.#try("node", what, () => this.#dial({ ...node, address }));
      }
    }
    yield await this.#try("clock", "compare the clock of this machine with theirs", async () =>
      this.#compareClock(),
    );
    yield await this.#try("geometry", "compare what the nodes say of their network", () =>
      this.#compare(),
    );
    const [first, ...others] = this.#met;
    if (first === undefined || others.length === 0) return;
    const what = `look for the others from ${shortOf(first)}`;
    yield await this.#try("geometry", what, () => this.#lookFrom(first, others));
  }

  async *map(via: "direct" | "onion"): AsyncGenerator<Finding> {
    const frame = this.#machine.random.bytes(32);
    const payload = this.#machine.random.bytes(this.#met[0]?.claims.geometry.cellBytes ?? 0);
    const base = await this.#try(...this.#baseOf(via, frame));
    yield base;
    const client = this.#client;
    let map = base.outcome === "ok" && client !== undefined ? this.#bind(client) : undefined;
    const way = via === "onion" ? "through circuits" : "without circuits";
    const put = await this.#try(via, `put a record ${way}`, async () => {
      const receipt = await needed(map).put(frame, payload, {
        ttlSeconds: RECORD_TTL_SECONDS,
        signal: this.#limit(),
      });
      return `kept for ${receipt.ttlSeconds} s`;
    });
    yield put;
    if (put.outcome !== "ok") map = undefined;
    yield await this.#try(via, `get the record ${way}`, async () => {
      const got = await needed(map).get(frame, { waitMs: GET_WAIT_MS, signal: this.#limit() });
      return `${got.length} bytes`;
    });
    await this.close();
  }

  /** What records stand on: being in the network, or a circuit whose exit answers. */
  #baseOf(
    via: "direct" | "onion",
    frame: Uint8Array,
  ): readonly [Layer, string, () => Promise<string>] {
    if (via === "direct") {
      const join = async (): Promise<string> => `${(await this.#join(via)).nodesKnown} nodes`;
      return ["join", "join the network", join];
    }
    const circuit = async (): Promise<string> => {
      return await this.#askForNothing(this.#bind(await this.#join(via)), frame);
    };
    return ["circuit", "build a circuit of three relays", circuit];
  }

  /** Ends what is open. */
  async close(): Promise<void> {
    await this.#client?.close();
    this.#client = undefined;
  }

  async #try(layer: Layer, what: string, run: () => Promise<string>): Promise<Finding> {
    const { clock } = this.#machine;
    const from = clock.now();
    const took = (): number => Math.round(clock.now() - from);
    this.#signal?.throwIfAborted();
    try {
      return { layer, what, outcome: "ok", detail: await run(), ms: took() };
    } catch (error) {
      this.#signal?.throwIfAborted();
      if (error instanceof Missing) {
        return { layer, what, outcome: "skipped", detail: error.message, ms: 0 };
      }
      const isLate = isAbortError(error); // by the limit of this step
      const code = isLate ? "CULVERT_TIMEOUT" : codeOf(error);
      const detail = isLate ? `no end of it after ${STEP_MS / 1_000} s` : messageOf(error);
      return { layer, what, outcome: "failed", detail, code, ms: took() };
    }
  }

  async #openHost(carrier?: "udp" | "tcp"): Promise<LinkHost> {
    const machine = this.#machine;
    const identity = new NodeIdentity(machine.random.bytes(32));
    if (carrier !== "tcp") return await openClientLinks(machine, { identity, nodes: this.#nodes });
    const tcp = { host: this.#isLocal ? "127.0.0.1" : "0.0.0.0", port: 0 };
    return await machine.openLinks({ identity, network: NETWORK_NAME, tcp });
  }

  /** Who answers there, as it proves and as it says. */
  async #meet(node: NodeContact): Promise<string> {
    return await this.#apart(async (overlay, signal) => {
      const descriptor = await overlay.describe(node, { signal });
      if (descriptor === undefined) {
        throw new CulvertError("CULVERT_BUSY", "the node is there, and says nothing of itself yet");
      }
      this.#met.push(descriptor);
      this.#networks.set(descriptor, allocationAt(node.address.host));
      return descriptor.claims.roles.join(", ") || "a node without a role";
    });
  }

  /**
   * A network has no name: who is of which shows in whom its nodes know. To begin with both sides
   * would lead to either of them.
   */
  async #lookFrom(first: NodeDescriptor, others: readonly NodeDescriptor[]): Promise<string> {
    return await this.#apart(async (overlay, signal) => {
      await overlay.dht.start([Contact.ofDescriptor(first)], { signal });
      const found = await Promise.all(others.map(({ id }) => overlay.lookup(id, { signal })));
      const lost = others.filter((_, at) => found[at] === undefined);
      if (lost.length === 0) return "they are of one network";
      const names = lost.map(shortOf).join(", ");
      const message = `nobody there knows ${names}: of another network, or not in this one yet`;
      throw new CulvertError("CULVERT_UNREACHABLE", message);
    });
  }

  /** What is done as somebody who knows nobody yet, and is gone afterwards. */
  async #apart<T>(work: (overlay: Overlay, signal: AbortSignal) => Promise<T>): Promise<T> {
    const { clock, random } = this.#machine;
    const identity = new NodeIdentity(random.bytes(32));
    const host = await this.#openHost();
    const isLocal = this.#isLocal;
    const overlay = new Overlay(
      { host, identity, clock, random },
      { addresses: () => [], isLocal },
    );
    try {
      return await work(overlay, this.#limit());
    } finally {
      await overlay.close();
      await host.close();
    }
  }

  async #dial({ id, address }: NodeContact & { readonly address: NodeAddress }): Promise<string> {
    const host = await this.#openHost();
    try {
      await host.dial({ id, addresses: [address], signal: this.#limit() });
      return "it is there";
    } finally {
      await host.close();
    }
  }

  #compareClock(): string {
    if (this.#met.length === 0) throw this.#nobody();
    const side = clockSideOf(this.#networks, this.#machine.clock.unixMs());
    if (side === undefined) return "less than two hours off";
    throw new CulvertError("CULVERT_UNREACHABLE", `it is hours ${side} most of theirs`);
  }

  async #compare(): Promise<string> {
    const [first, ...others] = this.#met.map(({ claims }) => claims.geometry);
    if (first === undefined) throw this.#nobody();
    if (others.every((other) => isSameGeometry(other, first))) {
      return `cells of ${first.cellBytes} bytes, up to ${first.onionHopsMax} hops`;
    }
    throw new CulvertError("CULVERT_GEOMETRY_CHANGED", "these nodes are of different networks");
  }

  #nobody(): Missing {
    return new Missing(this.#nodes.length === 0 ? "no node was named" : "no node was reached");
  }

  async #join(via: "direct" | "onion"): Promise<NetworkClient> {
    if (this.#met.length === 0) throw this.#nobody();
    const bootstrap = this.#nodes.filter(({ id }) =>
      this.#met.some((descriptor) => nodeIdText(descriptor.id) === nodeIdText(id)),
    );
    this.#client = await openClient({
      bootstrap,
      via,
      machine: this.#machine,
      keepsSpare: false,
      signal: this.#limit(),
    });
    return this.#client;
  }

  #bind(client: NetworkClient): BoundMapClient {
    const keys = { writeSeed: this.#seed, readRoot: rootPublicKey(this.#seed) };
    return client.transport().bind(keys);
  }

  /** An exit that has nothing has answered. */
  async #askForNothing(map: BoundMapClient, frame: Uint8Array): Promise<string> {
    try {
      await map.get(frame, { waitMs: 0, signal: this.#limit() });
    } catch (error) {
      if (!isCulvertError(error, "CULVERT_NOT_FOUND")) throw error;
    }
    return "its exit answers";
  }

  #limit(): AbortSignal {
    const { clock } = this.#machine;
    const over = new AbortController();
    const giveUp = (): void => over.abort(new CulvertError("CULVERT_TIMEOUT"));
    clock.schedule(clock.now() + STEP_MS, giveUp, { background: true });
    return this.#signal === undefined ? over.signal : AbortSignal.any([over.signal, this.#signal]);
  }
}

/** Something before it has failed, and was told already. */
class Missing extends Error {}

function codeOf(error: unknown): ErrorCode {
  return isCulvertError(error) ? error.code : "CULVERT_INTERNAL";
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** How a node is called on a line. */
function shortOf({ id }: { readonly id: NodeId }): string {
  return nodeIdText(id).slice(0, 12);
}

function needed(map: BoundMapClient | undefined): BoundMapClient {
  if (map === undefined) throw new Missing("what it stands on is not there");
  return map;
}
