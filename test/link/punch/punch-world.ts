import { Driver, SeededRandom } from "../../../src/base/index.ts";
import { isSameNode, type NodeId, NodeIdentity, nodeIdText } from "../../../src/identity/index.ts";
import type { HostPort } from "../../../src/link/index.ts";
import {
  PUNCH_LIMITS,
  type PunchLimits,
  RENDEZVOUS_LIMITS,
} from "../../../src/link/punch/limits.ts";
import type { PunchEffect, PunchInput } from "../../../src/link/punch/protocol.ts";
import { PunchCore } from "../../../src/link/punch/punch-core.ts";
import { RendezvousCore } from "../../../src/link/punch/rendezvous-core.ts";
import {
  type HostOptions,
  type LineProfile,
  type NatBehaviour,
  type NatKind,
  VirtualClock,
  type VirtualHost,
  type VirtualNat,
  VirtualNetwork,
  type VirtualPort,
} from "../../../src/testing/index.ts";

/** The port that every node has. */
export const PORT = 7_000;

/** Where a node stands: in the open, or behind NATs, the outermost first. */
export type Place = NatKind | "open" | readonly NatKind[];

/** A node of the world: its core on its UDP port, and what came out of it. */
export class PunchNode {
  readonly identity: NodeIdentity;
  readonly host: VirtualHost;
  readonly nat: VirtualNat | undefined;
  readonly port: VirtualPort;
  readonly core: PunchCore;
  readonly driver: Driver<PunchInput, PunchEffect>;
  readonly paths: Extract<PunchEffect, { kind: "path" }>[] = [];
  readonly failures: Extract<PunchEffect, { kind: "failed" }>[] = [];
  readonly #world: PunchWorld;

