import type { ErrorCode, Instant } from "../../base/index.ts";
import type { Contact } from "../wire/contact.ts";
import type { KeyText } from "../wire/key.ts";
import { OPEN_PER_OPERATION, type RequestOwner } from "./node-requests.ts";
import type { PlacementContext } from "./placement-context.ts";
import type { NodeAnswer, NodeRequestId, PlacementId } from "./placement-protocol.ts";

/** Nodes that are looked at for each replica that is wanted: some are gone, or full. */
const CANDIDATES_PER_REPLICA = 4;

/**
 * A record on its way to the closest live nodes: all replicas at once, the next closest for each
 * one that fails or is late. Done at the quorum of receipts; the other replicas are finished behind
 * it.
 */
export class PlacedPut implements RequestOwner {
  readonly #context: PlacementContext;
  readonly #operation: PlacementId;
  readonly #address: Uint8Array;
  #candidates: Contact[] = [];
  readonly #tried = new Set<KeyText>();
  readonly #open = new Map<NodeRequestId, { isLate: boolean }>();
  readonly #keepers: Contact[] = [];
  /** The lives that they have granted, in seconds. */
  readonly #lives: number[] = [];
  /** When the first of the keepers may let it go. */
  #keptUntil: Instant = Number.POSITIVE_INFINITY;
  readonly #failures: ErrorCode[] = [];
  #conflicts = 0;
  #find: "unasked" | "asked" | "answered" = "unasked";
  #isSettled = false;
  #isEnded = false;

  constructor(context: PlacementContext, operation: PlacementId, address: Uint8Array) {
    this.#context = context;
    this.#operation = operation;
    this.#address = address;
  }

  start(now: Instant): void {
    const { neighbourhood } = this.#context;
    // What is believed to be close is not good enough to write to, unless it is all there is.
    if (neighbourhood.knowsAll) this.#learn(this.#known());
    else this.#lookUp();
    this.#pump(now);
  }

  closest(nodes: readonly Contact[], now: Instant): void {
    this.#find = "answered";
    this.#learn(nodes);
    // It may be this node's own line that is bad: what it hears then is not the whole network.
    if (nodes.length < this.#context.limits.quorum) this.#learn(this.#known());
    this.#pump(now);
  }

  late(request: NodeRequestId, _node: Contact, now: Instant): void {
    const open = this.#open.get(request);
    if (open !== undefined) open.isLate = true;
    this.#pump(now);
  }

  answered(request: NodeRequestId, node: Contact, answer: NodeAnswer, now: Instant): void {
    this.#open.delete(request);
    if (answer.kind === "stored") {
      this.#keepers.push(node);
      this.#lives.push(answer.ttlSeconds);
      this.#keptUntil = Math.min(this.#keptUntil, now + 1_000 * answer.ttlSeconds);
      if (this.#keepers.length >= this.#quorum()) this.#succeed(request);
    } else if (answer.kind === "failed") {
      this.#failures.push(answer.code);
      if (answer.code === "CULVERT_CONFLICT") this.#conflicts += 1;
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
    const { limits, requests } = this.#context;
    const operation = this.#operation;
    while (this.#taken() < limits.replicas && this.#open.size < OPEN_PER_OPERATION) {
      const node = this.#candidates.shift();
      if (node === undefined) break;
      const request = requests.ask(node, { owner: this, now }, (id) => {
        return { kind: "put-at", operation, request: id, node };
      });
      this.#open.set(request, { isLate: false });
    }
    const isStuck = this.#open.size === 0 && this.#find !== "asked";
    if (isStuck && this.#taken() < limits.replicas && this.#find === "unasked") {
      this.#lookUp();
    } else if (isStuck) this.#conclude();
  }

  /**
   * Replicas that need nobody else. A node in conflict is one of them: going round it would put a
   * second record where there is a first.
   */
  #taken(): number {
    return this.#keepers.length + this.#conflicts + this.#promptCount();
  }

  #promptCount(): number {
    let count = 0;
    for (const { isLate } of this.#open.values()) if (!isLate) count += 1;
    return count;
  }

  /** In a network of fewer nodes than that, all of them have to agree. */
  #quorum(): number {
    const { quorum } = this.#context.limits;
    const isAll = this.#find === "answered" || this.#context.neighbourhood.knowsAll;
    return isAll ? Math.max(Math.min(quorum, this.#tried.size), 1) : quorum;
  }

  #known(): readonly Contact[] {
    const count = CANDIDATES_PER_REPLICA * this.#context.limits.replicas;
    return this.#context.neighbourhood.closestKnown(this.#address, count);
  }

  #learn(nodes: readonly Contact[]): void {
    for (const node of nodes) {
      if (this.#tried.has(node.key) || !node.isProvable) continue;
      if (this.#context.neighbourhood.isDemoted(node)) continue;
      this.#tried.add(node.key);
      this.#candidates.push(node);
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

/** One alone, who is full or hostile, neither shortens a record's life nor makes it seem longer. */
function grantedByMost(lives: readonly number[]): number {
  const longestFirst = lives.toSorted((a, b) => b - a);
  return longestFirst[Math.floor(lives.length / 2)] ?? 0;
}
