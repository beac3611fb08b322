import { assert, Driver, equalBytes, SeededRandom } from "../../../src/base/index.ts";
import { crypto } from "../../../src/crypto/index.ts";
import { nodeIdOf } from "../../../src/identity/index.ts";
import { type RequestLimits, resolveRequestLimits } from "../../../src/rpc/limits.ts";
import type {
  RequestEffect,
  RequestInput,
  RequestStatistics,
} from "../../../src/rpc/request/protocol.ts";
import { RequestCore, type RequestCoreOptions } from "../../../src/rpc/request/request-core.ts";
import { VirtualClock } from "../../../src/testing/virtual-clock.ts";
import { type MessageFaults, MessageNetwork, type MessageNode } from "./message-network.ts";

/** One run: a caller, a node that answers, and the weather between them. */
export interface RequestPlan {
  readonly seed: number;
  readonly requests: number;
  /** Requests open at once. */
  readonly inFlight: number;
  readonly faults: MessageFaults;
  /** How long a handler takes, drawn evenly. */
  readonly handlerMs?: readonly [number, number];
  /** Mean time between two restarts of the answering node; none if absent. */
  readonly restartMeanMs?: number;
  readonly hardMs?: number;
  readonly isIdempotent?: boolean;
  readonly limits?: Partial<RequestLimits>;
  /** Another core in the place of the answering one: for canaries. */
  readonly answerWith?: (options: RequestCoreOptions) => RequestCore;
}

/** What came of it. */
export interface RequestReport {
  readonly completed: number;
  /** Requests that failed, by code. */
  readonly failed: Readonly<Record<string, number>>;
  /** Soft timeouts. */
  readonly late: number;
  /** How often the handler ran for the request that it ran most often for. */
  readonly runsMax: number;
  /** Requests that completed and that no handler ran for: must be none. */
  readonly unfounded: number;
  /** Completed requests whose reply was another's: must be none. */
  readonly mixedUp: number;
  readonly restarts: number;
  readonly messages: number;
  readonly virtualMs: number;
  readonly asking: RequestStatistics;
  readonly answering: RequestStatistics;
  /** What is left behind when everything has ended; must be 0. */
  readonly leftOpen: number;
}

/** More timers than that of a run that ends are a defect. */
const STEPS_PER_REQUEST_MAX = 5_000;

/** Makes all requests of a plan, in virtual time. The same plan gives the same report. */
export function runRequests(plan: RequestPlan): RequestReport {
  return new RequestWorld(plan).run();
}

class RequestWorld {
  readonly #plan: RequestPlan;
  readonly #clock = new VirtualClock();
  readonly #random: SeededRandom;
  readonly #network: MessageNetwork;
  readonly #asking: WorldNode;
  readonly #answering: WorldNode;
  readonly #runs: number[];
  readonly #outcomes = new Map<number, string>();
  #next = 0;
  #late = 0;
  #mixedUp = 0;
  #restarts = 0;

