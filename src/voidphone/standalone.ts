import {
  assert,
  CulvertError,
  type Log,
  requireCallback,
  requireObject,
  requireOneOf,
  requireWhole,
  resolveLimits,
  SILENT,
} from "../base/index.ts";
import type { CertificateIdentity } from "../io/certificate.ts";
import { systemClock } from "../io/clock.ts";
import { formatEndpoint, type HostPort } from "../io/endpoint.ts";
import { systemRandom } from "../io/random.ts";
import type { VoidphoneDht, VoidphoneEntry, VoidphonePeer } from "./dht.ts";
import { VoidphoneGateways } from "./gateways.ts";
import type { SessionLimits } from "./limits.ts";
import { KEY_BYTES, requireFilled, requireKey } from "./message.ts";
import { FINAL, MIDTERM } from "./peer/dialects.ts";
import type { PeerDialect, VoidphoneContact } from "./peer/peer-messages.ts";
import { VoidphonePeerNetwork } from "./peer/peer-network.ts";
import { type PeerNetworkLimits, VOIDPHONE_NETWORK_LIMITS } from "./peer/peer-network-core.ts";
import { ValueStore, type ValueStoreLimits } from "./value-store.ts";

/** How a {@link StandalonePeer} is started. */
export interface StandaloneOptions {
  readonly dialect: PeerDialect["name"];
  /** Where peers reach it: an IP address that others can dial, and a port; 0 takes a free one. */
  readonly p2p: HostPort;
  /** `HOST:PORT` of the module API; without it there is none. */
  readonly api?: string;
  /** 32 bytes, copied; fresh ones make a new peer. */
  readonly id?: Uint8Array;
  /**
   * In the dialect `final`, of {@link peerCertificate}; a fresh one, if it is left out. Who comes
   * back with its id brings it: peers take another one for an impostor's.
   */
  readonly certificate?: CertificateIdentity;
  readonly store?: Partial<ValueStoreLimits>;
  readonly sessions?: Partial<SessionLimits>;
  readonly network?: Partial<PeerNetworkLimits>;
  readonly log?: Log;
}

/**
 * A peer of a VoidPhone network and of nothing else: values in memory, the two servers, and a
 * client of the network that it joins.
 *
 * @example
 * ```ts
 * const peer = await StandalonePeer.start({
 *   dialect: "final",
 *   p2p: { host: "192.0.2.1", port: 7402 },
 *   api: "127.0.0.1:7401",
 * });
 * await peer.network.join({ host: "192.0.2.7", port: 7402 });
 * ```
 */
export class StandalonePeer implements VoidphoneDht, VoidphonePeer {
  /** Our way to the others. */
  readonly network: VoidphonePeerNetwork;
  readonly #self: VoidphoneContact;
  readonly #values: ValueStore;
  readonly #gateways: VoidphoneGateways;

  private constructor(parts: {
    readonly self: VoidphoneContact;
    readonly network: VoidphonePeerNetwork;
    readonly values: ValueStore;
    readonly gateways: VoidphoneGateways;
  }) {
    this.#self = parts.self;
    this.network = parts.network;
    this.#values = parts.values;
    this.#gateways = parts.gateways;
  }

  /**
   * Listens; it knows nobody until it joins, or is joined.
   *
   * @throws CulvertError `CULVERT_UNREACHABLE` when it cannot listen, `CULVERT_USAGE` for an
   *   endpoint that is none or that others cannot reach
   * @throws TypeError and RangeError for options that are none, an id of another length among them
   */
  static async start(options: StandaloneOptions): Promise<StandalonePeer> {
    requireObject("options", options);
    const { dialect: name, api, certificate, log = SILENT, sessions = {} } = options;
    requireOneOf("dialect", name, ["midterm", "final"]);
    requireObject("p2p", options.p2p);
    requireWhole("a port", options.p2p.port, 0, 65_535);
    if (options.id !== undefined) requireKey(options.id);
    requireCallback("log", log);
    const limits = resolveLimits(VOIDPHONE_NETWORK_LIMITS, options.network);
    const { host, port } = options.p2p;
    if (typeof host !== "string") throw new TypeError("host must be a text");
    const id = options.id?.slice() ?? systemRandom.bytes(KEY_BYTES);
    const values = new ValueStore(systemClock, options.store);
    let peer: StandalonePeer | undefined;
    const served = lateBound(() => peer);
    const gateways = await VoidphoneGateways.start(
      { [name]: formatEndpoint({ kind: "tcp", host, port }), api },
      { id, dht: served, peer: served },
      { limits: sessions, log, ...(certificate && { certificate: async () => certificate }) },
    );
    const self = gateways.contact(name);
    assert(self !== undefined, "what listens is reached somewhere");
    const dialect = name === "final" ? FINAL : MIDTERM;
    const network = new VoidphonePeerNetwork({ dialect, self, limits });
    peer = new StandalonePeer({ self, network, values, gateways });
    return peer;
  }

  /** `HOST:PORT` of the module API, with the real port; `undefined` without one. */
  get apiEndpoint(): string | undefined {
    return this.#gateways.server("api")?.endpoint;
  }

  /** Its servers. */
  get gateways(): VoidphoneGateways {
    return this.#gateways;
  }

  self(): VoidphoneContact {
    return this.#self;
  }

  async store(entry: VoidphoneEntry): Promise<"stored"> {
    this.#keep(entry);
    return "stored";
  }

  async find(key: Uint8Array): Promise<Uint8Array | undefined> {
    requireKey(key);
    return this.#values.get(key);
  }

  closest(target: Uint8Array, count: number): readonly VoidphoneContact[] {
    return this.network.closest(target, count);
  }

  learn(contact: VoidphoneContact): void {
    this.network.learn(contact);
  }

  /** Keeps a copy here, and stores the others at the peers closest to the key. */
  async put(entry: VoidphoneEntry): Promise<void> {
    this.#keep(entry);
    await this.network.store(entry);
  }

  async get(
    key: Uint8Array,
    options: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<Uint8Array | undefined> {
    requireKey(key);
    return this.#values.get(key) ?? (await this.network.get(key, options));
  }

  /** Ends what is open, and stops listening. */
  async close(): Promise<void> {
    this.network.close();
    await this.#gateways.close();
  }

  #keep(entry: VoidphoneEntry): void {
    requireObject("entry", entry);
    requireKey(entry.key);
    requireFilled("a value", entry.value);
    requireWhole("a time to live", entry.ttlSeconds, 1, 65_535);
    this.#values.put(entry);
  }
}

/** Servers listen before there is a port to tell others: what comes that early is refused. */
function lateBound(
  peer: () => StandalonePeer | undefined,
): VoidphoneDht & Omit<VoidphonePeer, "self"> {
  const bound = (): StandalonePeer => {
    const found = peer();
    if (found === undefined) throw new CulvertError("CULVERT_BUSY", "the peer is starting");
    return found;
  };
  return {
    store: async (entry) => await bound().store(entry),
    find: async (key) => await bound().find(key),
    closest: (target, count) => bound().closest(target, count),
    learn: (contact) => peer()?.learn(contact),
    put: async (entry) => await bound().put(entry),
    get: async (key, options) => await bound().get(key, options),
  };
}
