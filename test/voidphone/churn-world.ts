import {
  type Clock,
  CulvertError,
  equalBytes,
  SeededRandom,
  SILENT,
  toHex,
} from "../../src/base/index.ts";
import { VirtualClock } from "../../src/testing/index.ts";
import {
  type CallPeer,
  type Gateway,
  type PeerDialect,
  type PeerReply,
  type PeerRequest,
  peerGateway,
  Session,
  type VoidphoneContact,
  VoidphonePeerNetwork,
} from "../../src/voidphone/index.ts";
import { ReplyReader } from "../../src/voidphone/peer/call-peer.ts";
import { ValueStore } from "../../src/voidphone/value-store.ts";

/** A peer of ours, as long as it runs. */
interface OwnPeer {
  readonly self: VoidphoneContact;
  readonly values: ValueStore;
  readonly network: VoidphonePeerNetwork;
  readonly gateway: Gateway<PeerRequest>;
  /** It takes connections, and says nothing. */
  isSilent: boolean;
}

/** Peers of ours on one clock, each server behind bytes: they come, go, and take others' places. */
export class ChurnWorld {
  readonly clock = new VirtualClock();
  readonly random: SeededRandom;
  readonly #dialect: PeerDialect;
  /** Who is at each address, for all that are told of. */
  readonly #at = new Map<string, OwnPeer>();
  readonly #open = new Set<string>();

  constructor(seed: number, dialect: PeerDialect) {
    this.random = new SeededRandom(seed);
    this.#dialect = dialect;
  }

  get peers(): OwnPeer[] {
    return [...this.#at.values()];
  }

  any(): OwnPeer {
    const peer = this.peers[this.random.below(this.#at.size)];
    if (peer === undefined) throw new Error("nobody is there");
    return peer;
  }

  /** Starts one in the place of who was at an address; it joins through one of the others. */
  start(host: string): void {
    this.stop(host);
    const self = { id: this.random.bytes(32), host, port: 7_402 };
    const values = new ValueStore(this.clock);
    const network = new VoidphonePeerNetwork(
      { dialect: this.#dialect, self },
      { clock: this.clock, random: this.random, callPeer: this.#callOf(self) },
    );
    const gateway = peerGateway(this.#dialect, {
      self: () => self,
      store: async (entry) => {
        values.put(entry);
        return "stored";
      },
      find: async (key) => values.get(key),
      closest: (target, count) => network.closest(target, count),
      learn: (contact) => network.learn(contact),
    });
    if (this.#at.size > 0) network.join(this.any().self).catch(() => {});
    this.#at.set(host, { self, values, network, gateway, isSilent: false });
  }

  stop(host: string): void {
    this.#at.get(host)?.network.close();
    this.#at.delete(host);
  }

  /** Whether somebody is there under this id. */
  isThere({ host, port, id }: VoidphoneContact): boolean {
    const peer = this.#at.get(host);
    return peer !== undefined && peer.self.port === port && equalBytes(peer.self.id, id);
  }

  #callOf(from: VoidphoneContact): CallPeer {
    return async ({ host, port }, request, { signal }) => {
      const call = `${toHex(from.id)} ${host} ${port}`;
      if (host === from.host) throw new Bug("a peer dials itself");
      if (port !== 7_402) throw new Bug("a peer dials a port that nobody was told of");
      if (this.#open.has(call)) throw new Bug("a peer is called twice at once");
      this.#open.add(call);
      // Who hangs up may dial again at once.
      const over = (): unknown => !signal.aborted && this.#open.delete(call);
      signal.addEventListener("abort", () => this.#open.delete(call));
      try {
        await wait(this.clock, 3 + this.random.below(60), signal);
        const peer = this.#at.get(host);
        if (peer === undefined) throw new CulvertError("CULVERT_UNREACHABLE");
        if (peer.isSilent) await wait(this.clock, 1e9, signal);
        return await this.#served(peer, { from, request, signal });
      } finally {
        over();
      }
    };
  }

  #served(
    { gateway }: OwnPeer,
    call: { from: VoidphoneContact; request: PeerRequest; signal: AbortSignal },
  ): Promise<PeerReply | undefined> {
    const { from, request, signal } = call;
    const reader = new ReplyReader(this.#dialect, request.rpcId);
    const hasAnswer = request.kind !== "store" || this.#dialect.answersStores;
    return new Promise((resolve, reject) => {
      const session = new Session<PeerRequest>(
        {
          gateway,
          clock: this.clock,
          log: SILENT,
          port: {
            write: (bytes) => {
              const reply = reader.push(bytes.slice());
              if (reply !== undefined) resolve(reply);
              // Who has its answer goes.
              this.clock.schedule(this.clock.now(), () => session.closed());
            },
            unsentBytes: 0,
            setReading: () => {},
            close: () => reject(new CulvertError("CULVERT_UNREACHABLE")),
          },
          onEnd: () => {},
        },
        { source: from.host, remoteHost: from.host },
      );
      signal.addEventListener("abort", () => {
        session.closed();
        reject(new Error("hung up"));
      });
      session.receive(this.#dialect.encodeRequest(request));
      if (hasAnswer) return;
      resolve(undefined);
      this.clock.schedule(this.clock.now() + 1, () => session.closed());
    });
  }
}

/** Thrown where a client would take it for a peer that is gone; so it is kept, too. */
export class Bug extends Error {
  static readonly seen: string[] = [];

  constructor(message: string) {
    super(message);
    Bug.seen.push(message);
  }
}

async function wait(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const cancel = clock.schedule(clock.now() + ms, resolve);
    signal.addEventListener("abort", () => {
      cancel();
      reject(new Error("hung up"));
    });
  });
}