  constructor(plan: RequestPlan) {
    this.#plan = plan;
    this.#random = new SeededRandom(plan.seed);
    this.#runs = Array.from({ length: plan.requests }, () => 0);
    const { faults } = plan;
    const random = this.#random.fork(1);
    this.#network = new MessageNetwork({ clock: this.#clock, random, faults });
    const parts = { clock: this.#clock, network: this.#network, plan };
    this.#asking = new WorldNode(parts, this.#random.fork(2), (effect) => this.#told(effect));
    this.#answering = new WorldNode(parts, this.#random.fork(3), (effect) => this.#serve(effect));
    this.#asking.peer = this.#answering;
    this.#answering.peer = this.#asking;
  }

  run(): RequestReport {
    const { requests, inFlight } = this.#plan;
    this.#scheduleRestart();
    for (let i = 0; i < Math.min(inFlight, requests); i++) this.#ask();
    const stepsMax = STEPS_PER_REQUEST_MAX * requests;
    for (let steps = 0; this.#outcomes.size < requests; steps++) {
      assert(steps < stepsMax && this.#clock.step(), "every request ends");
    }
    const virtualMs = this.#clock.now();
    // What is on its way still comes, long after: it must find nothing to disturb.
    this.#clock.advance(2 * (this.#plan.limits?.hardMsMax ?? 3_600_000));
    const outcomes = [...this.#outcomes];
    const failed: Record<string, number> = {};
    for (const [, outcome] of outcomes) {
      if (outcome !== "replied") failed[outcome] = (failed[outcome] ?? 0) + 1;
    }
    const completed = outcomes.filter(([, outcome]) => outcome === "replied");
    return {
      completed: completed.length,
      failed,
      late: this.#late,
      runsMax: Math.max(0, ...this.#runs),
      unfounded: completed.filter(([request]) => this.#runs[request] === 0).length,
      mixedUp: this.#mixedUp,
      restarts: this.#restarts,
      messages: this.#network.sent,
      virtualMs,
      asking: { ...this.#asking.core.statistics },
      answering: { ...this.#answering.core.statistics },
      leftOpen: this.#asking.core.openCount + this.#answering.core.runningCount,
    };
  }

  #ask(): void {
    const request = this.#next;
    if (request >= this.#plan.requests) return;
    this.#next += 1;
    const { hardMs = 30_000, isIdempotent = false } = this.#plan;
    const { id: peer } = this.#answering;
    const body = bodyOf(request);
    const order = { peer, type: "world.ask", meta: new Uint8Array(0), body, hardMs, isIdempotent };
    this.#asking.driver.handle({ kind: "request", request, ...order });
  }

  #told(effect: RequestEffect): void {
    if (effect.kind === "late") this.#late += 1;
    if (effect.kind === "failed") this.#end(effect.request, effect.code);
    if (effect.kind !== "replied") return;
    const expected = replyTo(bodyOf(effect.request));
    if (effect.isFailure || !equalBytes(effect.body, expected)) this.#mixedUp += 1;
    this.#end(effect.request, effect.isFailure ? "refused" : "replied");
  }

  #end(request: number, outcome: string): void {
    assert(!this.#outcomes.has(request), "a request ends once");
    this.#outcomes.set(request, outcome);
    this.#ask();
  }

  #serve(effect: RequestEffect): void {
    if (effect.kind !== "run") return;
    const { call, body } = effect;
    const request = new DataView(body.buffer, body.byteOffset).getUint32(0);
    this.#runs[request] = (this.#runs[request] ?? 0) + 1;
    const [least, most] = this.#plan.handlerMs ?? [0, 0];
    const at = this.#clock.now() + least + (most - least) * this.#random.unit();
    const { driver } = this.#answering;
    this.#clock.schedule(at, () => {
      driver.handle({ kind: "answer", call, isFailure: false, body: replyTo(body) });
    });
  }

  #scheduleRestart(): void {
    const { restartMeanMs, requests } = this.#plan;
    if (restartMeanMs === undefined) return;
    const at = this.#clock.now() - restartMeanMs * Math.log(1 - this.#random.unit());
    this.#clock.schedule(at, () => {
      if (this.#outcomes.size >= requests) return;
      this.#restarts += 1;
      this.#answering.restart();
      this.#scheduleRestart();
    });
  }
}

interface NodeParts {
  readonly clock: VirtualClock;
  readonly network: MessageNetwork;
  readonly plan: RequestPlan;
}

class WorldNode implements MessageNode {
  readonly id: Uint8Array;
  readonly #parts: NodeParts;
  readonly #random: SeededRandom;
  readonly #perform: (effect: RequestEffect) => void;
  readonly #number: number;
  core: RequestCore;
  driver: Driver<RequestInput, RequestEffect>;
  peer: WorldNode | undefined;

  constructor(parts: NodeParts, random: SeededRandom, perform: (effect: RequestEffect) => void) {
    this.#parts = parts;
    this.#random = random;
    this.#perform = perform;
    this.#number = parts.network.add(this);
    this.id = nodeIdOf(Uint8Array.of(this.#number));
    this.core = this.#begin();
    this.driver = this.#drive();
  }

  get number(): number {
    return this.#number;
  }

  /** Forgets everything, as a process that is killed and started again. */
  restart(): void {
    this.driver.stop();
    this.core = this.#begin();
    this.driver = this.#drive();
  }

  receive(_from: number, bytes: Uint8Array): void {
    const { peer } = this;
    if (peer !== undefined) this.driver.handle({ kind: "receive", peer: peer.id, bytes });
  }

  #begin(): RequestCore {
    const { limits, answerWith } = this.#parts.plan;
    const options = {
      limits: resolveRequestLimits(limits),
      random: this.#random,
      isReliable: false,
    };
    const isAnswering = this.#number === 1;
    return isAnswering && answerWith !== undefined ? answerWith(options) : new RequestCore(options);
  }

  #drive(): Driver<RequestInput, RequestEffect> {
    const { clock, network } = this.#parts;
    return new Driver(this.core, clock, (effect) => {
      const to = this.peer?.number;
      if (effect.kind !== "send") this.#perform(effect);
      else if (to !== undefined) network.send(this.#number, to, effect.bytes);
    });
  }
}

function bodyOf(request: number): Uint8Array {
  const body = new Uint8Array(16);
  new DataView(body.buffer).setUint32(0, request);
  return body;
}

function replyTo(body: Uint8Array): Uint8Array {
  return crypto().sha256(body);
}
