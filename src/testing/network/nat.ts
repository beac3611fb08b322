import {
  assert,
  type Instant,
  LruMap,
  requireOneOf,
  requirePositive,
  type SeededRandom,
} from "../../base/index.ts";
import type { NetworkEndpoint, NetworkProtocol, Packet } from "./packet.ts";

/** What an inner endpoint's mapping, or a filter's permission, depends on (RFC 4787). */
export type NatDependence = "endpoint-independent" | "address" | "address-and-port";

/** The kinds of NAT by their old names (RFC 3489). */
export type NatKind = "full-cone" | "restricted" | "port-restricted" | "symmetric";

/** How a NAT behaves. */
export interface NatBehaviour {
  /** Which packets of one inner endpoint share an outer port. */
  readonly mapping: NatDependence;
  /** Which answers come in. */
  readonly filtering: NatDependence;
  /** Which outer port is taken: the inner one where it is free, the next one, or any. */
  readonly ports: "preserved" | "sequential" | "random";
  /** A mapping of UDP that nothing went out through is forgotten after so long. */
  readonly mappingMs: number;
  /** The same for TCP. */
  readonly mappingTcpMs: number;
  /** Whether an inner host reaches another one by its outer address. */
  readonly isHairpinning: boolean;
  /** Mappings at once; then the one that would be forgotten first goes. */
  readonly mappingsMax: number;
}

/** A common home router: RFC 4787's shortest time, no hairpin. */
export const NAT_DEFAULTS: NatBehaviour = Object.freeze({
  mapping: "endpoint-independent",
  filtering: "address-and-port",
  ports: "preserved",
  mappingMs: 120_000,
  mappingTcpMs: 7_440_000,
  isHairpinning: false,
  mappingsMax: 4_096,
});

/** What each kind of NAT is made of. */
export const NAT_KINDS: Readonly<Record<NatKind, Partial<NatBehaviour>>> = Object.freeze({
  "full-cone": { mapping: "endpoint-independent", filtering: "endpoint-independent" },
  restricted: { mapping: "endpoint-independent", filtering: "address" },
  "port-restricted": { mapping: "endpoint-independent", filtering: "address-and-port" },
  symmetric: { mapping: "address-and-port", filtering: "address-and-port", ports: "random" },
});

const DEPENDENCES = ["endpoint-independent", "address", "address-and-port"] as const;

/**
 * The behaviour of a kind of NAT, with what is different.
 *
 * @throws RangeError for a kind, or a behaviour, that is none
 */
export function behaviourOf(kind: NatKind, given: Partial<NatBehaviour> = {}): NatBehaviour {
  requireOneOf("kind", kind, ["full-cone", "restricted", "port-restricted", "symmetric"]);
  const behaviour = { ...NAT_DEFAULTS, ...NAT_KINDS[kind], ...given };
  const { mapping, filtering, ports, isHairpinning, ...amounts } = behaviour;
  requireOneOf("mapping", mapping, DEPENDENCES);
  requireOneOf("filtering", filtering, DEPENDENCES);
  requireOneOf("ports", ports, ["preserved", "sequential", "random"]);
  requireOneOf("isHairpinning", isHairpinning, [true, false]);
  for (const [name, value] of Object.entries(amounts)) requirePositive(name, value);
  return behaviour;
}

interface Mapping {
  readonly key: string;
  readonly inner: NetworkEndpoint;
  readonly outer: NetworkEndpoint;
  readonly protocol: NetworkProtocol;
  /** Whom a packet went to, as far as the filter tells them apart, and until when that counts. */
  readonly permitted: LruMap<string, Instant>;
  expiresAt: Instant;
}

/** Permissions of one mapping; then the longest unused one goes. */
const PERMITTED_MAX = 1_024;
const PORT_FIRST = 1_024;
const PORTS = 65_536 - PORT_FIRST;

/**
 * The tables of one NAT, with IPv4 behind one outer address; what it does with IPv6 is filtering
 * without translation, as home routers do. Only what goes out keeps a mapping alive.
 *
 * Source: RFC 4787, sections 4 to 6, whose terms the options use.
 */
export class NatTable {
  readonly behaviour: NatBehaviour;
  readonly #random: SeededRandom;
  readonly #byInner = new Map<string, Mapping>();
  readonly #byOuter = new Map<string, Mapping>();
  #outerHost: string;
  #nextPort = PORT_FIRST;

  constructor(outerHost: string, behaviour: NatBehaviour, random: SeededRandom) {
    this.#outerHost = outerHost;
    this.behaviour = behaviour;
    this.#random = random;
    this.#nextPort = PORT_FIRST + random.below(PORTS);
  }

