import { NodeIdentity, nodeIdText } from "../../src/identity/index.ts";
import { systemClock } from "../../src/io/clock.ts";
import { systemRandom } from "../../src/io/random.ts";
import { type Link, type LinkHost, openLinkHost } from "../../src/link/index.ts";
import { OnionOverLinks } from "../../src/node/onion/onion-over-links.ts";
import {
  type OnionLinks,
  type OnionPeer,
  type Route,
  TunnelService,
} from "../../src/onion/index.ts";
import { packetBytes } from "../../src/onion/packet/geometry.ts";
import type { AcceptanceNet, NetOptions, SentUnit, Spoil } from "../onion/acceptance-net.ts";
import { fastSuite, GEOMETRY } from "../onion/fixtures.ts";
import { until } from "./in-process-network.ts";

const LOOPBACK = { host: "127.0.0.1", port: 0 };

/** Nobody says over UDP that a node is gone: so long is waited for one that was killed. */
const LIMITS = { handshakeMs: 4_000 };

interface LoopbackNode {
  readonly id: Uint8Array;
  readonly host: LinkHost;
  readonly links: OnionOverLinks;
  readonly service: TunnelService;
}

/** Onion nodes in this process with links over the loopback between them: real sockets. */
export class LoopbackOnions implements AcceptanceNet {
  readonly passages: SentUnit[] = [];
  readonly geometry: typeof GEOMETRY;
  readonly #carrier: "udp" | "tcp";
  readonly #options: NetOptions;
  readonly #nodes: LoopbackNode[] = [];
  readonly #indexes = new Map<string, number>();
  #spoil: Spoil = {};

  private constructor(carrier: "udp" | "tcp", options: NetOptions) {
    this.#carrier = carrier;
    this.geometry = options.geometry ?? GEOMETRY;
    this.#options = options;
  }

  static async open(
    carrier: "udp" | "tcp",
    count: number,
    options: NetOptions = {},
  ): Promise<LoopbackOnions> {
    const net = new LoopbackOnions(carrier, options);
    for (let i = 0; i < count; i++) await net.#start(i);
    return net;
  }

  node(index: number): LoopbackNode {
    const node = this.#nodes[index];
    if (node === undefined) throw new Error(`there is no node ${index}`);
    return node;
  }

  service(index: number): TunnelService {
    return this.node(index).service;
  }

  peer(index: number): OnionPeer {
    const { id, service } = this.node(index);
    const onionKeys = service.onionKeys();
    return { id, onionKeys, prefixes: [], isRelay: true, isExit: true };
  }

  route(...indexes: readonly number[]): Route {
    const peers = indexes.map((index) => this.peer(index));
    const hops = peers.map(({ id, onionKeys }) => {
      return { id, onionKey: onionKeys[0]?.publicKey ?? new Uint8Array(32) };
    });
    return { epoch: peers[0]?.onionKeys[0]?.epoch ?? 0, hops };
  }

  async kill(index: number): Promise<void> {
    const { service, links, host } = this.node(index);
    service.close();
    links.close();
    await host.close();
  }

  async restart(index: number): Promise<void> {
    await this.kill(index);
    await this.#start(index);
  }

  spoil(how: Spoil): void {
    this.#spoil = how;
  }

  settle<T>(promise: Promise<T>): Promise<T> {
    return promise;
  }

  async until(isSo: () => boolean): Promise<void> {
    await until(isSo);
  }

  async rest(): Promise<void> {
    await new Promise((wake) => setTimeout(wake, 100));
  }

  async close(): Promise<void> {
    await Promise.all(this.#nodes.map((_, index) => this.kill(index)));
  }

  async #start(index: number): Promise<void> {
    const identity = new NodeIdentity(new Uint8Array(32).fill(1 + index));
    const at = { [this.#carrier]: LOOPBACK };
    const host = await openLinkHost({ identity, network: "test", limits: LIMITS, ...at });
    const sizes = {
      packetBytes: packetBytes(this.geometry),
      cellBytes: this.geometry.cellBytes,
    };
    const links = new OnionOverLinks(host, (id) => this.#linkTo(host, id), sizes);
    const parts = { clock: systemClock, random: systemRandom, suite: fastSuite() };
    const watched = this.#watched(index, links);
    const options = this.#options.others?.get(index) ?? this.#options;
    const service = new TunnelService(
      { ...parts, links: watched, self: identity.id },
      { ...options, geometry: this.geometry },
    );
    links.serve({
      receive: (from, unit) => service.receive(from, unit),
      accept: (from, channel) => {
        const to = this.#indexOf(from);
        return service.accept(from, {
          send: (unit) => this.#pass({ from: index, to, bytes: unit }, (it) => channel.send(it)),
          close: () => channel.close(),
        });
      },
    });
    this.#nodes[index] = { id: identity.id, host, links, service };
    this.#indexes.set(nodeIdText(identity.id), index);
  }

  /** The links, with a note of all that is sent, and what spoils it. */
  #watched(index: number, links: OnionOverLinks): OnionLinks {
    return {
      send: async (to, unit) => {
        const sending: Promise<void>[] = [];
        this.#pass({ from: index, to: this.#indexOf(to), bytes: unit }, (it) => {
          sending.push(links.send(to, it));
        });
        await Promise.all(sending);
      },
      open: (to, events) => {
        const channel = links.open(to, events);
        const sent = { from: index, to: this.#indexOf(to) };
        return {
          send: (bytes) => this.#pass({ ...sent, bytes }, (it) => channel.send(it)),
          close: () => channel.close(),
        };
      },
    };
  }

  #pass(sent: SentUnit, send: (unit: Uint8Array) => void): void {
    this.passages.push({ ...sent, bytes: sent.bytes.slice() });
    const { units = ({ bytes }) => [bytes], holdMs = () => 0 } = this.#spoil;
    const pass = (): void => {
      for (const unit of units(sent)) send(unit);
    };
    const wait = holdMs(sent);
    if (wait > 0) setTimeout(pass, wait);
    else pass();
  }

  #indexOf(id: Uint8Array): number {
    return this.#indexes.get(nodeIdText(id)) ?? -1;
  }

  async #linkTo(host: LinkHost, id: Uint8Array): Promise<Link> {
    const open = host.find(id);
    if (open?.isOpen === true) return open;
    return await host.dial({ id, addresses: this.node(this.#indexOf(id)).host.addresses });
  }
}
