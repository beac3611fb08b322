import { CulvertError, SeededRandom } from "../../src/base/index.ts";
import { nodeIdText } from "../../src/identity/index.ts";
import { linkDialler } from "../../src/node/links/link-dialler.ts";
import {
  type ConnectionLimits,
  PeerLinks,
  RpcNode,
  Service,
  type StreamCallLimits,
} from "../../src/rpc/index.ts";
import type { LineProfile } from "../../src/testing/index.ts";
import { type LinkNode, LinkWorld } from "../link/link-world.ts";
import { ChurnCaller } from "./churn-caller.ts";
import { churnHandlers, METHODS } from "./churn-handlers.ts";
import { ChurnNotes } from "./churn-notes.ts";

const ADDRESSES = ["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"];
/** Longer than any call, what lingers after it, and any patience of a link. */
const REST_MS = 3_600_000;
/** Until what waits on a slow line has left, long after its call has failed. */
const QUIET_MS = 1_000_000;

/** A world: everything in it follows from its seed. */
export interface CallChurnPlan {
  readonly nodes: number;
  readonly line: Partial<LineProfile>;
  /** How long items are, beside short ones. */
  readonly bytes: readonly number[];
  readonly spanMs: number;
  /** Mean time between two calls, and between two mishaps. */
  readonly callMs: number;
  readonly mishapMs: number;
  /** Whether nodes are closed before their calls have ended. */
  readonly isHasty: boolean;
  readonly connections: Partial<ConnectionLimits>;
  readonly streams: Partial<StreamCallLimits>;
}

function planOf(random: SeededRandom): CallChurnPlan {
  const one = <T>(...values: readonly T[]): T => values[random.below(values.length)] as T;
  return {
    nodes: 2 + random.below(3),
    line: {
      delayMs: one(1, 20, 100),
      jitterMs: one(0, 0, 30),
      loss: one(0, 0, 0.02),
      bytesPerSecond: one(100_000, 1_000_000, 10_000_000),
    },
    bytes: one([1_000], [1_000, 40_000], [300_000, 900_000]),
    spanMs: one(3_000, 20_000),
    callMs: one(20, 100, 400),
    mishapMs: one(700, 3_000, 1_000_000),
    isHasty: random.below(2) === 0,
    connections: one<Partial<ConnectionLimits>>(
      {},
      { idleKept: 0, cleanUpMs: 200 },
      { connectionsMax: 2 },
      { queuedBytesHigh: 20_000, queuedBytesPerPeerMax: 1_000_000 },
    ),
    streams: one<Partial<StreamCallLimits>>(
      {},
      { totalMs: 1_000 },
      { queuedBytesHigh: 2_000 },
      { callsPerPeerMax: 2 },
    ),
  };
}

interface ChurnNode {
  readonly place: LinkNode;
  rpc: RpcNode;
}

/** Nodes that call each other in all ways there are, and what must hold whatever befalls them. */
export class CallChurn {
  readonly plan: CallChurnPlan;
  readonly #world: LinkWorld;
  readonly #notes: ChurnNotes;
  readonly #caller: ChurnCaller;
  readonly #nodes: ChurnNode[] = [];
  readonly #all: RpcNode[] = [];
  readonly #hasGap: boolean;
  #calls = 0;

  constructor(seed: number, options: { readonly hasGap?: boolean } = {}) {
    const random = new SeededRandom(seed);
    this.plan = planOf(random);
    this.#hasGap = options.hasGap ?? false;
    this.#world = new LinkWorld({ seed, line: this.plan.line });
    this.#notes = new ChurnNotes(random, this.#world.clock, this.plan.bytes);
    this.#caller = new ChurnCaller(this.#notes);
  }

  /** Lets all of it happen; what did not hold. */
  async run(): Promise<readonly string[]> {
    const { nodes, spanMs, callMs, mishapMs, isHasty } = this.plan;
    for (const address of ADDRESSES.slice(0, nodes)) {
      const place = await this.#world.add(address);
      this.#nodes.push({ place, rpc: this.#begin(place) });
    }
    const cancels = [
      this.#notes.often(callMs, () => this.#call()),
      this.#notes.often(mishapMs, () => this.#mishap()),
    ];
    await this.#world.pass(spanMs);
    for (const cancel of cancels) cancel();
    this.#world.network.heal();
    if (!isHasty) {
      await this.#world.pass(QUIET_MS);
      this.#expectNothing("before the nodes are closed");
      await this.#expectAnswers();
    }
    await this.#close();
    await this.#world.close();
    await this.#world.pass(REST_MS);
    this.#expectNothing("at the end");
    const { pending } = this.#world.clock;
    if (pending > 0) this.#notes.wrong(`${pending} timers are left`);
    return this.#notes.violations;
  }

