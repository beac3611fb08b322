import { equalBytes, type SeededRandom } from "../../src/base/index.ts";
import { isSameNode } from "../../src/identity/index.ts";
import { CoreLink } from "../../src/link/host/core-link.ts";
import { CoreLinkHost } from "../../src/link/host/core-link-host.ts";
import {
  LINK_LIMITS,
  type Link,
  type LinkHost,
  type LinkLimits,
  type LinkStream,
} from "../../src/link/index.ts";
import {
  CLEAN_LINE,
  type LineProfile,
  Pattern,
  VirtualClock,
  type VirtualHost,
  VirtualNetwork,
} from "../../src/testing/index.ts";
import { abortingSignal } from "./aborting-signal.ts";
import { endPlanOf, StreamEnd } from "./link-churn-stream.ts";
import { WatchedPromises } from "./watched-promises.ts";

const FRESH_BYTES = 300_000;
/** Longer than every time of a link. */
export const AGES_MS = 200_000;
/** More than a quiet link needs in the time of a keep-alive: a ping, and its answer. */
const QUIET_PACKETS = 10;

/** What a life does with chance. */
export interface ChurnOptions {
  readonly seed: number;
  readonly random: SeededRandom;
  readonly line: Partial<LineProfile>;
  /** The canary: what comes is compared with what nobody has written. */
  readonly isBlind: boolean;
}

/** What all lives of links have: streams that are judged to the byte, trouble, peace, an end. */
export abstract class Churn {
  readonly clock = new VirtualClock();
  readonly network: VirtualNetwork;
  readonly faults: string[] = [];
  protected readonly random: SeededRandom;
  readonly #options: ChurnOptions;
  readonly #ends: StreamEnd[] = [];
  readonly #promises = new WatchedPromises((what) => this.fault(what));
  #streams = 0;
  #areEndsOver = false;
  #moves = 0;

  protected constructor(options: ChurnOptions) {
    const { seed, random, line } = options;
    this.random = random;
    this.#options = options;
    this.network = new VirtualNetwork({ clock: this.clock, seed, line });
  }

  /** Those that live now, and do no harm. */
  protected abstract get hosts(): readonly LinkHost[];

  protected fault(what: string): void {
    const at = Math.round(this.clock.now());
    if (this.faults.length < 20) this.faults.push(`${what} at ${at}`);
  }

  protected pass(ms: number): Promise<void> {
    return this.clock.runUntil(this.clock.now() + ms);
  }

  protected later(ms: number, run: () => void): void {
    this.clock.schedule(this.clock.now() + ms, run);
  }

  protected pauseMs(): number {
    const dice = this.random.below(12);
    if (dice === 0) return this.random.below(60_000);
    return dice < 5 ? this.random.below(5_000) : this.random.below(100);
  }

  /** How long a trouble lasts: less than a silence, or more. */
  protected troubleMs(): number {
    return this.random.below(this.random.below(2) === 0 ? 3_000 : 60_000);
  }

  /** The next one of so many addresses that nobody has. */
  protected newHost(network: string, first: number): string {
    return `${network}.${first + (this.#moves++ % 200)}`;
  }

  protected one<T>(values: readonly T[]): T | undefined {
    return values[this.random.below(values.length)];
  }

  protected watch<T>(name: string, promise: Promise<T>): Promise<T | undefined> {
    return this.#promises.watch(name, promise);
  }

  protected signal(): AbortSignal | undefined {
    return abortingSignal(this.random, this.clock);
  }

