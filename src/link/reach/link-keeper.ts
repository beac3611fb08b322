import type { Cancel, Clock, Instant } from "../../base/index.ts";
import type { NodeId } from "../../identity/index.ts";
import type { HostPort, PathConnection } from "../carrier/carrier.ts";
import type { Link, LinkHost } from "../contract.ts";

/** What a keeper is made of. */
export interface LinkKeeperOptions {
  readonly host: LinkHost;
  readonly clock: Clock;
  readonly link: Link;
  /** Relays that lead to the peer. */
  readonly relays: readonly NodeId[];
  readonly callThrough: (relay: NodeId, signal: AbortSignal) => Promise<PathConnection>;
  readonly punchThrough: (
    relay: NodeId,
    signal: AbortSignal,
  ) => Promise<{ readonly address: HostPort }>;
  /** The link is over, or the keeper was closed. */
  readonly over: () => void;
}

/** Between two attempts to punch: most NATs that do not let us now never will. */
const PUNCH_AGAIN_FIRST_MS = 15_000;
const PUNCH_AGAIN_MS_MAX = 600_000;
/** Between two attempts to reach the peer again. */
const CALL_AGAIN_FIRST_MS = 250;
const CALL_AGAIN_MS_MAX = 4_000;
/** A path that was lost sooner has proved nothing: the waits go on from where they were. */
const PATH_PROVEN_MS = 8_000;

/**
 * Looks after one link that was made through a relay, until it ends: moves it to a direct path as
 * soon as there is one, and back to a relay when that path is lost. Only the end that called does.
 */
export class LinkKeeper {
  readonly #options: LinkKeeperOptions;
  readonly #closing = new AbortController();
  readonly #cancels: readonly Cancel[];
  #wake: () => void = () => {};
  #punchAgainMs = PUNCH_AGAIN_FIRST_MS;
  #callAgainMs = CALL_AGAIN_FIRST_MS;
  /** When a call led to a path last; `undefined` once that was looked at. */
  #calledAt: Instant | undefined;
  /** The same of a punch. */
  #punchedAt: Instant | undefined;
  /** Not before then is punched again, whatever the peer does with the path. */
  #punchAt: Instant = Number.NEGATIVE_INFINITY;
  /** Whether the last path was lost, or left by the peer, as soon as it was there. */
  #isDoubted = false;
  #turn = 0;

  constructor(options: LinkKeeperOptions) {
    this.#options = options;
    this.#cancels = [
      options.link.onPath(() => this.#wake()),
      options.link.onClose(() => this.close()),
    ];
    this.#run().catch(() => this.close());
  }

  get link(): Link {
    return this.#options.link;
  }

  /** Leaves the link where it is. Idempotent. */
  close(): void {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort();
    for (const cancel of this.#cancels) cancel();
    this.#wake();
    this.#options.over();
  }

  async #run(): Promise<void> {
    while (!this.#closing.signal.aborted) {
      const { link } = this.#options;
      if (link.path === undefined) await this.#callAgain();
      else if (link.isRelayed) await this.#punch();
      else await this.#sleep(Number.POSITIVE_INFINITY);
    }
  }

  /** A lost path: through the next relay, with growing pauses. */
  async #callAgain(): Promise<void> {
    const { host, link, callThrough, clock } = this.#options;
    const { signal } = this.#closing;
    const calledAt = this.#calledAt;
    this.#calledAt = undefined;
    if (this.#isUnproven(calledAt)) {
      // A relay or a peer that cuts each path must not have us call as fast as handshakes go.
      this.#isDoubted = true;
      await this.#pause();
      return;
    }
    if (calledAt !== undefined) {
      this.#callAgainMs = CALL_AGAIN_FIRST_MS;
      this.#isDoubted = false;
    }
    this.#judgePunched();
    try {
      const via = this.#nextRelay();
      const connection = await callThrough(via, signal);
      await host.upgrade(link, { connection, isRelayed: true, via, signal });
      this.#calledAt = clock.now();
      if (!this.#isDoubted) this.#punchSoon();
    } catch {
      // Whatever went wrong: the next attempt may find another relay, or the same one alive.
      if (link.path === undefined) await this.#pause();
    }
  }

  async #pause(): Promise<void> {
    const ms = this.#callAgainMs;
    this.#callAgainMs = Math.min(2 * ms, CALL_AGAIN_MS_MAX);
    await this.#sleep(ms);
  }

  async #punch(): Promise<void> {
    const { host, link, punchThrough, clock } = this.#options;
    const { signal } = this.#closing;
    this.#judgePunched();
    const waitMs = this.#punchAt - clock.now();
    if (waitMs > 0) {
      await this.#sleep(waitMs);
      return;
    }
    try {
      const { address } = await punchThrough(this.#nextRelay(), signal);
      const addresses = [{ carrier: "udp", ...address } as const];
      await host.upgrade(link, { addresses, signal });
      this.#punchedAt = clock.now();
    } catch {
      // The link works as it is: there is time.
      this.#punchLater();
    }
  }

  /** What the last punch has led to is gone: the peer may have left it, and do so each time. */
  #judgePunched(): void {
    const punchedAt = this.#punchedAt;
    if (punchedAt === undefined) return;
    this.#punchedAt = undefined;
    this.#isDoubted = this.#isUnproven(punchedAt);
    if (this.#isDoubted) this.#punchLater();
    else this.#punchSoon();
  }

  #punchSoon(): void {
    this.#punchAgainMs = PUNCH_AGAIN_FIRST_MS;
    this.#punchAt = Number.NEGATIVE_INFINITY;
  }

  #punchLater(): void {
    this.#punchAt = this.#options.clock.now() + this.#punchAgainMs;
    this.#punchAgainMs = Math.min(2 * this.#punchAgainMs, PUNCH_AGAIN_MS_MAX);
  }

  #isUnproven(at: Instant | undefined): boolean {
    return at !== undefined && this.#options.clock.now() < at + PATH_PROVEN_MS;
  }

  #nextRelay(): NodeId {
    const { relays } = this.#options;
    const relay = relays[this.#turn % relays.length];
    this.#turn += 1;
    if (relay === undefined) throw new RangeError("a keeper has a relay");
    return relay;
  }

  /** Until then, until the path changes, or until the end. */
  #sleep(ms: number): Promise<void> {
    const { clock } = this.#options;
    return new Promise((resolve) => {
      const cancel = clock.schedule(clock.now() + ms, () => this.#wake(), { background: true });
      this.#wake = () => {
        cancel();
        this.#wake = () => {};
        resolve();
      };
    });
  }
}