  #begin(place: LinkNode): RpcNode {
    const { host } = place;
    const clock = this.#world.clock;
    const dialler = linkDialler(host, (peer) => {
      const to = this.#nodes.find((node) => nodeIdText(node.place.host.id) === nodeIdText(peer));
      if (to === undefined) throw new CulvertError("CULVERT_UNREACHABLE");
      const { addresses } = to.place.host;
      const carrier = this.#notes.random.below(2) === 0 ? "udp" : "tcp";
      const some = addresses.filter((address) => address.carrier === carrier);
      return host.dial({ id: peer, addresses: some });
    });
    const carrier = new PeerLinks(dialler, { clock, limits: this.plan.connections });
    const service = Service.of(METHODS, churnHandlers(this.#notes, { hasGap: this.#hasGap }), {
      clock,
    });
    const random = this.#notes.random.fork(this.#all.length);
    const parts = { carrier, streams: carrier, service, clock, random };
    const rpc = new RpcNode(parts, { streams: this.plan.streams });
    this.#all.push(rpc);
    return rpc;
  }

  async #close(): Promise<void> {
    const closed = this.#nodes.map(async ({ rpc }) => {
      const drainMs = this.#notes.random.below(2) === 0 ? 0 : 5_000;
      const at = this.#world.clock.now();
      await rpc.close({ drainMs });
      const tookMs = this.#world.clock.now() - at;
      if (tookMs > drainMs + 200) this.#notes.wrong(`a close in ${drainMs} took ${tookMs} ms`);
    });
    await this.#world.run(Promise.all(closed));
  }

  #expectNothing(when: string): void {
    for (const [what, count] of this.#notes.open) {
      if (count > 0) this.#notes.wrong(`${when}: ${count} of ${what} are left`);
    }
    for (const [id, count] of this.#notes.runs) {
      if (count > 1) this.#notes.wrong(`${id} ran ${count} times`);
    }
    const streams = this.#all.reduce((sum, { servedStreams }) => sum + servedStreams, 0);
    if (streams > 0) this.#notes.wrong(`${when}: ${streams} streams are served`);
  }

  /** When all is quiet, everybody answers everybody. */
  async #expectAnswers(): Promise<void> {
    for (const from of this.#nodes) {
      for (const { place } of this.#nodes.filter((to) => to !== from)) {
        const calls = from.rpc.caller(METHODS, place.host.id);
        const asked = calls
          .again("0 0 short", { totalMs: 20_000 })
          .catch((error: unknown) => error);
        const answer = await this.#world.run(asked);
        if (typeof answer !== "string") this.#notes.wrong(`all is quiet, and ${answer}`);
      }
    }
  }

  #call(): void {
    const [from, to] = [this.#notes.one(...this.#nodes), this.#notes.one(...this.#nodes)];
    if (from === to) return;
    this.#calls += 1;
    void this.#caller.call(from.rpc.caller(METHODS, to.place.host.id), `${this.#calls}`);
  }

  #mishap(): void {
    const node = this.#notes.one(...this.#nodes);
    const { network } = this.#world;
    const { host, vhost } = node.place;
    const kind = this.#notes.random.below(6);
    if (kind === 0) {
      void node.rpc.close({ drainMs: this.#notes.one(0, 500) });
      node.rpc = this.#begin(node.place);
    } else if (kind === 1) {
      network.partition(
        [vhost],
        this.#nodes.filter((other) => other !== node).map(({ place }) => place.vhost),
      );
      this.#world.clock.schedule(this.#world.clock.now() + this.#notes.random.below(3_000), () =>
        network.heal(),
      );
    } else {
      const link = this.#notes.one(...host.links());
      if (link !== undefined) void link.close({ graceful: kind > 3 });
    }
  }
}
