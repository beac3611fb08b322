import { Driver, SeededRandom } from "../../src/base/index.ts";
import { type NodeId, nodeIdOf, nodeIdText } from "../../src/identity/index.ts";
import { type RequestLimits, resolveRequestLimits } from "../../src/rpc/limits.ts";
import { decodeEnvelope, type Envelope } from "../../src/rpc/message/envelope.ts";
import type {
  CopyOf,
  RequestEffect,
  RequestInput,
  RequestOrder,
} from "../../src/rpc/request/protocol.ts";
import { RequestCore } from "../../src/rpc/request/request-core.ts";
import { VirtualClock } from "../../src/testing/index.ts";

type Told = Exclude<RequestEffect, { kind: "send" }>;

/** A message on the wire between two cores of a test. */
export interface Message {
  readonly from: CoreNode;
  readonly to: CoreNode;
  readonly bytes: Uint8Array;
  readonly envelope: Envelope;
  /** What the carrier would name it by. */
  readonly copyOf: CopyOf;
}

/** One core, what it said and what it wants done. */
export class CoreNode {
  readonly id: NodeId;
  readonly told: Told[] = [];
  core: RequestCore;
  #driver: Driver<RequestInput, RequestEffect>;
  readonly #begin: () => RequestCore;
  readonly #drive: (node: CoreNode) => Driver<RequestInput, RequestEffect>;

  constructor(
    name: number,
    begin: () => RequestCore,
    drive: (node: CoreNode) => Driver<RequestInput, RequestEffect>,
  ) {
    this.id = nodeIdOf(Uint8Array.of(name));
    this.#begin = begin;
    this.#drive = drive;
    this.core = begin();
    this.#driver = drive(this);
  }

  handle(input: RequestInput): void {
    this.#driver.handle(input);
  }

  restart(): void {
    this.#driver.stop();
    this.core = this.#begin();
    this.#driver = this.#drive(this);
  }

  all<K extends Told["kind"]>(kind: K): Extract<Told, { kind: K }>[] {
    return this.told.filter((effect): effect is Extract<Told, { kind: K }> => effect.kind === kind);
  }
}

/** Three cores on one virtual clock; a test decides what becomes of each message. */
export class CorePair {
  readonly clock = new VirtualClock();
  readonly sent: Message[] = [];
  readonly a: CoreNode;
  readonly b: CoreNode;
  /** Somebody else, who can send what he likes under his own name. */
  readonly c: CoreNode;
  /** False loses the message. */
  passes: (message: Message) => boolean = () => true;
  delayMs = 10;
  readonly #nodes = new Map<string, CoreNode>();
  #requests = 0;

  constructor(limits: Partial<RequestLimits> = {}, isReliable: boolean = false) {
    const node = (name: number): CoreNode => {
      const random = new SeededRandom(name);
      const resolved = resolveRequestLimits(limits);
      const made = new CoreNode(
        name,
        () => new RequestCore({ limits: resolved, random, isReliable }),
        (of) => new Driver(of.core, this.clock, (effect) => this.#perform(of, effect)),
      );
      this.#nodes.set(nodeIdText(made.id), made);
      return made;
    };
    [this.a, this.b, this.c] = [node(1), node(2), node(3)];
  }

  /** Asks b for something, as a. */
  ask(order: Partial<RequestOrder> = {}): number {
    this.#requests += 1;
    const request = this.#requests;
    const none = new Uint8Array(0);
    const usual = { peer: this.b.id, type: "test.ask", meta: none, body: none, hardMs: 30_000 };
    this.a.handle({ kind: "request", request, ...usual, isIdempotent: false, ...order });
    return request;
  }

  /** Answers all of b's calls that were not answered yet, each with its own body. */
  answerAll(): void {
    for (const { call, body } of this.b.all("run")) {
      this.b.handle({ kind: "answer", call, isFailure: false, body });
    }
  }

  /** The messages of one kind, in the order in which they were sent. */
  of(kind: Envelope["kind"]): Message[] {
    return this.sent.filter(({ envelope }) => envelope.kind === kind);
  }

  deliver({ from, to, bytes }: Message): void {
    to.handle({ kind: "receive", peer: from.id, bytes: bytes.slice() });
  }

  #perform(from: CoreNode, effect: RequestEffect): void {
    if (effect.kind !== "send") {
      from.told.push(effect);
      return;
    }
    const to = this.#nodes.get(nodeIdText(effect.peer));
    if (to === undefined) {
      const { peer, copyOf } = effect;
      from.handle({ kind: "unsent", peer, copyOf });
      return;
    }
    const { bytes, copyOf } = effect;
    const message = { from, to, bytes, envelope: decodeEnvelope(bytes, 2 ** 20), copyOf };
    this.sent.push(message);
    if (!this.passes(message)) return;
    this.clock.schedule(this.clock.now() + this.delayMs, () => this.deliver(message));
  }
}
