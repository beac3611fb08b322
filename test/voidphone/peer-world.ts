import { type Clock, CulvertError, SeededRandom, toHex } from "../../src/base/index.ts";
import { VirtualClock } from "../../src/testing/index.ts";
import {
  type CallPeer,
  FINAL,
  type PeerReply,
  type PeerRequest,
  type VoidphoneContact,
  VoidphonePeerNetwork,
} from "../../src/voidphone/index.ts";
import { xorDistance } from "../../src/voidphone/peer/xor-distance.ts";

/** What a peer of the world does when it is called. */
export type Nature = "honest" | "dead" | "silent" | "liar" | "empty" | "refusing";

/** One foreign peer. */
export interface WorldPeer {
  contact: VoidphoneContact;
  nature: Nature;
  /** Whom it would name, in no order. */
  readonly known: VoidphoneContact[];
  readonly values: Map<string, Uint8Array>;
  /** Calls that it has not answered. */
  open: number;
}

/** A network of foreign peers in one clock, and our client of it. */
export class PeerWorld {
  readonly clock = new VirtualClock();
  readonly random: SeededRandom;
  readonly peers: WorldPeer[];
  readonly self: VoidphoneContact;
  readonly network: VoidphonePeerNetwork;
  /** Calls in all, and the most that one peer had to hold at once. */
  calls = 0;
  openMax = 0;
  readonly #byPort = new Map<number, WorldPeer>();

  constructor(options: { readonly seed: number; readonly peers: number; readonly known: number }) {
    this.random = new SeededRandom(options.seed);
    this.self = { id: this.random.bytes(32), host: "10.0.0.1", port: 1 };
    this.peers = Array.from({ length: options.peers }, (_, index) => ({
      contact: { id: this.random.bytes(32), host: "10.0.0.2", port: 100 + index },
      nature: "honest",
      known: [],
      values: new Map(),
      open: 0,
    }));
    for (const peer of this.peers) {
      this.#byPort.set(peer.contact.port, peer);
      // A few neighbours that everybody has, and strangers.
      for (const near of this.closest(peer.contact.id, 8)) peer.known.push(near.contact);
      while (peer.known.length < Math.min(options.known, options.peers)) {
        peer.known.push(this.any().contact);
      }
    }
    this.network = new VoidphonePeerNetwork(
      { dialect: FINAL, self: this.self },
      { clock: this.clock, random: this.random, callPeer: this.#call },
    );
  }

  any(): WorldPeer {
    const peer = this.peers[this.random.below(this.peers.length)];
    if (peer === undefined) throw new Error("an empty world");
    return peer;
  }

  /** Another peer takes the port of this one, which the others go on naming. */
  replace(peer: WorldPeer): void {
    peer.contact = { ...peer.contact, id: this.random.bytes(32) };
  }

  /** The peers that are really closest. */
  closest(target: Uint8Array, count: number): WorldPeer[] {
    const order = (peer: WorldPeer): string => xorDistance(peer.contact.id, target);
    return this.peers.toSorted((a, b) => (order(a) < order(b) ? -1 : 1)).slice(0, count);
  }

  /** Runs the clock until the promise settles. */
  run<T>(promise: Promise<T>): Promise<T> {
    return this.clock.runPromise(promise, 60_000);
  }

  readonly #call: CallPeer = async ({ port }, request, { signal }) => {
    this.calls += 1;
    const peer = this.#byPort.get(port);
    if (peer === undefined || peer.nature === "dead") {
      await wait(this.clock, 1);
      throw new CulvertError("CULVERT_UNREACHABLE");
    }
    peer.open += 1;
    this.openMax = Math.max(this.openMax, peer.open);
    try {
      const ms = peer.nature === "silent" ? 1e9 : 5 + this.random.below(50);
      await wait(this.clock, ms, signal);
      return this.#answer(peer, request);
    } finally {
      peer.open -= 1;
    }
  };

  #answer(peer: WorldPeer, request: PeerRequest): PeerReply | undefined {
    const header = { rpcId: request.rpcId, sender: peer.contact };
    if (peer.nature === "refusing") return { kind: "error", fault: "not-found" };
    if (peer.nature === "liar") return this.#lie(request, header);
    switch (request.kind) {
      case "ping":
        return { kind: "pong", ...header };
      case "store":
        peer.values.set(toHex(request.key), request.value.slice());
        return undefined;
      case "find-value": {
        const value = peer.values.get(toHex(request.key));
        if (value !== undefined) return { kind: "value", ...header, key: request.key, value };
        return { kind: "nodes", ...header, contacts: this.#nearest(peer, request.key) };
      }
      default:
        return { kind: "nodes", ...header, contacts: this.#nearest(peer, request.target) };
    }
  }

  #nearest(peer: WorldPeer, target: Uint8Array): VoidphoneContact[] {
    if (peer.nature === "empty") return [];
    const order = ({ id }: VoidphoneContact): string => xorDistance(id, target);
    return [...peer.known, peer.contact, this.self]
      .toSorted((a, b) => (order(a) < order(b) ? -1 : 1))
      .slice(0, 20);
  }

  /** A value under another key, contacts that nobody can dial, or that are we. */
  #lie(request: PeerRequest, header: Pick<PeerReply & { kind: "pong" }, "rpcId">): PeerReply {
    const { id } = this.self;
    if (request.kind === "find-value" && this.random.below(2) === 0) {
      return { kind: "value", ...header, key: id, value: id };
    }
    const hosts = ["0.0.0.0", "10.0.0.1", "10.9.9.9"];
    const contacts = Array.from({ length: 20 }, (_, index) => ({
      id: this.random.bytes(32),
      host: hosts[index % 3] ?? "",
      port: this.random.below(3),
    }));
    return { kind: "nodes", ...header, contacts };
  }
}

async function wait(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const cancel = clock.schedule(clock.now() + ms, resolve);
    signal?.addEventListener("abort", () => {
      cancel();
      reject(new Error("hung up"));
    });
  });
}
