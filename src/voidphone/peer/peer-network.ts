import {
  type Clock,
  CulvertError,
  Driver,
  onAbort,
  type Random,
  requireAmount,
  requireMethods,
  requireObject,
  requireWhole,
  resolveLimits,
  unreachable,
} from "../../base/index.ts";
import { formatIp, parseIp } from "../../identity/index.ts";
import { systemClock } from "../../io/clock.ts";
import { systemRandom } from "../../io/random.ts";
import type { VoidphoneEntry } from "../dht.ts";
import { KEY_BYTES, requireFilled, requireKey, requirePort } from "../message.ts";
import { callPeer } from "./call-peer.ts";
import { requireContact, requireDialect, requirePlace } from "./given-peers.ts";
import type {
  PeerAddress,
  PeerDialect,
  PeerReply,
  PeerRequest,
  VoidphoneContact,
} from "./peer-messages.ts";
import {
  type PeerCall,
  PeerNetworkCore,
  type PeerNetworkEffect,
  type PeerNetworkInput,
  type PeerNetworkLimits,
  type PeerOutcome,
  type PeerTask,
  VOIDPHONE_NETWORK_LIMITS,
} from "./peer-network-core.ts";

/** Asks one peer one thing; {@link callPeer} over sockets. */
export type CallPeer = (
  peer: PeerAddress,
  request: PeerRequest,
  options: { readonly dialect: PeerDialect; readonly signal: AbortSignal },
) => Promise<PeerReply | undefined>;

/** How a foreign network is reached. */
export interface PeerNetworkOptions {
  readonly dialect: PeerDialect;
  /**
   * Who we say that we are. The port has to be open before the first call: peers of the dialect
   * `final` dial it at once.
   */
  readonly self: VoidphoneContact;
  readonly limits?: Partial<PeerNetworkLimits>;
}

/** What a network stands on; the machine's own if nothing else is given. */
export interface PeerNetworkComponents {
  readonly clock?: Clock;
  readonly random?: Random;
  readonly callPeer?: CallPeer;
}

/** The longest value that VoidPhone's peers take in whole. */
export const PEER_VALUE_BYTES_MAX = 3_900;

/** Our way into a network of VoidPhone peers: joins, pings, finds, stores and gets. */
export class VoidphonePeerNetwork {
  readonly #options: PeerNetworkOptions;
  readonly #core: PeerNetworkCore;
  readonly #driver: Driver<PeerNetworkInput, PeerNetworkEffect>;
  readonly #random: Random;
  readonly #callPeer: CallPeer;
  readonly #waiting = new Map<number, (outcome: PeerOutcome) => void>();
  readonly #calls = new Map<number, AbortController>();
  #operationCount = 0;
  #isClosed = false;

  constructor(options: PeerNetworkOptions, components: PeerNetworkComponents = {}) {
    requireObject("options", options);
    requireDialect(options.dialect);
    requireContact(options.self);
    requirePort(options.self.port);
    requireObject("components", components);
    const { clock = systemClock } = components;
    requireMethods("clock", clock, "now", "schedule");
    this.#options = options;
    this.#random = components.random ?? systemRandom;
    this.#callPeer = components.callPeer ?? callPeer;
    const limits = resolveLimits(VOIDPHONE_NETWORK_LIMITS, options.limits);
    this.#core = new PeerNetworkCore(options.self, limits);
    this.#driver = new Driver(this.#core, clock, (effect) => this.#perform(effect));
  }

  /**
   * Meets the network through one of its peers, and looks for those around us.
   *
   * @returns how many of them have answered, 20 at the most
   * @throws CulvertError `CULVERT_UNREACHABLE` when that peer does not answer
   */
  async join(peer: PeerAddress, options: WaitOptions = {}): Promise<number> {
    requirePlace(peer);
    const outcome = await this.#run({ kind: "join", ...placeOf(peer) }, options);
    if (outcome.kind === "contacts") return outcome.contacts.length;
    throw new CulvertError("CULVERT_UNREACHABLE", "the peer does not answer");
  }

  /** Whether a peer answers. */
  async ping(peer: PeerAddress, options: WaitOptions = {}): Promise<boolean> {
    requirePlace(peer);
    const outcome = await this.#run({ kind: "ping", ...placeOf(peer) }, options);
    return outcome.kind === "alive";
  }

  /** The peers closest to `target`, the closest first, which have all answered. */
  async find(target: Uint8Array, options: WaitOptions = {}): Promise<readonly VoidphoneContact[]> {
    requireKey(target);
    const outcome = await this.#run({ kind: "find", target }, options);
    return outcome.kind === "contacts" ? outcome.contacts : [];
  }

