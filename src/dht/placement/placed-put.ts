import type { ErrorCode, Instant } from "../../base/index.ts";
import type { Contact } from "../wire/contact.ts";
import { type KeyText, keyOf } from "../wire/key.ts";
import { type Finder, KEEPERS_BEYOND, Surroundings } from "./crowd.ts";
import { OPEN_PER_OPERATION, type RequestOwner } from "./node-requests.ts";
import type { PlacementContext } from "./placement-context.ts";
import type { NodeAnswer, NodeRequestId, PlacementId } from "./placement-protocol.ts";
import { ReplicaSet } from "./replica-set.ts";

/** Nodes that are looked at for each replica that is wanted: some are gone, or full. */
const CANDIDATES_PER_REPLICA = 4;

interface Open {
  readonly of: ReplicaSet;
  isLate: boolean;
}

/**
 * A record on its way to the closest live nodes: all replicas at once, the next closest for each
 * one that fails or is late. Done at the quorum of receipts; the other replicas are finished behind
 * it.
 *
 * Where ids crowd around the address, others beyond the crowd keep it too, and it is done once most
 * of those have given a receipt: whoever ground the ids could give all others.
 */
export class PlacedPut implements RequestOwner {
  readonly #context: PlacementContext;
  readonly #operation: PlacementId;
  readonly #address: Uint8Array;
  readonly #closest: ReplicaSet;
  #beyond: ReplicaSet | undefined;
  readonly #tried = new Set<KeyText>();
  readonly #open = new Map<NodeRequestId, Open>();
  readonly #keepers: Contact[] = [];
  /** The lives that they have granted, in seconds. */
  readonly #lives: number[] = [];
  /** When the first of the keepers may let it go. */
  #keptUntil: Instant = Number.POSITIVE_INFINITY;
  readonly #failures: ErrorCode[] = [];
  #find: "unasked" | "asked" | "answered" = "unasked";
  #isSettled = false;
  #isEnded = false;

  constructor(context: PlacementContext, operation: PlacementId, address: Uint8Array) {
    this.#context = context;
    this.#operation = operation;
    this.#address = address;
    this.#closest = new ReplicaSet(context.limits.replicas);
  }

  start(now: Instant): void {
    const { neighbourhood } = this.#context;
    // What is believed to be close is not good enough to write to, unless it is all there is.
    if (neighbourhood.knowsAll) this.#learnKnown();
    else this.#lookUp();
    this.#pump(now);
  }

  closest(nodes: readonly Contact[], now: Instant): void {
    this.#find = "answered";
    this.#learn(nodes, (count, isWanted) => nodes.filter(isWanted).slice(0, count));
    // It may be this node's own line that is bad: what it hears then is not the whole network.
    if (nodes.length < this.#context.limits.quorum) this.#learnKnown();
    this.#pump(now);
  }

  late(request: NodeRequestId, _node: Contact, now: Instant): void {
    const open = this.#open.get(request);
    if (open?.isLate === false) {
      open.isLate = true;
      open.of.late();
    }
    this.#pump(now);
  }

  answered(request: NodeRequestId, node: Contact, answer: NodeAnswer, now: Instant): void {
    const open = this.#open.get(request);
    this.#open.delete(request);
    open?.of.answered(outcomeOf(answer), { wasLate: open.isLate });
    if (answer.kind === "stored") {
      this.#keepers.push(node);
      this.#lives.push(answer.ttlSeconds);
      this.#keptUntil = Math.min(this.#keptUntil, now + 1_000 * answer.ttlSeconds);
      if (this.#hasQuorum()) this.#succeed(request);
    } else if (answer.kind === "failed") {
      this.#failures.push(answer.code);
    } else {
      this.#context.push({ kind: "blame", node });
    }
    this.#pump(now);
  }

  stop(): void {
    this.#isSettled = true;
    for (const request of this.#open.keys()) this.#context.requests.abandon(request);
    this.#open.clear();
    this.#end();
  }

  #pump(now: Instant): void {
    // Those of a crowd may be late on purpose, one after the other.
    const sets = this.#beyond ? [this.#beyond, this.#closest] : [this.#closest];
    for (const set of sets) this.#ask(set, now);
    const isStuck = this.#open.size === 0 && this.#find !== "asked";
    if (isStuck && this.#find === "unasked" && sets.some(({ isShort }) => isShort)) this.#lookUp();
    else if (isStuck) this.#conclude();
  }

  #ask(set: ReplicaSet, now: Instant): void {
    const operation = this.#operation;
    while (set.isShort && this.#open.size < OPEN_PER_OPERATION) {
      const node = set.next();
      if (node === undefined) return;
      const request = this.#context.requests.ask(node, { owner: this, now }, (id) => {
        return { kind: "put-at", operation, request: id, node };
      });
      this.#open.set(request, { of: set, isLate: false });
    }
  }

