import { equalBytes, SeededRandom } from "../../src/base/index.ts";
import { crypto } from "../../src/crypto/index.ts";
import type { DhtLimits, DhtResponse, DhtResult, RecordRule } from "../../src/dht/index.ts";
import { type Behaviour, Swarm, type SwarmNode } from "../../src/testing/swarm/swarm.ts";
import { contactAt } from "../dht/nodes.ts";
import { Acquaintances } from "./acquaintances.ts";

/** Records whose address is the hash of their bytes. */
const HASHED: RecordRule = (key, bytes) => {
  return equalBytes(crypto().sha256(bytes), key) ? 1 : undefined;
};
const OPERATION_MS = 60_000;
const STEPS = 150;
/** The longest pause between two attempts to join, and some minutes more. */
const HEALING_MS = 1_200_000;
/** The same where those who have each other may have missed the others: these are asked hourly. */
const REUNION_MS = 7_200_000;

interface Kept {
  readonly key: Uint8Array;
  readonly bytes: Uint8Array;
}

/** What an operation has come to. */
interface Asked {
  readonly node: SwarmNode;
  readonly name: string;
  dueAt: number;
  isCancelled: boolean;
  ends: number;
}

/** What a seed makes of a network. */
interface Plan {
  readonly nodes: number;
  readonly liars: number;
  readonly limits: Partial<DhtLimits>;
  loss: number;
}

/**
 * A small network of real cores that join, leave, are killed, sleep, lie, fall silent, and put and
 * get meanwhile. Then all is well again, and whoever is there has to find what others put.
 */
export class DhtChurn {
  readonly plan: Plan;
  readonly #dice: SeededRandom;
  readonly #swarm: Swarm;
  readonly #violations: string[] = [];
  readonly #records: Kept[] = [];
  readonly #asked: Asked[] = [];
  readonly #operations = new Map<Asked, number>();
  readonly #asleep = new Set<SwarmNode>();
  readonly #acquaintances = new Acquaintances();
  readonly #isFirstMortal: boolean;
  readonly #isOneCutOff: boolean;
  #cutOff: SwarmNode | undefined;

