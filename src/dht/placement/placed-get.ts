import type { ErrorCode, Instant } from "../../base/index.ts";
import type { Contact } from "../wire/contact.ts";
import { type KeyText, keyOf } from "../wire/key.ts";
import { type Finder, Surroundings } from "./crowd.ts";
import { OPEN_PER_OPERATION, type RequestOwner } from "./node-requests.ts";
import type { PlacementContext } from "./placement-context.ts";
import type {
  NodeAnswer,
  NodeRequestId,
  PlacementId,
  PlacementOutcome,
} from "./placement-protocol.ts";

/** Nodes beyond the replicas that are asked too: one of the closest may have come lately. */
const SPARES = 1;

/**
 * How many times longer the next node that holds a question is given than the one before, until
 * another is asked beside it. A put goes to all of them at once, and any of them tells of it: more
 * than two who wait are only for the case that those are gone, or silent on purpose.
 */
const WAITING_PATIENCE_GROWTH = 2;

/**
 * A record that is asked for: at the closest node, and at the next one each time that one is late
 * or has nothing. The first record that verifies counts. With `waitMs` the nodes hold the question
 * until the put comes: being late is then no failure, and others are asked too, at growing gaps.
 *
 * Where ids crowd around the address, every second one is asked beyond the crowd.
 */
export class PlacedGet implements RequestOwner {
  readonly #context: PlacementContext;
  readonly #operation: PlacementId;
  readonly #address: Uint8Array;
  readonly #waitMs: number;
  #until: Instant = 0;
  #candidates: Contact[] = [];
  readonly #asked = new Set<KeyText>();
  readonly #open = new Map<NodeRequestId, { isLate: boolean }>();
  readonly #failures: ErrorCode[] = [];
  #askedMax: number;
  #find: "unasked" | "asked" | "answered" = "unasked";
  #isDone = false;

  constructor(
    context: PlacementContext,
    asked: {
      readonly operation: PlacementId;
      readonly address: Uint8Array;
      readonly waitMs: number;
    },
  ) {
    this.#context = context;
    this.#operation = asked.operation;
    this.#address = asked.address;
    this.#waitMs = asked.waitMs;
    this.#askedMax = 2 * context.limits.replicas;
  }

  start(now: Instant): void {
    const { neighbourhood, limits } = this.#context;
    this.#until = now + this.#waitMs;
    this.#learn(neighbourhood.closestKnown(this.#address, limits.replicas), (count, isWanted) => {
      return neighbourhood.closestKnown(this.#address, count, isWanted);
    });
    if (neighbourhood.knowsAll) this.#find = "answered";
    this.#pump(now);
  }

  /** The true neighbourhood: those of it that were not asked are the next. */
  closest(nodes: readonly Contact[], now: Instant): void {
    this.#find = "answered";
    const { replicas } = this.#context.limits;
    this.#askedMax = this.#asked.size + replicas + SPARES;
    if (nodes.length > 0) {
      this.#learn(nodes.slice(0, replicas + SPARES), (count, isWanted) => {
        return nodes.filter(isWanted).slice(0, count);
      });
    }
    this.#pump(now);
  }

  late(request: NodeRequestId, _node: Contact, now: Instant): void {
    const open = this.#open.get(request);
    if (open !== undefined) open.isLate = true;
    // Perhaps others are closer by now: that is found out beside the wait.
    if (this.#find === "unasked") this.#lookUp();
    this.#pump(now);
  }

  answered(request: NodeRequestId, node: Contact, answer: NodeAnswer, now: Instant): void {
    this.#open.delete(request);
    if (answer.kind === "found") {
      this.#finish({ kind: "found", request });
      return;
    }
    if (answer.kind === "failed") this.#failures.push(answer.code);
    else this.#context.push({ kind: "blame", node });
    this.#pump(now);
  }

  stop(): void {
    if (this.#isDone) return;
    this.#isDone = true;
    for (const request of this.#open.keys()) this.#context.requests.abandon(request);
    this.#context.ended(this.#operation);
  }

  #pump(now: Instant): void {
    if (this.#isDone) return;
    const { requests } = this.#context;
    const [address, waitMs] = [this.#address, Math.max(this.#until - now, 0)];
    const operation = this.#operation;
    while (this.#promptCount() === 0 && this.#asked.size < this.#askedMax) {
      if (this.#open.size >= OPEN_PER_OPERATION) break;
      const node = this.#candidates.shift();
      if (node === undefined) break;
      this.#asked.add(node.key);
      const patience = waitMs > 0 ? WAITING_PATIENCE_GROWTH ** this.#open.size : 1;
      const request = requests.ask(node, { owner: this, waitMs, patience, now }, (id) => {
        return { kind: "get-from", operation, request: id, node, address, waitMs };
      });
      this.#open.set(request, { isLate: false });
    }
    if (this.#open.size > 0 || this.#find === "asked") return;
    if (this.#find === "unasked") this.#lookUp();
    else this.#finish({ kind: "failed", code: this.#verdict() });
  }

  #promptCount(): number {
    let count = 0;
    for (const { isLate } of this.#open.values()) if (!isLate) count += 1;
    return count;
  }

  /** @param find looks among these, and in larger networks among more */
  #learn(nodes: readonly Contact[], find: Finder): void {
    const { neighbourhood, limits } = this.#context;
    const around = new Surroundings(keyOf(this.#address), neighbourhood.nodesEstimated);
    const furthest = nodes[limits.replicas - 1];
    const isCrowd = furthest !== undefined && around.isCrowd(furthest.key, "get");
    const beyond = isCrowd ? around.beyond(find) : [];
    this.#askedMax += beyond.length;
    const inTurn = nodes.flatMap((node, at) => [node, ...beyond.slice(at, at + 1)]);
    const all = new Set([...inTurn, ...beyond]);
    this.#candidates = [...all].filter(({ key, isProvable }) => {
      return isProvable && !this.#asked.has(key);
    });
  }

  #lookUp(): void {
    this.#find = "asked";
    this.#context.push({ kind: "find", operation: this.#operation, address: this.#address });
  }

  /**
   * One honest "not here" is an answer, unless as many were busy: a put may have found its quorum
   * among those. Without any, nobody was reached.
   */
  #verdict(): ErrorCode {
    const [absent, busy] = [this.#count("CULVERT_NOT_FOUND"), this.#count("CULVERT_BUSY")];
    if (absent > 0) return busy >= absent ? "CULVERT_BUSY" : "CULVERT_NOT_FOUND";
    return this.#failures.at(-1) ?? "CULVERT_UNREACHABLE";
  }

  #count(code: ErrorCode): number {
    return this.#failures.filter((each) => each === code).length;
  }

  #finish(outcome: PlacementOutcome): void {
    this.#context.push({ kind: "done", operation: this.#operation, outcome });
    this.stop();
  }
}
