import { type Cancel, type Clock, type Random, repeat } from "../base/index.ts";
import type { NodeId, OnionKey } from "../identity/index.ts";
import type { ChannelEvents, OnionChannel, OnionLinks } from "./links.ts";
import { checkedGeometry, ONION_GEOMETRY, type OnionGeometry } from "./packet/geometry.ts";
import { KeyRing } from "./packet/key-ring.ts";
import { type OnionParts, Peeler } from "./packet/packet.ts";
import type { PacketLimits } from "./packet/packet-protocol.ts";
import { type PacketHandlers, PacketShell } from "./packet/packet-shell.ts";
import { defaultSuite, type OnionSuite } from "./packet/suite.ts";
import type { RelayOptions } from "./relay/relay-options.ts";
import { type CircuitHandlers, RelayShell } from "./relay/relay-shell.ts";

/** What a node does with what ends at it. Called from event handlers: must not throw. */
export interface TunnelHandlers extends CircuitHandlers, PacketHandlers {
  /** The descriptor of this node has to tell {@link TunnelService.onionKeys} anew. */
  keysChanged(): void;
}

/** What a tunnel service is built from. */
export interface TunnelComponents {
  readonly links: OnionLinks;
  readonly clock: Clock;
  readonly random: Random;
  readonly self: NodeId;
  readonly suite?: OnionSuite;
}

/** Options of a tunnel service. */
export interface TunnelOptions {
  readonly geometry?: OnionGeometry;
  readonly relay?: Partial<RelayOptions>;
  readonly packets?: Partial<PacketLimits>;
}

/** How often the keys are looked at when nothing comes. */
const KEY_WATCH_MS = 60_000;

/**
 * The onion side of a node: relay, last hop and destination. What neighbours send is opened with
 * the keys of the epoch and passed on at once; nothing of a message is held.
 */
export class TunnelService {
  readonly parts: OnionParts;
  readonly self: NodeId;
  readonly clock: Clock;
  readonly random: Random;
  readonly links: OnionLinks;
  /** One-time packets of this node's own go out and come home here. */
  readonly packets: PacketShell;
  readonly #ring: KeyRing;
  readonly #relay: RelayShell;
  #handlers: Partial<TunnelHandlers> = {};
  readonly #cancelWatch: Cancel;
  #isClosed = false;

  constructor(components: TunnelComponents, options: TunnelOptions = {}) {
    const { clock, random, self, links, suite = defaultSuite() } = components;
    const geometry = checkedGeometry(options.geometry ?? ONION_GEOMETRY);
    this.parts = { suite, geometry };
    this.self = self;
    this.clock = clock;
    this.random = random;
    this.links = links;
    this.#ring = new KeyRing({ suite, random });
    const inner = {
      parts: this.parts,
      peeler: new Peeler(this.parts, this.#ring),
      self,
      random,
      clock,
      links,
      handlers: () => this.#handlers,
    };
    const isRelay = options.relay?.isRelay ?? true;
    this.packets = new PacketShell(inner, { limits: options.packets ?? {}, isRelay });
    this.#relay = new RelayShell(inner, options.relay);
    this.#advanceKeys();
    this.#cancelWatch = repeat(this.clock, KEY_WATCH_MS, () => this.#advanceKeys());
  }

  /** The X25519 keys that belong in this node's descriptor now. */
  onionKeys(): OnionKey[] {
    this.#advanceKeys();
    return this.#ring.published(this.clock.unixMs());
  }

  /** The keys that reply blocks of this node may end with. */
  replyKeys(): OnionKey[] {
    this.#advanceKeys();
    return this.#ring.forReplies(this.clock.unixMs());
  }

  /** What was passed on, dropped, refused and ended, by name. */
  counts(): {
    readonly packets: ReadonlyMap<string, number>;
    readonly circuits: ReadonlyMap<string, number>;
  } {
    return { packets: this.packets.counts, circuits: this.#relay.counts };
  }

  /** Circuits that go through or end here. */
  get circuits(): number {
    return this.#relay.circuits;
  }

  /** Adds or replaces handlers. Without one for requests, requests end their circuit. */
  setHandlers(handlers: Partial<TunnelHandlers>): void {
    this.#handlers = { ...this.#handlers, ...handlers };
  }

  /**
   * A neighbour has sent a one-time unit, which is handed over.
   *
   * @param source whom it counts for, by what all share; the neighbour itself if absent
   */
  receive(from: NodeId, unit: Uint8Array, source?: string): void {
    this.#advanceKeys();
    this.packets.receive(from, unit, source);
  }

  /**
   * A neighbour has opened a channel; what happens on it goes to the events that come back.
   *
   * @param source as with {@link receive}
   */
  accept(from: NodeId, channel: OnionChannel, source?: string): ChannelEvents {
    this.#advanceKeys();
    return this.#relay.accept(from, channel, source);
  }

  /** Ends everything: circuits through this node too. Nothing is left running. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#cancelWatch();
    this.packets.close();
    this.#relay.close();
  }

  #advanceKeys(): void {
    if (this.#isClosed || !this.#ring.advance(this.clock.unixMs())) return;
    this.#handlers.keysChanged?.();
  }
}