  /**
   * @param kind `isFirstMortal`: the node with which all began may stop as well. Canaries:
   *   `isGullible`, every record is taken for a good one; `isOneCutOff`, nothing reaches one node
   *   any more when all is well again
   */
  constructor(
    seed: number,
    kind: {
      readonly isFirstMortal?: boolean;
      readonly isGullible?: boolean;
      readonly isOneCutOff?: boolean;
    } = {},
  ) {
    const dice = new SeededRandom(seed);
    const oneOf = (...values: readonly number[]) => values[dice.below(values.length)] ?? 1;
    this.#dice = dice;
    this.plan = {
      nodes: 4 + dice.below(24),
      liars: oneOf(0, 0.1, 0.3),
      loss: oneOf(0, 0.05, 0.3),
      limits: {
        ...{
          bucketSize: oneOf(4, 8, 20),
          replicas: oneOf(3, 5, 20),
          wholeTableMax: oneOf(9, 2_000),
        },
        ...{
          farBucketSize: oneOf(4, 16),
          exchangesMax: oneOf(4, 32, 4_096),
          peersMax: oneOf(4, 512),
        },
        ...{ operationsMax: oneOf(2, 1_024), handOversMax: oneOf(1, 4, 1_024) },
      },
    };
    const recordRule: RecordRule = kind.isGullible === true ? () => 1 : HASHED;
    this.#isFirstMortal = kind.isFirstMortal ?? false;
    this.#isOneCutOff = kind.isOneCutOff ?? false;
    const { plan } = this;
    this.#swarm = new Swarm({
      ...{ seed, recordRule, limits: plan.limits, isEncoded: dice.below(2) === 0 },
      isCut: (one, other) => one === this.#cutOff || other === this.#cutOff,
      observe: (node, input) => this.#acquaintances.observe(node, input),
      get loss() {
        return plan.loss;
      },
    });
  }

  /** What went wrong. */
  run(): readonly string[] {
    for (let i = 0; i < this.plan.nodes; i++) this.#join();
    for (let step = 0; step < STEPS; step++) {
      this.#step();
      this.#swarm.advance(this.#dice.below(10) === 0 ? 600_000 : this.#dice.below(4_000));
      this.#judge();
    }
    this.#heal();
    return this.#violations;
  }

  /** Whoever is there and honest. */
  get #honest(): SwarmNode[] {
    return this.#swarm.nodes.filter((node) => {
      return node.isAlive && node.behaviour === undefined;
    });
  }

  #join(): void {
    const { nodes } = this.#swarm;
    // The first node, be it gone, as a list has it that nobody looks after; and one that is there.
    const bootstrap = nodes.slice(0, 1).map(({ contact }) => contact);
    const isSomebodyThere = nodes.length > 1 && nodes.some(({ isAlive }) => isAlive);
    if (isSomebodyThere) bootstrap.push(this.#swarm.pick().contact);
    const isLiar = nodes.length > 0 && this.#dice.unit() < this.plan.liars;
    const node = this.#swarm.add(isLiar ? { behaviour: this.#lies() } : {});
    this.#swarm.tell(node, { kind: "start", bootstrap });
    this.#swarm.advance(this.#dice.below(2_000));
  }

  #step(): void {
    const below = (end: number) => this.#dice.below(end);
    const some = this.#honest[below(this.#honest.length)];
    const others = this.#honest.slice(this.#isFirstMortal ? 0 : 1);
    const other = others[below(Math.max(others.length, 1))];
    switch (below(12)) {
      case 0:
        if (this.#swarm.nodes.length < 40) this.#join();
        break;
      case 1:
        if (other !== undefined && others.length > 2) this.#swarm.stop(other);
        break;
      case 2:
        if (other !== undefined) this.#sleep(other);
        break;
      case 3:
        // Now and then all but nobody is there for a while.
        if (below(8) === 0) for (const each of others) this.#sleep(each);
        break;
      case 4:
      case 5:
        for (const each of [...this.#asleep]) if (below(2) === 0) this.#wake(each);
        break;
      case 6: {
        const asked = this.#asked.find(({ ends, isCancelled }) => ends === 0 && !isCancelled);
        if (asked?.node.isAlive === true) this.#cancel(asked);
        break;
      }
      case 7:
      case 8:
        if (some !== undefined) this.#put(some);
        break;
      default: {
        const record = this.#records[below(Math.max(this.#records.length, 1))];
        if (some !== undefined && record !== undefined) this.#get(some, record);
      }
    }
  }

  #sleep(node: SwarmNode): void {
    node.isAlive = false;
    this.#asleep.add(node);
  }

  #wake(node: SwarmNode): void {
    this.#asleep.delete(node);
    node.isAlive = true;
    node.wakeAt = Number.POSITIVE_INFINITY;
    for (const asked of this.#asked) {
      if (asked.node === node) asked.dueAt = Math.max(asked.dueAt, this.#swarm.now + 1);
    }
    // Its timers come due, all at once.
    node.core.timeout(this.#swarm.now);
    this.#swarm.tell(node, { kind: "calendar", unixMsAtZero: 1_735_689_600_000 });
  }

  #put(node: SwarmNode): Kept {
    const bytes = this.#dice.bytes(40);
    const record = { key: crypto().sha256(bytes), bytes };
    this.#records.push(record);
    const value = { kind: "record", ttlSeconds: 604_800, bytes } as const;
    this.#ask(node, "put", (operation) => ({ kind: "put", operation, key: record.key, value }));
    return record;
  }

  #get(node: SwarmNode, { key, bytes }: Kept, told: (result?: DhtResult) => void = () => {}): void {
    const ask = (operation: number) =>
      ({ kind: "get", operation, key, valueKind: "record" }) as const;
    this.#ask(node, "get", ask, (result) => {
      const isWrong = result?.kind === "found" && !equalBytes(result.value.bytes, bytes);
      if (isWrong) this.#violations.push("a wrong value");
      told(result);
    });
  }

  #ask(
    node: SwarmNode,
    name: string,
    input: (operation: number) => Parameters<Swarm["tell"]>[1],
    ended: (result: DhtResult | undefined) => void = () => {},
  ): void {
    const dueAt = this.#swarm.now + OPERATION_MS + 1;
    const asked: Asked = { node, name, dueAt, isCancelled: false, ends: 0 };
    this.#asked.push(asked);
    const begin = (operation: number) => {
      this.#operations.set(asked, operation);
      return input(operation);
    };
    this.#swarm.operate(node, begin, ({ result }) => {
      asked.ends += 1;
      if (asked.isCancelled) this.#violations.push(`a ${name} ends that was cancelled`);
      ended(result);
    });
  }

  #cancel(asked: Asked): void {
    asked.isCancelled = true;
    const operation = this.#operations.get(asked) ?? 0;
    this.#swarm.tell(asked.node, { kind: "cancel", operation });
  }

  #judge(): void {
    const { operationsMax = 0, exchangesMax = 0, peersMax = 0 } = this.plan.limits;
    for (const { core } of this.#honest) {
      const { operations, exchangesOpen, peers, contacts } = core.statistics;
      const isBounded = operations <= operationsMax + 8 && exchangesOpen <= exchangesMax;
      if (!isBounded || peers > peersMax || contacts > 100) this.#violations.push("over a limit");
    }
    for (const { node, name, dueAt, isCancelled, ends } of this.#asked) {
      const isOver = node.isAlive && !isCancelled && this.#swarm.now > dueAt;
      if (isOver && ends !== 1) this.#violations.push(`a ${name} has ended ${ends} times`);
    }
  }

  /** Nobody is asleep, no liar is left, nothing is lost: all have to find what any of them puts. */
  #heal(): void {
    this.plan.loss = 0;
    for (const node of this.#asleep) this.#wake(node);
    for (const node of this.#swarm.nodes) if (node.behaviour !== undefined) node.isAlive = false;
    if (this.#isOneCutOff) this.#cutOff = this.#honest.at(-1);
    this.#swarm.advance(this.#isFirstMortal ? REUNION_MS : HEALING_MS);
    this.#judge();
    for (const honest of this.#acquaintances.among(this.#honest)) this.#expectWhole(honest);
    this.#swarm.advance(OPERATION_MS + 10_000);
    this.#judge();
  }

  /** These have heard of each other, some through others: all find what some of them put. */
  #expectWhole(honest: readonly SwarmNode[]): void {
    const records = honest.slice(0, 4).map((node) => this.#put(node));
    this.#swarm.advance(OPERATION_MS + 10_000);
    for (const node of honest) {
      const at = this.#swarm.nodes.indexOf(node);
      if (honest.some((other) => node.core.isDemoted(other.id, this.#swarm.now))) {
        this.#violations.push(`node ${at} blames who is honest`);
      }
      for (const record of records) {
        let isOver = false;
        this.#get(node, record, (result) => {
          isOver = true;
          if (result?.kind !== "found") this.#violations.push(`node ${at}: ${result?.kind}`);
        });
        // One that is slow must not have the next one refused: two operations may be all it has.
        for (let ms = 0; !isOver && ms <= OPERATION_MS; ms += 2_000) this.#swarm.advance(2_000);
      }
    }
  }

  #lies(): Behaviour {
    const kind = this.#dice.below(5);
    const dead = Array.from({ length: 20 }, () => contactAt(this.#dice.bytes(32)));
    const near = (key: Uint8Array): DhtResponse => {
      const contacts = Array.from({ length: 6 }, () => {
        const id = key.slice();
        id.set(this.#dice.bytes(30), 2);
        return contactAt(id);
      });
      return { kind: "nodes", contacts };
    };
    return (request, honest) => {
      if (kind === 0 || request.kind === "ping") return kind === 0 ? undefined : honest();
      if (kind === 1) return { kind: "nodes", contacts: dead };
      if (kind === 2 && request.kind === "find-node") return near(request.target);
      if (kind === 2 && request.kind === "find-value") return near(request.key);
      if (kind === 3 && request.kind === "store") return { kind: "refused", reason: "full" };
      const value = { kind: "record", ttlSeconds: 9, bytes: this.#dice.bytes(40) } as const;
      return request.kind === "find-value" ? { kind: "value", value } : { kind: "pong" };
    };
  }
}
