import { assert, type Clock, Counts, type Instant, SeededRandom } from "../../base/index.ts";
import { flipBits } from "../flip-bits.ts";
import { hashBytes, Trace } from "../world/trace.ts";
import { VirtualHost } from "./host.ts";
import { CLEAN_LINE, checkedLine, INSTANT_LINE, Line, type LineProfile } from "./line.ts";
import { behaviourOf, type NatBehaviour, type NatKind, NatTable } from "./nat.ts";
import { type Packet, packetBytes } from "./packet.ts";

/** What becomes of packets. */
export type PacketFate =
  | "delivered"
  | "loss"
  | "queue"
  | "corrupt"
  | "filtered"
  | "hairpin"
  | "unroutable"
  | "closed-port"
  | "partition"
  | "offline";

/** Options of a host. */
export interface HostOptions {
  /** IP addresses in their shortest text form; public ones, or those of the NAT's inside. */
  readonly addresses: readonly string[];
  /** The NAT that it is behind; none when it is in the open. */
  readonly behind?: VirtualNat;
  /** {@link CLEAN_LINE} in the open and {@link INSTANT_LINE} behind a NAT, unless given. */
  readonly line?: Partial<LineProfile>;
}

/** Options of a NAT. */
export interface NatOptions {
  /** Its outer IPv4 address. */
  readonly outer: string;
  readonly kind: NatKind;
  /** Where it differs from its kind, and from {@link NAT_DEFAULTS}. */
  readonly behaviour?: Partial<NatBehaviour>;
  /** The NAT that it is behind itself, as a home router is behind that of its provider. */
  readonly behind?: VirtualNat;
  readonly line?: Partial<LineProfile>;
}

/** A part of the network in which addresses are unique: the open one, or the inside of a NAT. */
interface Realm {
  readonly gateway: VirtualNat | undefined;
  readonly members: Map<string, VirtualHost | VirtualNat>;
}

/** Most bits that one corruption flips. */
const FLIPS_MAX = 4;

/** A NAT with the network behind it. */
export class VirtualNat {
  readonly table: NatTable;
  readonly line: Line;
  /** The network that it is a member of. */
  readonly outside: Realm;
  /** The network behind it. */
  readonly inside: Realm = { gateway: this, members: new Map() };

  constructor(table: NatTable, line: Line, outside: Realm) {
    this.table = table;
    this.line = line;
    this.outside = outside;
    outside.members.set(table.outerHost, this);
  }

  /** Forgets every mapping, and may come back with another address, as after a reboot. */
  rebind(outer: string = this.table.outerHost): void {
    this.outside.members.delete(this.table.outerHost);
    this.table.rebind(outer);
    this.outside.members.set(outer, this);
  }
}

/** Options of a network. */
export interface NetworkOptions {
  readonly clock: Clock;
  readonly seed: number;
  /** What hosts and NATs in the open have, where they are not told otherwise. */
  readonly line?: Partial<LineProfile>;
  /** Takes one line of text for every packet: to read what a failing seed did. */
  readonly log?: (line: string) => void;
}

/**
 * An internet in one process, as a function of a seed: hosts with their addresses and ports, the
 * lines between them with every fault of {@link LineProfile}, NATs of every kind, nested if wished,
 * and partitions. Packets travel on the clock; nothing arrives inside the call that sends it. Two
 * runs of one seed are the same run, packet for packet, and have the same {@link traceHash}.
 *
 * Between two places a packet passes the line of the sender upwards and that of the receiver
 * downwards, and those of the NATs on its way.
 */
export class VirtualNetwork {
  readonly #clock: Clock;
  readonly #random: SeededRandom;
  readonly #line: LineProfile;
  readonly #trace: Trace;
  readonly #open: Realm = { gateway: undefined, members: new Map() };
  readonly #hosts: VirtualHost[] = [];
  readonly #realms = new Map<VirtualHost, Realm>();
  readonly #counts = new Counts<PacketFate>();
  #islands: ReadonlyMap<number, number> = new Map();
  #connections = 0;

