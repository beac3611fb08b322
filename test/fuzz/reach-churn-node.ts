import { type Cancel, type Clock, type Instant, SeededRandom } from "../../src/base/index.ts";
import { type Lookup, NodeIdentity } from "../../src/identity/index.ts";
import { type LinkHost, openLinkHost, Reach, type ReachTarget } from "../../src/link/index.ts";
import {
  type VirtualClock,
  type VirtualHost,
  virtualTcp,
  virtualUdp,
} from "../../src/testing/index.ts";

/** Of one node at the relay: so few that they run out if one is counted for ever. */
const CIRCUITS_MAX = 3;
const AT = { host: "0.0.0.0", port: 7_000 };

/** The clock of one life of a node: it knows how much the node still waits for. */
export class LifeClock implements Clock {
  readonly #inner: VirtualClock;
  readonly #armed = new Set<object>();

  constructor(inner: VirtualClock) {
    this.#inner = inner;
  }

  get pending(): number {
    return this.#armed.size;
  }

  now(): Instant {
    return this.#inner.now();
  }

  unixMs(): number {
    return this.#inner.unixMs();
  }

  schedule(at: Instant, run: () => void): Cancel {
    if (at === Number.POSITIVE_INFINITY) return () => {};
    const mark = {};
    this.#armed.add(mark);
    const cancel = this.#inner.schedule(at, () => {
      this.#armed.delete(mark);
      run();
    });
    return () => {
      this.#armed.delete(mark);
      cancel();
    };
  }
}

/** What a node of the life is made from. */
export interface ReachChurnInit {
  readonly random: SeededRandom;
  readonly vhost: VirtualHost;
  readonly clock: VirtualClock;
  readonly lookup: Lookup;
  readonly isBehindNat: boolean;
  readonly isRelay: boolean;
  readonly hasUdp: boolean;
}

/** One life of a node. */
export interface Life {
  readonly host: LinkHost;
  readonly reach: Reach;
  readonly clock: LifeClock;
  readonly since: Instant;
}

/** A machine with the lives of its node, one after the other, all of one identity. */
export class ReachChurnNode {
  readonly identity: NodeIdentity;
  readonly init: ReachChurnInit;
  life: Life | undefined;
  /** Its next life is on the way. */
  isStarting = false;
  /** Those whose end was begun. */
  readonly ended: { readonly life: Life; readonly closed: Promise<void> }[] = [];

  constructor(init: ReachChurnInit) {
    this.init = init;
    this.identity = new NodeIdentity(init.random.bytes(32));
  }

  get id(): Uint8Array {
    return this.identity.id;
  }

  /** Where it is reached, through those relays if it is behind a NAT. */
  targetVia(relays: readonly Uint8Array[]): ReachTarget {
    const [host = ""] = this.init.vhost.addresses;
    const addresses = (this.life?.host.addresses ?? []).map((one) => ({ ...one, host }));
    const isOpen = !this.init.isBehindNat;
    return { id: this.id, addresses: isOpen ? addresses : [], relays: isOpen ? [] : relays };
  }

  async start(): Promise<Life> {
    const { random, vhost, clock: inner, lookup, isRelay, hasUdp } = this.init;
    const { identity } = this;
    this.isStarting = true;
    const clock = new LifeClock(inner);
    const components = { clock, random: new SeededRandom(random.below(2 ** 30)) };
    const host = await openLinkHost({
      identity,
      network: "test",
      ...(hasUdp && { udp: AT }),
      tcp: AT,
      components: { ...components, udp: virtualUdp(vhost), tcp: virtualTcp(vhost) },
    });
    const reach = new Reach({
      ...{ host, identity, lookup, components, localHosts: () => vhost.addresses },
      ...(isRelay && { relay: { circuitsPerHolderMax: CIRCUITS_MAX } }),
    });
    this.isStarting = false;
    this.life = { host, reach, clock, since: inner.now() };
    return this.life;
  }

  /** Ends the life: links and reach in either order, each at a moment of its own. */
  end(how: { readonly isReachFirst: boolean; readonly graceful: boolean }): void {
    const { life } = this;
    if (life === undefined) return;
    this.life = undefined;
    if (how.isReachFirst) life.reach.close();
    const closed = life.host.close({ graceful: how.graceful });
    if (!how.isReachFirst) life.reach.close();
    this.ended.push({ life, closed });
  }
}
