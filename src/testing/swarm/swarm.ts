import { assert, Heap, type Instant, SeededRandom } from "../../base/index.ts";
import {
  Contact,
  type DhtEffect,
  type DhtInput,
  type DhtLimits,
  DhtNodeCore,
  type DhtRequest,
  type DhtResponse,
  type DhtResult,
  decodeDhtRequest,
  decodeDhtResponse,
  encodeDhtRequest,
  encodeDhtResponse,
  type KeyText,
  type RecordRule,
  type ValueLimits,
} from "../../dht/index.ts";

/** What a swarm is made of; everything else follows from the seed. */
export interface SwarmOptions {
  readonly seed: number;
  readonly limits?: Partial<DhtLimits>;
  readonly valueLimits?: Partial<ValueLimits>;
  readonly recordRule?: RecordRule;
  /** Share of messages that are lost, each way. */
  readonly loss?: number;
  /** Whether nothing passes between two nodes, at this moment. */
  readonly isCut?: (one: SwarmNode, other: SwarmNode) => boolean;
  /** Told of each input of each node, before the node is. */
  readonly observe?: (node: SwarmNode, input: DhtInput) => void;
  /** Every message goes through its bytes, as it would over a carrier. */
  readonly isEncoded?: boolean;
}

/** What a hostile node says instead of the honest answer; `undefined` is silence. */
export type Behaviour = (request: DhtRequest, honest: () => DhtResponse) => DhtResponse | undefined;

/** A node of a swarm. */
export interface SwarmNode {
  readonly core: DhtNodeCore;
  readonly contact: Contact;
  readonly id: Uint8Array;
  /** One-way, to the middle of the network. */
  readonly delayMs: number;
  /** Behind a NAT that lets nothing in: it asks, and is never reached. */
  readonly isHidden: boolean;
  isAlive: boolean;
  behaviour: Behaviour | undefined;
  /** Requests that it has answered. */
  served: number;
  wakeAt: Instant;
}

/** How an operation of a swarm ended. */
export interface SwarmOutcome {
  readonly result: DhtResult | undefined;
  readonly tookMs: number;
}

interface Event {
  readonly at: Instant;
  readonly node: SwarmNode;
  /** Absent: time to look at the timers. */
  readonly input: DhtInput | undefined;
}

/** A request on its way, as the asked node names it. */
interface Asked {
  readonly asker: SwarmNode;
  readonly exchange: number;
  readonly attempt: number;
  readonly to: SwarmNode;
  readonly request: DhtRequest;
}

const UNIX_MS_AT_ZERO = 1_735_689_600_000;
const DELAY_MS = { min: 5, max: 50 } as const;

/**
 * The real DHT cores of many nodes on a virtual network in one process: no sockets, no promises,
 * one queue of events. The same seed gives the same run.
 */
export class Swarm {
  readonly nodes: SwarmNode[] = [];
  readonly random: SeededRandom;
  readonly #options: SwarmOptions;
  readonly #events = new Heap<Event>((a, b) => a.at < b.at);
  readonly #byKey = new Map<KeyText, SwarmNode>();
  readonly #asked = new Map<number, Asked>();
  readonly #outcomes = new Map<number, (result: DhtResult | undefined) => void>();
  #now: Instant = 0;
  #lastId = 0;
  #messages = 0;

  constructor(options: SwarmOptions) {
    this.#options = options;
    this.random = new SeededRandom(options.seed);
  }

  get now(): Instant {
    return this.#now;
  }

  /** Messages sent so far, requests and answers. */
  get messages(): number {
    return this.#messages;
  }

  /** Adds a node, which knows nobody yet. */
  add(
    options: { id?: Uint8Array; host?: string; isHidden?: boolean; behaviour?: Behaviour } = {},
  ): SwarmNode {
    const id = options.id ?? this.random.bytes(32);
    const host = options.host ?? publicHost(this.nodes.length);
    // Everybody is heard where it says that it is.
    const said = Contact.of(id, { addresses: [{ carrier: "udp", host, port: 7000 }] });
    const contact = said.heardAt(host);
    const { limits, valueLimits, recordRule } = this.#options;
    const core = new DhtNodeCore({
      id,
      random: this.random.fork(this.nodes.length),
      unixMsAtZero: UNIX_MS_AT_ZERO,
      ...(limits && { limits }),
      ...(valueLimits && { valueLimits }),
      ...(recordRule && { recordRule }),
    });
    const node: SwarmNode = {
      core,
      contact,
      id,
      delayMs: DELAY_MS.min + (DELAY_MS.max - DELAY_MS.min) * this.random.unit(),
      isHidden: options.isHidden ?? false,
      isAlive: true,
      behaviour: options.behaviour,
      served: 0,
      wakeAt: Number.POSITIVE_INFINITY,
    };
    this.nodes.push(node);
    this.#byKey.set(contact.key, node);
    return node;
  }

