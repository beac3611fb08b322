import type { Cancel } from "../base/index.ts";
import {
  addressScope,
  DESCRIPTOR_LIMITS,
  formatNodeAddress,
  type NodeAddress,
  type NodeRole,
} from "../identity/index.ts";
import type { LinkHost } from "../link/index.ts";
import type { Machine } from "./machine.ts";
import type { NodeConfig } from "./node-config.ts";

/** Addresses of a machine that a node names: a descriptor has room for no more. */
const ADDRESSES_MAX = DESCRIPTOR_LIMITS.addresses;

/** Where others reach a node, as far as that is known: what it says of itself follows from it. */
export class OwnPlace {
  /** All that is known of the network is on this machine, or behind one router. */
  readonly isLocal: boolean;
  /** Whether others are asked, since nobody here knows. */
  readonly isFoundOut: boolean;
  /** Where it listens, or says that it does. */
  readonly listening: readonly NodeAddress[];
  readonly #config: NodeConfig;
  readonly #listeners = new Set<() => void>();
  #addresses: readonly NodeAddress[];

  constructor(config: NodeConfig, host: LinkHost, machine: Pick<Machine, "hosts">) {
    const { announce, bootstrap, listen, reachable } = config;
    this.#config = config;
    const own = announce.length > 0 ? announce : listen.filter((one) => !isAnyHost(one));
    const all = [...own, ...bootstrap.map(({ address }) => address)];
    this.isLocal = all.length > 0 && all.every((one) => addressScope(one.host) === "private");
    this.isFoundOut = reachable === "auto" && announce.length === 0 && !this.isLocal;
    this.listening = announce.length > 0 ? announce : namedAddresses(host, machine.hosts());
    this.#addresses = reachable === "relay" ? [] : this.listening;
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
    const all = [...this.#addresses, ...this.#config.bootstrap.map(({ address }) => address)];
    return all.length > 0 && all.every(({ host }) => addressScope(host) !== "public");
  }

  /**
   * What the node says of that. Without a relay either, it is where it listens, if strangers could
   * dial that: those who could not may have been too busy.
   */
  named(hasRelay: boolean): readonly NodeAddress[] {
    if (this.#addresses.length > 0 || hasRelay || !this.isFoundOut) return this.#addresses;
    return this.listening.filter(({ host }) => addressScope(host) === "public");
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

  /** Others reach the node there from now on; `[]`: only relays lead to it. */
  move(addresses: readonly NodeAddress[]): void {
    if (textOf(addresses) === textOf(this.#addresses)) return;
    this.#addresses = addresses;
    for (const listener of [...this.#listeners]) listener();
  }
}

/** Where it listens, with a host that others can dial: those of the machine instead of any. */
function namedAddresses(host: LinkHost, machineHosts: readonly string[]): readonly NodeAddress[] {
  const named = host.addresses.filter((one) => !isAnyHost(one));
  const any = host.addresses.filter(isAnyHost);
  const heard = machineHosts.flatMap((one) =>
    any
      .filter((listening) => isHeardAt(listening, one))
      .map((address) => ({ ...address, host: one })),
  );
  const open = heard.filter((one) => addressScope(one.host) === "public");
  const all = [...named, ...(open.length > 0 ? open : heard)].slice(0, ADDRESSES_MAX);
  if (all.length > 0) return all;
  return any.map((address) => ({ ...address, host: address.host === "::" ? "::1" : "127.0.0.1" }));
}

function textOf(addresses: readonly NodeAddress[]): string {
  return addresses.map(formatNodeAddress).sort().join();
}

function isAnyHost({ host }: NodeAddress): boolean {
  return host === "0.0.0.0" || host === "::";
}

function isHeardAt(listening: NodeAddress, host: string): boolean {
  return listening.host === "::" || !host.includes(":");
}
