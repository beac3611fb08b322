import { type Cancel, type Clock, type Instant, SeededRandom } from "../../src/base/index.ts";
import { NodeIdentity } from "../../src/identity/index.ts";
import { type LinkHost, type LinkLimits, openLinkHost } from "../../src/link/index.ts";
import {
  type VirtualClock,
  type VirtualHost,
  virtualTcp,
  virtualUdp,
} from "../../src/testing/index.ts";
import { CutNetwork } from "../link/cut-network.ts";

const AT = { host: "0.0.0.0", port: 7_000 };

/** The clock of a machine that sleeps: what comes due meanwhile is due when it wakes. */
export class SleepyClock implements Clock {
  readonly #inner: VirtualClock;
  readonly #missed = new Set<() => void>();
  /** Takes how a timer is cancelled that was armed again. */
  readonly #wakers = new WeakMap<() => void, (cancel: Cancel) => void>();
  isAsleep = false;

  constructor(inner: VirtualClock) {
    this.#inner = inner;
  }

  now(): Instant {
    return this.#inner.now();
  }

  unixMs(): number {
    return this.#inner.unixMs();
  }

  schedule(at: Instant, run: () => void): Cancel {
    const due = (): void => {
      if (this.isAsleep) this.#missed.add(due);
      else run();
    };
    let cancel = this.#inner.schedule(at, due);
    this.#wakers.set(due, (again) => {
      cancel = again;
    });
    return () => {
      cancel();
      this.#missed.delete(due);
    };
  }

  /** Everything that was missed runs, one after the other. */
  wake(): void {
    this.isAsleep = false;
    const missed = [...this.#missed];
    this.#missed.clear();
    for (const due of missed) this.#wakers.get(due)?.(this.#inner.schedule(this.now(), due));
  }
}

/** A machine with the lives of its node, one after the other, all of one identity. */
export class ChurnNode {
  readonly identity: NodeIdentity;
  readonly vhost: VirtualHost;
  readonly clock: SleepyClock;
  readonly limits: Partial<LinkLimits>;
  /** What has to be awaited of former lives. */
  readonly closed: Promise<void>[] = [];
  readonly #random: SeededRandom;
  #cutter = new CutNetwork();
  host: LinkHost | undefined;

  constructor(init: {
    readonly random: SeededRandom;
    readonly vhost: VirtualHost;
    readonly clock: VirtualClock;
    readonly limits: Partial<LinkLimits>;
  }) {
    this.#random = init.random;
    this.vhost = init.vhost;
    this.clock = new SleepyClock(init.clock);
    this.limits = init.limits;
    this.identity = new NodeIdentity(init.random.bytes(32));
  }

  async start(): Promise<LinkHost> {
    this.#cutter = new CutNetwork();
    const { clock, identity, limits, vhost } = this;
    const host = await openLinkHost({
      identity,
      network: "test",
      udp: AT,
      tcp: AT,
      limits,
      components: {
        clock,
        random: new SeededRandom(this.#random.below(2 ** 30)),
        udp: this.#cutter.udp(virtualUdp(vhost)),
        tcp: this.#cutter.tcp(virtualTcp(vhost)),
      },
    });
    this.host = host;
    return host;
  }

  /** Every connection is gone at once. */
  cut(): void {
    this.#cutter.cut();
  }

  /** Killed: nobody says goodbye. */
  kill(): void {
    const { host } = this;
    this.host = undefined;
    this.vhost.isOnline = false;
    this.cut();
    if (host !== undefined) this.closed.push(host.close());
  }
}