  /** Hands an input to a node and carries what follows. */
  tell(node: SwarmNode, input: DhtInput): void {
    this.#options.observe?.(node, input);
    node.core.handle(input, this.#now);
    this.#drain(node);
  }

  /** The node stops in silence. */
  stop(node: SwarmNode): void {
    node.isAlive = false;
  }

  /** Starts an operation; `ended` is called with its outcome while time runs. */
  operate(
    node: SwarmNode,
    input: (operation: number) => DhtInput,
    ended: (outcome: SwarmOutcome) => void,
  ): void {
    const operation = this.#nextId();
    const from = this.#now;
    this.#outcomes.set(operation, (result) => ended({ result, tookMs: this.#now - from }));
    this.tell(node, input(operation));
  }

  /** Runs an operation to its end. */
  run(node: SwarmNode, input: (operation: number) => DhtInput): SwarmOutcome {
    let outcome: SwarmOutcome | undefined;
    this.operate(node, input, (ended) => {
      outcome = ended;
    });
    while (outcome === undefined) assert(this.step(), "an operation ends");
    return outcome;
  }

  /** The next event; false when there is none. */
  step(): boolean {
    const event = this.#events.pop();
    if (event === undefined) return false;
    this.#now = event.at;
    const { node, input } = event;
    if (!node.isAlive) return true;
    if (input !== undefined) this.tell(node, input);
    else this.#wake(node, event.at);
    return true;
  }

  /** Asks a node without any network in between, and drops what else follows. */
  probe(node: SwarmNode, asker: SwarmNode, request: DhtRequest): DhtResponse {
    const exchange = this.#nextId();
    let response: DhtResponse | undefined;
    const from = { id: asker.id, source: asker.contact.network.toString(), isAddressProven: true };
    node.core.handle({ kind: "request", exchange, asker: from, request }, this.#now);
    for (let effect = node.core.poll(); effect !== undefined; effect = node.core.poll()) {
      if (effect.kind === "answer") response = effect.response;
    }
    assert(response !== undefined, "every request is answered");
    return response;
  }

  /** Runs for so long. */
  advance(ms: number): void {
    const until = this.#now + ms;
    for (let next = this.#events.peek(); next !== undefined && next.at <= until; ) {
      this.step();
      next = this.#events.peek();
    }
    this.#now = until;
  }

  /** A node that is alive, chosen by the seed. */
  pick(isWanted: (node: SwarmNode) => boolean = () => true): SwarmNode {
    for (;;) {
      const node = this.nodes[this.random.below(this.nodes.length)];
      if (node?.isAlive === true && isWanted(node)) return node;
    }
  }

  #wake(node: SwarmNode, at: Instant): void {
    if (node.wakeAt !== at) return;
    node.wakeAt = Number.POSITIVE_INFINITY;
    node.core.timeout(this.#now);
    this.#drain(node);
  }

  #drain(node: SwarmNode): void {
    for (let effect = node.core.poll(); effect !== undefined; effect = node.core.poll()) {
      this.#perform(node, effect);
    }
    const deadline = Math.max(node.core.deadline(), this.#now);
    if (deadline >= node.wakeAt || deadline === Number.POSITIVE_INFINITY) return;
    node.wakeAt = deadline;
    this.#events.push({ at: deadline, node, input: undefined });
  }

  #perform(node: SwarmNode, effect: DhtEffect): void {
    switch (effect.kind) {
      case "send":
        this.#send(node, effect);
        break;
      case "answer":
        this.#answer(effect.exchange, effect.response);
        break;
      case "done":
        this.#end(effect.operation, effect.result);
        break;
      case "busy":
        this.#end(effect.operation, undefined);
        break;
      default:
        break;
    }
  }

  #end(operation: number, result: DhtResult | undefined): void {
    const ended = this.#outcomes.get(operation);
    this.#outcomes.delete(operation);
    ended?.(result);
  }

  #send(from: SwarmNode, effect: DhtEffect & { readonly kind: "send" }): void {
    const to = this.#byKey.get(effect.to.key);
    this.#messages += 1;
    if (to === undefined || to.isHidden || !to.isAlive || this.#isLost(from, to)) return;
    const exchange = this.#nextId();
    const { request, sender } = this.#carried(from, effect.request);
    const { attempt } = effect;
    this.#asked.set(exchange, { asker: from, exchange: effect.exchange, attempt, to, request });
    const asker = {
      id: from.id,
      source: from.contact.network.toString(),
      isAddressProven: !from.isHidden,
      contact: sender,
    };
    this.#deliver(from, to, { kind: "request", exchange, asker, request });
  }

  #answer(exchange: number, honest: DhtResponse): void {
    const asked = this.#asked.get(exchange);
    if (asked === undefined) return;
    this.#asked.delete(exchange);
    const { asker, to, request } = asked;
    to.served += 1;
    const response = to.behaviour === undefined ? honest : to.behaviour(request, () => honest);
    if (response === undefined) return;
    this.#messages += 1;
    if (this.#isLost(to, asker)) return;
    const carried = this.#options.isEncoded
      ? decodeDhtResponse(encodeDhtResponse(response))
      : response;
    const { exchange: answered, attempt } = asked;
    this.#deliver(to, asker, { kind: "response", exchange: answered, response: carried, attempt });
  }

  #carried(from: SwarmNode, request: DhtRequest): { request: DhtRequest; sender: Contact } {
    const { contact, id } = from;
    if (this.#options.isEncoded !== true) return { request, sender: contact };
    const read = decodeDhtRequest(encodeDhtRequest(request, contact), id);
    return { request: read.request, sender: read.sender ?? contact };
  }

  #deliver(from: SwarmNode, to: SwarmNode, input: DhtInput): void {
    const jitter = 1 + 0.1 * this.random.unit();
    const at = this.#now + (from.delayMs + to.delayMs) * jitter;
    this.#events.push({ at, node: to, input });
  }

  #isLost(from: SwarmNode, to: SwarmNode): boolean {
    const { loss = 0, isCut } = this.#options;
    if (isCut?.(from, to) === true) return true;
    return loss > 0 && this.random.unit() < loss;
  }

  #nextId(): number {
    this.#lastId += 1;
    return this.#lastId;
  }
}

/** A public address of a network of its own for each number. */
export function publicHost(number: number): string {
  const network = number % 2 ** 21;
  return `${64 + (network >> 16)}.${(network >> 8) & 255}.${network & 255}.1`;
}