  constructor(options: NetworkOptions) {
    this.#clock = options.clock;
    this.#random = new SeededRandom(options.seed);
    this.#line = checkedLine({ ...CLEAN_LINE, ...options.line });
    this.#trace = new Trace({ log: options.log });
  }

  /** The fingerprint of every packet so far, and of its fate. */
  get traceHash(): string {
    return this.#trace.hash();
  }

  /** How many packets have met this fate; a duplicate counts twice. */
  count(fate: PacketFate): number {
    return this.#counts.of(fate);
  }

  /** Adds a host. */
  addHost(options: HostOptions): VirtualHost {
    const random = this.#random.fork(this.#hosts.length);
    const host = new VirtualHost({
      clock: this.#clock,
      random,
      number: this.#hosts.length,
      addresses: options.addresses,
      line: new Line(this.#profile(options), random.fork(1)),
      nextConnection: () => {
        this.#connections += 1;
        return this.#connections;
      },
      send: (packet) => this.#depart(host, packet),
    });
    this.#hosts.push(host);
    this.#attach(host, options.behind);
    return host;
  }

  /** Adds a NAT; give it as `behind` to what stands behind it. */
  addNat(options: NatOptions): VirtualNat {
    const random = this.#random.fork(0x4e4154);
    const behaviour = behaviourOf(options.kind, options.behaviour);
    const outside = options.behind?.inside ?? this.#open;
    const line = new Line(this.#profile(options), random.fork(1));
    return new VirtualNat(new NatTable(options.outer, behaviour, random), line, outside);
  }

  /** Takes a host to another place, with other addresses; its ports stay open. */
  move(host: VirtualHost, to: Pick<HostOptions, "addresses" | "behind">): void {
    this.#detach(host);
    host.readdress(to.addresses);
    this.#attach(host, to.behind);
  }

  /** Splits the network: hosts of two groups, or of none and one, do not reach each other. */
  partition(...groups: readonly (readonly VirtualHost[])[]): void {
    const islands = groups.flatMap((group, at) =>
      group.map(({ number }) => [number, at + 1] as const),
    );
    this.#islands = new Map(islands);
  }

  /** Ends the partition. */
  heal(): void {
    this.#islands = new Map();
  }

  #profile(options: { line?: Partial<LineProfile>; behind?: VirtualNat }): LineProfile {
    const usual = options.behind === undefined ? this.#line : INSTANT_LINE;
    return options.line === undefined ? usual : checkedLine({ ...usual, ...options.line });
  }

  #attach(host: VirtualHost, behind: VirtualNat | undefined): void {
    const realm = behind?.inside ?? this.#open;
    this.#realms.set(host, realm);
    for (const address of host.addresses) {
      assert(!realm.members.has(address), `${address} is free`);
      realm.members.set(address, host);
      // IPv6 is routed, not translated: every network around it knows the way.
      for (const nat of address.includes(":") ? gatewaysOf(realm) : []) {
        nat.outside.members.set(address, nat);
      }
    }
  }