  /** The first value that a peer names under `key`; `undefined` when none does. */
  async get(key: Uint8Array, options: WaitOptions = {}): Promise<Uint8Array | undefined> {
    requireKey(key);
    const outcome = await this.#run({ kind: "get", key }, options);
    return outcome.kind === "value" ? outcome.value : undefined;
  }

  /**
   * Stores a value at the peers closest to its key.
   *
   * @returns how many were sent it and did not refuse; in the dialect `final` nobody says more
   * @throws CulvertError `CULVERT_TOO_LARGE` when peers would not take it in whole
   * @throws RangeError for a key that is none, an empty value, a number that has no room
   */
  async store(entry: Omit<VoidphoneEntry, "source">, options: WaitOptions = {}): Promise<number> {
    requireObject("entry", entry);
    const { key, value, ttlSeconds, replication } = entry;
    requireKey(key);
    requireFilled("a value", value);
    requireWhole("a time to live", ttlSeconds, 1, 65_535);
    requireWhole("a replication", replication, 1, 255);
    if (value.length > PEER_VALUE_BYTES_MAX) {
      const detail = { bytes: value.length, limit: PEER_VALUE_BYTES_MAX };
      throw new CulvertError("CULVERT_TOO_LARGE", undefined, { detail });
    }
    const task = { kind: "store", key, value, ttlSeconds, replication } as const;
    const outcome = await this.#run(task, options);
    return outcome.kind === "stored" ? outcome.copies : 0;
  }

  /** A peer has said, from the host in its contact, that it is there. */
  learn(contact: VoidphoneContact): void {
    requireContact(contact);
    this.#driver.handle({ kind: "learn", contact });
  }

  /** Up to `count` known peers, the closest to `target` first. */
  closest(target: Uint8Array, count: number): readonly VoidphoneContact[] {
    requireKey(target);
    // All of them, if need be.
    if (count !== Number.POSITIVE_INFINITY) requireAmount("count", count);
    return this.#core.closest(target, count);
  }

  /** Ends every call; what waits fails with `CULVERT_CLOSED`. */
  close(): void {
    this.#isClosed = true;
    this.#driver.stop();
    for (const controller of this.#calls.values()) controller.abort();
    for (const settle of this.#waiting.values()) settle({ kind: "unreachable" });
    this.#waiting.clear();
  }

  async #run(task: PeerTask, options: WaitOptions): Promise<PeerOutcome> {
    requireObject("options", options);
    const { signal } = options;
    if (this.#isClosed) throw new CulvertError("CULVERT_CLOSED");
    this.#operationCount += 1;
    const operation = this.#operationCount;
    const outcome = await new Promise<PeerOutcome>((resolve, reject) => {
      const forget = onAbort(signal, (error) => {
        this.#waiting.delete(operation);
        this.#driver.handle({ kind: "cancel", operation });
        reject(error);
      });
      if (signal?.aborted === true) return;
      this.#waiting.set(operation, (settled) => {
        forget();
        resolve(settled);
      });
      this.#driver.handle({ kind: "start", operation, task });
    });
    if (this.#isClosed) throw new CulvertError("CULVERT_CLOSED");
    if (outcome.kind === "busy") throw new CulvertError("CULVERT_BUSY");
    return outcome;
  }

  #perform(effect: PeerNetworkEffect): void {
    switch (effect.kind) {
      case "call":
        void this.#call(effect);
        break;
      case "hang-up":
        this.#calls.get(effect.rpc)?.abort();
        break;
      case "done":
        this.#waiting.get(effect.operation)?.(effect.outcome);
        this.#waiting.delete(effect.operation);
        break;
      default:
        unreachable(effect);
    }
  }

  async #call(effect: PeerNetworkEffect & { readonly kind: "call" }): Promise<void> {
    const { rpc, host, port, call } = effect;
    const controller = new AbortController();
    this.#calls.set(rpc, controller);
    try {
      const { dialect } = this.#options;
      const { signal } = controller;
      const reply = await this.#callPeer({ host, port }, this.#request(call), { dialect, signal });
      this.#driver.handle({ kind: "replied", rpc, reply });
    } catch {
      // Why a peer cannot be reached makes no difference: the next one is asked.
      this.#driver.handle({ kind: "failed", rpc });
    } finally {
      this.#calls.delete(rpc);
    }
  }

  #request(call: PeerCall): PeerRequest {
    const rpcId = this.#random.bytes(KEY_BYTES);
    const { id, port } = this.#options.self;
    return this.#options.dialect.name === "final"
      ? { ...call, rpcId, sender: { id, port } }
      : { ...call, rpcId };
  }
}

/** Where a peer is, in the one text form that an address has here; a name stays a name. */
function placeOf({ host, port }: PeerAddress) {
  const ip = parseIp(host);
  return { host: ip === undefined ? host : formatIp(ip), port };
}

interface WaitOptions {
  readonly signal?: AbortSignal | undefined;
}