  /** A bad line, for a while. */
  protected worsen({ line }: VirtualHost, ms: number): void {
    const { profile } = line;
    line.profile = { ...CLEAN_LINE, ...profile, loss: 0.5, delayMs: 300 };
    this.later(ms, () => {
      line.profile = { ...CLEAN_LINE, ...this.#options.line };
    });
  }

  /** A stream of a link; its two ends do what they have planned. */
  protected openStream(link: Link, peer: LinkHost | undefined): void {
    const number = this.#streams++;
    const protocol = `s-${number}`;
    const [here, there] = [endPlanOf(this.random), endPlanOf(this.random)];
    const seeds = { out: 2 * number, in: 2 * number + 1 };
    const fault = (what: string): void => this.fault(what);
    const { clock } = this;
    let far: StreamEnd | undefined;
    let near: StreamEnd | undefined;
    const accept = (stream: LinkStream): void => {
      if (far !== undefined) this.fault(`stream ${number} is opened twice`);
      const flipped = { out: seeds.in, in: seeds.out + (this.#options.isBlind ? 1 : 0) };
      const name = `${number} far`;
      far = new StreamEnd({ stream, plan: there, name, clock, seeds: flipped, fault });
      this.#join(far, near);
    };
    const isKnown = this.random.below(15) > 0;
    const cancel = isKnown ? peer?.handle(protocol, accept) : undefined;
    if (cancel !== undefined && this.random.below(10) === 0) {
      this.later(this.random.below(200), cancel);
    }
    const priority = this.one(["urgent", "normal", "bulk"] as const) ?? "normal";
    const opened = link.openStream(protocol, { priority, signal: this.signal() });
    void this.watch("open", opened).then((stream) => {
      if (stream === undefined) return;
      near = new StreamEnd({ stream, plan: here, name: `${number} near`, clock, seeds, fault });
      this.#join(near, far);
    });
  }

  #join(end: StreamEnd, other: StreamEnd | undefined): void {
    this.#ends.push(end);
    end.peer = other;
    if (other !== undefined) other.peer = end;
    // It has waited for one of those to end.
    if (this.#areEndsOver) end.destroy();
  }

  /** Ends a stream, or gives it up. */
  protected touch(): void {
    const end = this.one(this.#ends.filter(({ isClosed }) => !isClosed));
    if (this.random.below(2) === 0) end?.destroy();
    else end?.end();
  }

  /** All is well from now on: streams have to get on, and then end, and links keep their paths. */
  protected async judgePeace(
    endMs: number,
    { keepAliveMs = LINK_LIMITS.keepAliveMs }: Partial<LinkLimits> = {},
  ): Promise<void> {
    await this.pass(AGES_MS / 2);
    this.#expectPairs();
    for (const end of this.#ends) end.noteProgress();
    for (const link of this.#links()) {
      link.onPath((path) => {
        if (path === undefined && isAtPeace) this.fault("a path is lost in peace");
      });
    }
    let isAtPeace = true;
    await this.pass(AGES_MS / 2);
    for (const end of this.#ends) end.judgeProgress();
    this.#areEndsOver = true;
    for (const end of this.#ends) end.destroy();
    await this.pass(endMs / 2);
    const before = this.network.count("delivered");
    const links = this.#links().length;
    await this.pass(endMs / 2);
    const packets = this.network.count("delivered") - before;
    const packetsMax = ((links + 1) * QUIET_PACKETS * endMs) / (2 * keepAliveMs);
    if (packets > packetsMax) this.fault(`${packets} packets of ${links} quiet links`);
    isAtPeace = false;
    this.#expectPairs();
    for (const end of this.#ends) {
      if (!end.isClosed) this.fault(`${end.name} is not closed`);
      if (end.pending > 0) this.fault(`${end.name} has ${end.pending} writes`);
    }
  }

  #links(): readonly Link[] {
    return this.hosts.flatMap((host) => host.links());
  }

  /** Both ends of a link know of it, and have a path. */
  #expectPairs(): void {
    for (const host of this.hosts) {
      for (const link of host.links()) {
        if (!(link instanceof CoreLink)) continue;
        if (link.path === undefined) this.fault("a link has no path");
        const peer = this.hosts.find(({ id }) => isSameNode(id, link.peer));
        const isMate = (other: Link): boolean =>
          other instanceof CoreLink && equalBytes(other.linkId, link.linkId);
        if (peer !== undefined && !peer.links().some(isMate)) this.fault("a link has one end");
      }
    }
  }

  /** A stream of a link that is there or made carries what it is given, both ways. */
  protected async fresh(dial: () => Promise<Link>): Promise<void> {
    let received = 0;
    let isOver = false;
    const work = async (): Promise<void> => {
      const stream = await (await dial()).openStream("fresh");
      stream.on("error", (error) => this.fault(`fresh: ${error}`));
      stream.on("close", () => {
        isOver = true;
      });
      stream.on("data", (bytes: Uint8Array) => {
        received += bytes.length;
      });
      stream.end(new Pattern(1).bytes(0, FRESH_BYTES));
    };
    void this.watch("fresh", work());
    await this.pass(60_000);
    if (received !== FRESH_BYTES || !isOver) this.fault(`fresh: ${received} came, ${isOver}`);
  }

  /** A host that is closed has nothing left, and counts nobody for anything. */
  protected expectClosed(host: LinkHost): void {
    if (!(host instanceof CoreLinkHost)) return;
    const left = [host.links().length, host.handshakes, host.sources];
    if (left.some((count) => count > 0)) {
      this.fault(`links, handshakes, sources are left: ${left}`);
    }
  }

  /** Every node is gone: nothing is waited for any more. */
  protected expectNothing(): void {
    const { open } = this.#promises;
    if (open.length > 0) this.fault(`not settled: ${open}`);
    if (this.clock.pending > 0) this.fault(`${this.clock.pending} timers are left`);
  }
}