  #detach(host: VirtualHost): void {
    const realm = this.#realms.get(host);
    assert(realm !== undefined, "a host is somewhere");
    for (const address of host.addresses) {
      realm.members.delete(address);
      for (const nat of address.includes(":") ? gatewaysOf(realm) : []) {
        nat.outside.members.delete(address);
      }
    }
  }

  #depart(host: VirtualHost, packet: Packet): void {
    const realm = this.#realms.get(host);
    assert(realm !== undefined, "a host is somewhere");
    if (!host.isOnline) this.#end(packet, "offline");
    else
      this.#pass(host.line, "up", packet, (moved, delayMs) => this.#climb(moved, realm, delayMs));
  }

  /** The way up: through gateways, whose tables are asked now, until the receiver is a member. */
  #climb(packet: Packet, realm: Realm, delayMs: number): void {
    const { host } = packet.destination;
    const member = realm.members.get(host);
    if (member !== undefined) {
      this.#approach(packet, member, delayMs);
      return;
    }
    const nat = realm.gateway;
    if (nat === undefined) this.#end(packet, "unroutable");
    else if (host === nat.table.outerHost) this.#hairpin(packet, nat, delayMs);
    else {
      const translated = nat.table.outbound(packet, this.#clock.now());
      this.#pass(nat.line, "up", translated, (moved, lineMs) => {
        this.#climb(moved, nat.outside, delayMs + lineMs);
      });
    }
  }

  /** The last line of the way up is the first of the way down. */
  #approach(packet: Packet, member: VirtualHost | VirtualNat, delayMs: number): void {
    const clock = this.#clock;
    if (member.line.hasQueue) {
      clock.schedule(clock.now() + delayMs, () => this.#descend(packet, member));
      return;
    }
    const passed = (moved: Packet, lineMs: number): void => {
      clock.schedule(clock.now() + delayMs + lineMs, () => this.#arrive(moved, member));
    };
    this.#pass(member.line, "down", packet, passed, delayMs);
  }

  #hairpin(packet: Packet, nat: VirtualNat, delayMs: number): void {
    if (!nat.table.behaviour.isHairpinning) {
      this.#end(packet, "hairpin");
      return;
    }
    const now: Instant = this.#clock.now();
    const back = nat.table.inbound(nat.table.outbound(packet, now), now);
    if (back === undefined) this.#end(packet, "filtered");
    else this.#climb(back, nat.inside, delayMs);
  }

  /** The way down: a NAT's table is asked when the packet reaches it. */
  #arrive(packet: Packet, at: VirtualHost | VirtualNat): void {
    if (at instanceof VirtualHost) {
      this.#deliver(packet, at);
      return;
    }
    const translated = at.table.inbound(packet, this.#clock.now());
    if (translated === undefined) this.#end(packet, "filtered");
    else {
      const member = at.inside.members.get(translated.destination.host);
      if (member === undefined) this.#end(packet, "unroutable");
      else this.#descend(translated, member);
    }
  }

  #descend(packet: Packet, member: VirtualHost | VirtualNat): void {
    this.#pass(member.line, "down", packet, (moved, lineMs) => {
      if (lineMs === 0) this.#arrive(moved, member);
      else this.#clock.schedule(this.#clock.now() + lineMs, () => this.#arrive(moved, member));
    });
  }

  #deliver(packet: Packet, host: VirtualHost): void {
    const { origin } = packet;
    if (!host.isOnline) this.#end(packet, "offline");
    else if (this.#islands.get(origin) !== this.#islands.get(host.number)) {
      this.#end(packet, "partition");
    } else {
      this.#end(packet, "delivered");
      if (!host.handle(packet)) this.#counts.add("closed-port");
    }
  }

  /**
   * Passes a packet along a line, which it reaches in `inMs`: `next` is called for each copy that
   * comes through.
   */
  #pass(
    line: Line,
    direction: "up" | "down",
    packet: Packet,
    next: (packet: Packet, delayMs: number) => void,
    inMs = 0,
  ): void {
    const at = this.#clock.now() + inMs;
    const { copies, dropped } = line.pass(direction, packetBytes(packet), at);
    if (dropped !== undefined) this.#end(packet, dropped);
    for (const { delayMs, isCorrupt } of copies) {
      if (!isCorrupt) next(packet, delayMs);
      else if (packet.segment === undefined) next(this.#corrupted(packet), delayMs);
      else this.#end(packet, "corrupt");
    }
  }

  #corrupted(packet: Packet): Packet {
    if (packet.bytes.length === 0) return packet;
    const flips = 1 + this.#random.below(FLIPS_MAX);
    return { ...packet, bytes: flipBits(packet.bytes, this.#random, flips) };
  }

  #end(packet: Packet, fate: PacketFate): void {
    this.#counts.add(fate);
    const { protocol, source, destination } = packet;
    const kind = packet.segment?.kind ?? "datagram";
    const who = `${source.host}:${source.port}>${destination.host}:${destination.port}`;
    this.#trace.event(this.#clock.now(), who, `${protocol} ${kind} ${fate}`, packet.bytes.length);
    this.#trace.detail(hashBytes(packet.bytes));
  }
}

function gatewaysOf(realm: Realm): VirtualNat[] {
  const gateways: VirtualNat[] = [];
  for (let nat = realm.gateway; nat !== undefined; nat = nat.outside.gateway) gateways.push(nat);
  return gateways;
}