  /** In a network of fewer nodes than that, all of them have to agree. */
  #quorum(): number {
    const { quorum } = this.#context.limits;
    const isAll = this.#find === "answered" || this.#context.neighbourhood.knowsAll;
    return isAll ? Math.max(Math.min(quorum, this.#tried.size), 1) : quorum;
  }

  /** Of those beyond a crowd most have to agree, too. */
  #hasQuorum(): boolean {
    const { receipts, replicas } = this.#beyond ?? { receipts: 1, replicas: 1 };
    return 2 * receipts > replicas && this.#keepers.length >= this.#quorum();
  }

  #learnKnown(): void {
    const { neighbourhood, limits } = this.#context;
    const find: Finder = (count, isWanted) => {
      return neighbourhood.closestKnown(this.#address, count, isWanted);
    };
    const count = CANDIDATES_PER_REPLICA * limits.replicas;
    this.#learn(neighbourhood.closestKnown(this.#address, count), find);
  }

  /** @param find looks among these, and in larger networks among more */
  #learn(nodes: readonly Contact[], find: Finder): void {
    const { neighbourhood, limits } = this.#context;
    const around = new Surroundings(keyOf(this.#address), neighbourhood.nodesEstimated);
    const isNew = (node: Contact): boolean => {
      const isGood = node.isProvable && !neighbourhood.isDemoted(node);
      return isGood && !this.#tried.has(node.key);
    };
    const furthest = nodes[limits.replicas - 1];
    if (furthest !== undefined && around.isCrowd(furthest.key, "put")) {
      const beyond = around.beyond(find).filter(isNew);
      if (beyond.length > 0) {
        this.#beyond ??= new ReplicaSet(Math.min(KEEPERS_BEYOND, beyond.length));
        this.#take(beyond, this.#beyond);
      }
    }
    this.#take(nodes.filter(isNew), this.#closest);
  }

  #take(nodes: readonly Contact[], set: ReplicaSet): void {
    for (const node of nodes) {
      if (this.#tried.has(node.key)) continue;
      this.#tried.add(node.key);
      set.add(node);
    }
  }

  #lookUp(): void {
    this.#find = "asked";
    this.#context.push({ kind: "find", operation: this.#operation, address: this.#address });
  }

  #succeed(request: NodeRequestId): void {
    if (this.#isSettled) return;
    this.#isSettled = true;
    const receipts = this.#keepers.length;
    const ttlSeconds = grantedByMost(this.#lives);
    const outcome = { kind: "stored", request, receipts, ttlSeconds } as const;
    this.#context.push({ kind: "done", operation: this.#operation, outcome });
    this.#context.confirmed(this.#operation);
  }

  #conclude(): void {
    if (!this.#isSettled) {
      this.#isSettled = true;
      const outcome = { kind: "failed", code: this.#worst() } as const;
      this.#context.push({ kind: "done", operation: this.#operation, outcome });
    }
    this.#end();
  }

  /** A conflict is final; of the other failures the most frequent one is told. */
  #worst(): ErrorCode {
    if (this.#failures.includes("CULVERT_CONFLICT")) return "CULVERT_CONFLICT";
    const counts = new Map<ErrorCode, number>();
    for (const code of this.#failures) counts.set(code, (counts.get(code) ?? 0) + 1);
    const [first] = [...counts].toSorted((a, b) => b[1] - a[1]);
    return first?.[0] ?? "CULVERT_UNREACHABLE";
  }

  #end(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    const [address, keepers, until] = [this.#address, this.#keepers, this.#keptUntil];
    this.#context.ended(this.#operation, { address, keepers, until });
  }
}

function outcomeOf(answer: NodeAnswer): "stored" | "conflict" | "failed" {
  if (answer.kind === "stored") return "stored";
  const isConflict = answer.kind === "failed" && answer.code === "CULVERT_CONFLICT";
  return isConflict ? "conflict" : "failed";
}

/** One alone, who is full or hostile, neither shortens a record's life nor makes it seem longer. */
function grantedByMost(lives: readonly number[]): number {
  const longestFirst = lives.toSorted((a, b) => b - a);
  return longestFirst[Math.floor(lives.length / 2)] ?? 0;
}
