import {
  assert,
  type Core,
  type Instant,
  NumberMap,
  type Random,
  requireMethods,
  requireObject,
  unreachable,
} from "../../base/index.ts";
import { TimerQueue } from "../../retx/index.ts";
import type { Contact } from "../wire/contact.ts";
import { KEY_BYTES } from "../wire/key.ts";
import { NodeRequests, type RequestOwner } from "./node-requests.ts";
import { PlacedGet } from "./placed-get.ts";
import { PlacedPut } from "./placed-put.ts";
import type { Kept, PlacementContext } from "./placement-context.ts";
import { type PlacementLimits, resolvePlacementLimits } from "./placement-limits.ts";
import type {
  Neighbourhood,
  NodeAnswer,
  NodeRequestId,
  PlacementEffect,
  PlacementId,
  PlacementInput,
} from "./placement-protocol.ts";

interface Audit {
  readonly address: Uint8Array;
  readonly keeper: Contact;
}

/** The earliest audit, as a part of the time until the latest. */
const AUDIT_EARLIEST = 0.1;
/** An audit comes within this part of a record's life: who has let go of it in time kept it. */
const AUDITED_LIFE = 0.5;

/**
 * The Map over many nodes, as a synchronous state machine: a record lies at the closest live nodes
 * to its address, is put when a quorum of them has given a receipt, and is got from whichever
 * answers first with one that verifies. It talks to the Map of one node at a time through effects,
 * and verifies nothing itself: the shell tells `lied`.
 *
 * - Every put and get ends with one `done`, then one `ended`, or with `ended` alone when it was
 *   cancelled. A put's `ended` may come later: replicas beyond the quorum are finished behind it.
 * - Some of the nodes that gave a receipt are asked for the record later on. One that has it not is
 *   blamed; who was blamed too often is given nothing new.
 */
export class PlacementCore implements Core<PlacementInput, PlacementEffect>, RequestOwner {
  readonly #context: PlacementContext;
  readonly #random: Random;
  readonly #effects: PlacementEffect[] = [];
  readonly #operations = new NumberMap<PlacedPut | PlacedGet>();
  /** Puts that have their quorum, the oldest first. */
  readonly #confirmed = new Set<PlacementId>();
  readonly #audits: TimerQueue<Audit>;
  #auditing = 0;
  #now: Instant = 0;

  constructor(options: {
    readonly neighbourhood: Neighbourhood;
    readonly random: Random;
    readonly limits?: Partial<PlacementLimits>;
  }) {
    requireObject("options", options);
    const limits = resolvePlacementLimits(options.limits);
    const { neighbourhood, random } = options;
    requireMethods("neighbourhood", neighbourhood, "closestKnown", "isDemoted");
    requireMethods("random", random, "bytes", "unit");
    const push = (effect: PlacementEffect): void => {
      this.#effects.push(effect);
    };
    this.#random = random;
    this.#audits = new TimerQueue({ capacity: limits.auditsMax });
    this.#context = {
      limits,
      neighbourhood,
      requests: new NodeRequests({ random, push }, limits),
      push,
      confirmed: (operation) => this.#confirmed.add(operation),
      ended: (operation, kept) => this.#ended(operation, kept),
    };
  }

  /** Puts and gets that are under way, those that are finished behind their quorum included. */
  get size(): number {
    return this.#operations.size;
  }

  handle(input: PlacementInput, now: Instant): void {
    this.#now = now;
    switch (input.kind) {
      case "put":
      case "get":
        this.#begin(input, now);
        break;
      case "cancel":
        this.#operations.get(input.operation)?.stop();
        break;
      case "closest":
        this.#operations.get(input.operation)?.closest(input.nodes, now);
        break;
      case "answer":
        this.#context.requests.answered(input.request, input.answer, now);
        break;
      default:
        unreachable(input);
    }
  }

  timeout(now: Instant): void {
    this.#now = now;
    this.#context.requests.timeout(now);
    for (let due = this.#audits.due(now); due !== undefined; due = this.#audits.due(now)) {
      this.#audit(due, now);
    }
  }

  poll(): PlacementEffect | undefined {
    return this.#effects.shift();
  }

  deadline(): Instant {
    return Math.min(this.#context.requests.deadline(), this.#audits.deadline());
  }

  /** An audit that takes long says nothing. */
  late(): void {}

  /** An audit's answer. */
  answered(_request: NodeRequestId, node: Contact, answer: NodeAnswer): void {
    this.#auditing -= 1;
    const isMissing = answer.kind === "failed" && answer.code === "CULVERT_NOT_FOUND";
    if (isMissing || answer.kind === "lied") this.#effects.push({ kind: "blame", node });
  }

  #begin(input: PlacementInput & { readonly kind: "put" | "get" }, now: Instant): void {
    const { operation } = input;
    assert(input.address.length === KEY_BYTES, "an address has 32 bytes");
    const { limits, requests } = this.#context;
    if (this.#operations.size >= limits.operationsMax) this.#makeRoom();
    if (this.#operations.size >= limits.operationsMax || !requests.hasRoom) {
      const outcome = { kind: "failed", code: "CULVERT_BUSY" } as const;
      this.#effects.push({ kind: "done", operation, outcome }, { kind: "ended", operation });
      return;
    }
    const address = input.address.slice();
    const begun =
      input.kind === "put"
        ? new PlacedPut(this.#context, operation, address)
        : new PlacedGet(this.#context, { operation, address, waitMs: input.waitMs });
    this.#operations.set(operation, begun);
    begun.start(now);
  }

  /** A put that is done waits no longer for a node that says nothing. */
  #makeRoom(): void {
    const [oldest] = this.#confirmed;
    if (oldest !== undefined) this.#operations.get(oldest)?.stop();
  }

  #ended(operation: PlacementId, kept: Kept | undefined): void {
    this.#operations.delete(operation);
    this.#confirmed.delete(operation);
    this.#effects.push({ kind: "ended", operation });
    const { auditEvery, auditMs, auditsMax } = this.#context.limits;
    if (kept === undefined || kept.keepers.length === 0) return;
    if (this.#audits.size + this.#auditing >= auditsMax) return;
    if (this.#random.unit() * auditEvery >= 1) return;
    const { address, keepers, until } = kept;
    const keeper = keepers[Math.floor(this.#random.unit() * keepers.length)];
    const latestMs = Math.min(auditMs, AUDITED_LIFE * (until - this.#now));
    if (keeper === undefined || latestMs <= 0) return;
    const delayMs = latestMs * (AUDIT_EARLIEST + (1 - AUDIT_EARLIEST) * this.#random.unit());
    this.#audits.push(this.#now + delayMs, { address, keeper });
  }

  #audit({ address, keeper }: Audit, now: Instant): void {
    this.#auditing += 1;
    this.#context.requests.ask(keeper, { owner: this, now }, (request) => {
      return { kind: "get-from", request, node: keeper, address, waitMs: 0 };
    });
  }
}