  constructor(world: PunchWorld, init: { seed: number; host: VirtualHost; nat?: VirtualNat }) {
    this.#world = world;
    const random = new SeededRandom(init.seed);
    this.identity = new NodeIdentity(random.bytes(32));
    this.host = init.host;
    this.nat = init.nat;
    this.port = init.host.bind(PORT);
    this.core = new PunchCore({
      identity: this.identity,
      random,
      limits: world.limits,
      now: world.clock.now(),
    });
    this.driver = new Driver(this.core, world.clock, (effect) => this.#perform(effect));
    this.port.listen({
      datagram: (bytes, from) => this.driver.handle({ kind: "datagram", bytes, from }),
    });
    const addresses = init.host.addresses.map((host) => ({ host, port: PORT }));
    this.driver.handle({ kind: "local", addresses });
  }

  get id(): NodeId {
    return this.identity.id;
  }

  punch(peer: PunchNode): void {
    const via = this.#world.rendezvous.id;
    this.driver.handle({ kind: "punch", peer: peer.id, via, unixMs: this.#world.clock.unixMs() });
  }

  #perform(effect: PunchEffect): void {
    switch (effect.kind) {
      case "signal":
        this.#world.signal(this, effect);
        break;
      case "datagram":
        this.port.send(effect.bytes, effect.to);
        break;
      case "path":
        this.paths.push(effect);
        break;
      case "failed":
        this.failures.push(effect);
        break;
    }
  }
}

/** What may be different from a clean world. */
export interface WorldOptions {
  readonly seed: number;
  readonly line?: Partial<LineProfile>;
  readonly behaviour?: Partial<NatBehaviour>;
  readonly limits?: Partial<PunchLimits>;
  /** How often a signal through the rendezvous is lost. */
  readonly signalLoss?: number;
}

/**
 * A world of nodes that punch: two rendezvous in the open, which also tell everybody their
 * addresses, and signals that travel through the first one for as long as datagrams would.
 */
export class PunchWorld {
  readonly clock = new VirtualClock();
  readonly limits: PunchLimits;
  readonly network: VirtualNetwork;
  readonly rendezvous: PunchNode;
  readonly observer: PunchNode;
  readonly nodes: PunchNode[] = [];
  readonly #random: SeededRandom;
  readonly #options: WorldOptions;
  readonly #switch: RendezvousCore;
  /** Sees every signal on its way, and may keep it, change it or say it again. */
  tamper: (signal: Uint8Array) => readonly Uint8Array[] = (signal) => [signal];

  constructor(options: WorldOptions) {
    this.#options = options;
    this.#random = new SeededRandom(options.seed);
    this.limits = { ...PUNCH_LIMITS, ...options.limits };
    this.network = new VirtualNetwork({
      clock: this.clock,
      seed: options.seed,
      line: { delayMs: 5 + this.#random.below(60), ...options.line },
    });
    this.#switch = new RendezvousCore({
      limits: RENDEZVOUS_LIMITS,
      isLinked: (id) => this.#find(id) !== undefined,
    });
    this.rendezvous = this.#add(this.network.addHost({ addresses: ["192.0.2.1"] }));
    this.observer = this.#add(this.network.addHost({ addresses: ["192.0.2.2"] }));
  }

  /** Adds a node, and lets it learn its addresses. */
  add(place: Place, hostOptions: Partial<HostOptions> = {}): PunchNode {
    const number = this.nodes.length;
    const kinds = place === "open" ? [] : typeof place === "string" ? [place] : place;
    let nat: VirtualNat | undefined;
    kinds.forEach((kind, depth) => {
      const outer = depth === 0 ? `203.0.113.${number}` : `10.${number}.${depth}.1`;
      nat = this.network.addNat({
        outer,
        kind,
        ...(nat === undefined ? {} : { behind: nat }),
        ...(this.#options.behaviour === undefined ? {} : { behaviour: this.#options.behaviour }),
      });
    });
    return this.addBehind(nat, {
      addresses: [nat === undefined ? `198.51.100.${number}` : `192.168.${number}.2`],
      ...hostOptions,
    });
  }

  /** Adds a node behind a NAT that is there. */
  addBehind(nat: VirtualNat | undefined, options: HostOptions): PunchNode {
    const node = this.#add(
      this.network.addHost({ ...options, ...(nat === undefined ? {} : { behind: nat }) }),
      nat,
    );
    this.observe(node);
    return node;
  }

  /** Lets a node ask both observers for its address. */
  observe(node: PunchNode): void {
    for (const observer of [this.rendezvous, this.observer]) {
      const address: HostPort = { host: observer.host.addresses[0] ?? "", port: PORT };
      node.driver.handle({ kind: "ask", node: observer.id, address });
    }
    this.clock.advance(1_000);
  }

  signal(from: PunchNode, { to, via, bytes }: PunchEffect & { kind: "signal" }): void {
    // Others pass nothing on.
    if (!isSameNode(via, this.rendezvous.id)) return;
    if (this.#random.unit() < (this.#options.signalLoss ?? 0)) return;
    const toMs = this.#legMs(from);
    this.clock.schedule(this.clock.now() + toMs, () => {
      const judged = this.#switch.judge(
        { from: from.id, to, bytes: bytes.length },
        this.clock.now(),
      );
      const receiver = this.#find(to);
      if (judged === "pass" && receiver !== undefined) {
        for (const told of this.tamper(bytes.slice())) this.#tell(receiver, from.id, via, told);
      } else if (judged === "not-linked" || judged === "busy") {
        const reason = judged;
        this.clock.schedule(this.clock.now() + toMs, () => {
          from.driver.handle({ kind: "undelivered", to, via, reason });
        });
      }
    });
  }

  #tell(receiver: PunchNode, from: NodeId, via: NodeId, bytes: Uint8Array): void {
    if (this.#random.unit() < (this.#options.signalLoss ?? 0)) return;
    this.clock.schedule(this.clock.now() + this.#legMs(receiver), () => {
      const unixMs = this.clock.unixMs();
      receiver.driver.handle({ kind: "signal", from, via, bytes, unixMs });
    });
  }

  #legMs(node: PunchNode): number {
    return 2 * (node.nat ?? node.host).line.profile.delayMs;
  }

  #add(host: VirtualHost, nat?: VirtualNat): PunchNode {
    const seed = this.#options.seed * 1_000 + this.nodes.length;
    const node = new PunchNode(this, { seed, host, ...(nat === undefined ? {} : { nat }) });
    this.nodes.push(node);
    return node;
  }

  #find(id: NodeId): PunchNode | undefined {
    return this.nodes.find((node) => nodeIdText(node.id) === nodeIdText(id));
  }
}

/** Whether what the paths promise is true: datagrams go both ways between the two sockets. */
export function isWhole(world: PunchWorld, a: PunchNode, b: PunchNode): boolean {
  const [path, back] = [a.paths.at(-1), b.paths.at(-1)];
  if (path === undefined || back === undefined) return false;
  const seen: string[] = [];
  a.port.listen({ datagram: () => seen.push("a") });
  b.port.listen({ datagram: () => seen.push("b") });
  a.port.send(Uint8Array.of(1), path.address);
  world.clock.advance(1_000);
  b.port.send(Uint8Array.of(1), back.address);
  world.clock.advance(1_000);
  return seen.includes("a") && seen.includes("b");
}

/** The datagrams that a node sends from now on, as they come. */
export function sentBy({ port }: PunchNode): readonly Uint8Array[] {
  const sent: Uint8Array[] = [];
  const { send } = port;
  port.send = (bytes, to) => {
    sent.push(bytes.slice());
    send.call(port, bytes, to);
  };
  return sent;
}
