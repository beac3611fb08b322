import { type Cancel, type Clock, CulvertError, repeat, requireOneOf } from "../../base/index.ts";
import {
  addressScope,
  DESCRIPTOR_LIMITS,
  formatNodeAddress,
  isAnyHost,
  type NodeAddress,
  type NodeRole,
} from "../../identity/index.ts";
import type { LinkHost } from "../../link/index.ts";
import type { Machine } from "../machine.ts";
import type { NodeConfig } from "../node-config.ts";

/** Addresses of a machine that a node names: a descriptor has room for no more. */
const ADDRESSES_MAX = DESCRIPTOR_LIMITS.addresses;

/** How often the addresses of the machine are read again. */
const READ_AGAIN_MS = 30_000;

/** Where others reach a node, as far as that is known: what it says of itself follows from it. */
export class OwnPlace {
  /** All that is known of the network is on this machine, or behind one router. */
  readonly isLocal: boolean;
  /** Whether others are asked, since nobody here knows. */
  readonly isFoundOut: boolean;
  readonly #config: NodeConfig;
  readonly #host: LinkHost;
  readonly #machine: Pick<Machine, "hosts">;
  readonly #begunWith: readonly NodeAddress[];
  readonly #listeners = new Set<() => void>();
  readonly #changeListeners = new Set<() => void>();
  #listening: readonly NodeAddress[];
  #addresses: readonly NodeAddress[];

  /** @param begunWith where the nodes are, as far as is known, by which it joins */
  constructor(
    config: NodeConfig,
    host: LinkHost,
    machine: Pick<Machine, "hosts">,
    begunWith: readonly NodeAddress[],
  ) {
    const { announce, listen, reachable } = config;
    requireOneOf("reachable", reachable, ["auto", "direct", "relay"]);
    this.#config = config;
    this.#host = host;
    this.#machine = machine;
    this.#begunWith = begunWith;
    this.#listening = announce.length > 0 ? announce : namedAddresses(host, machine.hosts());
    // The first of a network begins with nobody: where all of its own are private, so is that.
    const isHere = announce.length > 0 || reachable === "direct";
    const own = isHere ? this.#listening : listen.filter((one) => !isAnyHost(one.host));
    const all = [...own, ...begunWith];
    this.isLocal = all.length > 0 && all.every((one) => addressScope(one.host) === "private");
    this.isFoundOut = reachable === "auto" && announce.length === 0 && !this.isLocal;
    this.#addresses = reachable === "relay" ? [] : this.#listening;
  }

  /** Where it listens, or says that it does. */
  get listening(): readonly NodeAddress[] {
    return this.#listening;
  }

  /** Where it is reached directly; nowhere, when only relays lead to it. */
  get addresses(): readonly NodeAddress[] {
    return this.#addresses;
  }

  /**
   * Whether it dials private addresses that others tell of. In the open they lead to the machines
   * around it, which a stranger has no business with. Who begins with nobody, and is nowhere, was
   * told by those in the open.
   */
  get dialsPrivate(): boolean {
    const all = [...this.#addresses, ...this.#begunWith];
    return all.length > 0 && !all.some(isPublic);
  }

  /**
   * What the node says of that. Without a relay either, it is where it listens, if strangers could
   * dial that: those who could not may have been too busy. Strangers are told of no address that
   * means nothing to them: behind a NAT it tells of the network there, and leads nowhere.
   */
  named(hasRelay: boolean): readonly NodeAddress[] {
    const isNowhere = this.#addresses.length === 0;
    if (!this.isFoundOut || (isNowhere && hasRelay)) return this.#addresses;
    if (isNowhere) return this.listening.filter(isPublic);
    return this.#begunWith.some(isPublic) ? this.#addresses.filter(isPublic) : this.#addresses;
  }

  /** Who is reached through relays is none: there is never a relay behind a relay. */
  get roles(): readonly NodeRole[] {
    const { roles } = this.#config;
    return this.#addresses.length > 0 ? roles : roles.filter((role) => role !== "link-relay");
  }

  /** Calls back after every change. */
  onMove(listener: () => void): Cancel {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  /** Calls back when it listens elsewhere: the machine has other addresses. */
  onChange(listener: () => void): Cancel {
    this.#changeListeners.add(listener);
    return () => {
      this.#changeListeners.delete(listener);
    };
  }

  /** Reads the machine's addresses from time to time: it may come into another network. */
  watch(clock: Clock): Cancel {
    return repeat(clock, READ_AGAIN_MS, () => this.look());
  }

  /** Reads the machine's addresses now. */
  look(): void {
    const hosts = this.#machine.hosts();
    // A machine without a network is where it was, until it is in another one.
    if (this.#config.announce.length > 0 || hosts.length === 0) return;
    const [before, now] = [this.#listening, namedAddresses(this.#host, hosts)];
    if (textOf(now) === textOf(before)) return;
    this.#listening = now;
    // What others have found out holds until they find otherwise.
    if (textOf(this.#addresses) === textOf(before)) this.move(now);
    for (const listener of [...this.#changeListeners]) listener();
  }

  /** Others reach the node there from now on; `[]`: only relays lead to it. */
  move(addresses: readonly NodeAddress[]): void {
    if (textOf(addresses) === textOf(this.#addresses)) return;
    this.#addresses = addresses;
    for (const listener of [...this.#listeners]) listener();
  }
}

/** Where it listens, with a host that others can dial: those of the machine instead of any. */
function namedAddresses(host: LinkHost, machineHosts: readonly string[]): readonly NodeAddress[] {
  const named = host.addresses.filter((one) => !isAnyHost(one.host));
  const any = host.addresses.filter((one) => isAnyHost(one.host));
  const heard = machineHosts.flatMap((one) =>
    any
      .filter((listening) => isHeardAt(listening, one))
      .map((address) => ({ ...address, host: one })),
  );
  const open = heard.filter(isPublic);
  const all = [...named, ...(open.length > 0 ? open : heard)].slice(0, ADDRESSES_MAX);
  if (all.length > 0) return all;
  return any.map((address) => ({ ...address, host: address.host === "::" ? "::1" : "127.0.0.1" }));
}

function textOf(addresses: readonly NodeAddress[]): string {
  return addresses.map(formatNodeAddress).sort().join();
}

/** Whether it is an address of the internet, and of no private network. */
export function isPublic({ host }: NodeAddress): boolean {
  return addressScope(host) === "public";
}

function isHeardAt(listening: NodeAddress, host: string): boolean {
  return listening.host === "::" || !host.includes(":");
}

/**
 * The one port of each carrier at which a node listens.
 *
 * @throws CulvertError `CULVERT_USAGE` for two addresses of one carrier
 */
export function portsOf(listen: readonly NodeAddress[]): {
  udp?: { host: string; port: number };
  tcp?: { host: string; port: number };
} {
  const ports: ReturnType<typeof portsOf> = {};
  for (const { carrier, host, port } of listen) {
    requireOneOf("carrier", carrier, ["udp", "tcp"]);
    if (ports[carrier] !== undefined) {
      throw new CulvertError("CULVERT_USAGE", `a node listens at one ${carrier} address`);
    }
    ports[carrier] = { host, port };
  }
  return ports;
}