  /** The IPv4 address that the network sees. */
  get outerHost(): string {
    return this.#outerHost;
  }

  /** How many mappings are held, the expired ones that nobody asked for included. */
  get size(): number {
    return this.#byOuter.size;
  }

  /** Forgets every mapping, as a reboot does, and may come back with another address. */
  rebind(outerHost: string = this.#outerHost): void {
    this.#byInner.clear();
    this.#byOuter.clear();
    this.#outerHost = outerHost;
  }

  /** A packet on its way out as the network sees it; makes or refreshes its mapping. */
  outbound(packet: Packet, now: Instant): Packet {
    const mapping = this.#mapOut(packet, now);
    mapping.expiresAt = now + this.#lifeMs(packet.protocol);
    const whom = dependentKey(this.behaviour.filtering, packet.destination);
    mapping.permitted.set(whom, mapping.expiresAt);
    return { ...packet, source: mapping.outer };
  }

  /** A packet from outside as the inner network sees it; `undefined` when it is not let in. */
  inbound(packet: Packet, now: Instant): Packet | undefined {
    const key = outerKey(packet.protocol, packet.destination);
    const mapping = this.#byOuter.get(key);
    if (mapping === undefined) return undefined;
    if (mapping.expiresAt <= now) {
      this.#forget(mapping);
      return undefined;
    }
    const { filtering } = this.behaviour;
    if (filtering !== "endpoint-independent") {
      const permittedUntil = mapping.permitted.peek(dependentKey(filtering, packet.source));
      if (permittedUntil === undefined || permittedUntil <= now) return undefined;
    }
    return { ...packet, destination: mapping.inner };
  }

  #mapOut(packet: Packet, now: Instant): Mapping {
    const { protocol, source } = packet;
    const isTranslated = !source.host.includes(":");
    const dependence = isTranslated ? this.behaviour.mapping : "endpoint-independent";
    const to = dependentKey(dependence, packet.destination);
    const key = `${protocol}|${source.host}|${source.port}|${to}`;
    const known = this.#byInner.get(key);
    if (known !== undefined && known.expiresAt > now) return known;
    if (known !== undefined) this.#forget(known);
    if (this.#byOuter.size >= this.behaviour.mappingsMax) this.#forgetOldest();
    const outer = isTranslated
      ? { host: this.#outerHost, port: this.#freePort(protocol, source.port) }
      : source;
    const expiresAt = now + this.#lifeMs(protocol);
    const made = {
      key,
      inner: source,
      outer,
      protocol,
      permitted: new LruMap<string, Instant>(PERMITTED_MAX),
      expiresAt,
    };
    this.#byInner.set(key, made);
    this.#byOuter.set(outerKey(protocol, outer), made);
    return made;
  }

  #freePort(protocol: NetworkProtocol, innerPort: number): number {
    const { ports } = this.behaviour;
    let port = innerPort;
    if (ports === "random") port = PORT_FIRST + this.#random.below(PORTS);
    if (ports === "sequential") port = this.#nextPort;
    for (let tried = 0; tried < PORTS; tried++) {
      const host = this.#outerHost;
      if (!this.#byOuter.has(outerKey(protocol, { host, port }))) {
        this.#nextPort = portAfter(port);
        return port;
      }
      port = portAfter(port);
    }
    assert(false, "a NAT has fewer mappings than ports");
  }

  #lifeMs(protocol: NetworkProtocol): number {
    return protocol === "udp" ? this.behaviour.mappingMs : this.behaviour.mappingTcpMs;
  }

  #forget(mapping: Mapping): void {
    this.#byInner.delete(mapping.key);
    this.#byOuter.delete(outerKey(mapping.protocol, mapping.outer));
  }

  #forgetOldest(): void {
    let oldest: Mapping | undefined;
    for (const mapping of this.#byOuter.values()) {
      if (oldest === undefined || mapping.expiresAt < oldest.expiresAt) oldest = mapping;
    }
    if (oldest !== undefined) this.#forget(oldest);
  }
}

function portAfter(port: number): number {
  return port >= 65_535 ? PORT_FIRST : port + 1;
}

function outerKey(protocol: NetworkProtocol, { host, port }: NetworkEndpoint): string {
  return `${protocol}|${host}|${port}`;
}

function dependentKey(dependence: NatDependence, { host, port }: NetworkEndpoint): string {
  if (dependence === "endpoint-independent") return "";
  return dependence === "address" ? host : `${host}|${port}`;
}
