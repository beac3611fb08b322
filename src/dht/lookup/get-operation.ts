import { equalBytes, type Instant } from "../../base/index.ts";
import { type DhtContext, estimatedNodes } from "../exchange/dht-context.ts";
import { isOver } from "../values/value-store.ts";
import type { Contact } from "../wire/contact.ts";
import { distanceFraction, type KeyText, textBytes } from "../wire/key.ts";
import type { DhtRequest, DhtResponse, DhtValue, ValueKind } from "../wire/message.ts";
import type { DhtResult, OperationHooks } from "./operation.ts";
import { Search } from "./search.ts";

/** A value that somebody gave, and how many gave the same. */
interface Claim {
  readonly value: DhtValue;
  readonly sequence: number;
  voices: number;
  readonly hops: number;
}

/** Different values that are weighed against each other; more are noise. */
const CLAIMS_MAX = 16;
/** Whoever is thought to be of this share of the keepers, counted from the key, is asked alone. */
const KEEPER_SHARE = 0.25;

/**
 * Finds a value. A record proves itself: the first one that verifies ends the search. Of a value
 * that may change, three have to agree, or all have to be heard; then the newest descriptor holds,
 * or the plain value that most have. Only what passes its kind's rule counts.
 */
export class GetOperation {
  readonly #context: DhtContext;
  readonly #key: KeyText;
  readonly #kind: ValueKind | undefined;
  readonly #hooks: OperationHooks;
  readonly #search: Search;
  readonly #claims: Claim[] = [];
  #isSettled = false;

  constructor(
    context: DhtContext,
    asked: { readonly key: KeyText; readonly valueKind: ValueKind | undefined },
    hooks: OperationHooks,
  ) {
    this.#context = context;
    this.#key = asked.key;
    this.#kind = asked.valueKind;
    this.#hooks = hooks;
    this.#search = new Search(context, asked.key, {
      requestNear: (near) => this.#request(near),
      took: (contact, response, hops, now) => this.#took(contact, response, hops, now),
      late: () => hooks.late(),
      ended: (now) => this.#ended(now),
    });
  }

  start(now: Instant): void {
    const own = this.#context.store.get(this.#key, this.#kind, now);
    if (own !== undefined) this.#claim(own, undefined, 0, now);
    if (this.#isSettled) return;
    if (this.#isClosestEnough()) this.#search.startAlone(now);
    else this.#search.start(now);
  }

  /** Time is up: what is known has to do. */
  expire(): void {
    this.#conclude();
  }

  stop(): void {
    this.#isSettled = true;
    this.#search.stop();
  }

  /**
   * A node that few others can be closer than has a record as a rule: it is asked alone first. So
   * it is for every key where most nodes are known, and else for keys near this node. While many
   * are late nobody is waited for alone: each one that is gone would cost a soft timeout.
   */
  #isClosestEnough(): boolean {
    const { table, peers, limits } = this.#context;
    if (this.#kind !== "record" || peers.areManyLate) return false;
    const [closest] = table.closest(this.#key, 1, ({ key }) => !peers.isLate(key));
    if (closest === undefined) return false;
    const closer = estimatedNodes(this.#context) * distanceFraction(this.#key, closest.key);
    return closer <= KEEPER_SHARE * limits.replicas;
  }

  #request(near: Uint8Array): DhtRequest {
    const base = { kind: "find-value", key: textBytes(this.#key), near } as const;
    return this.#kind === undefined ? base : { ...base, valueKind: this.#kind };
  }

  #took(contact: Contact, response: DhtResponse, hops: number, now: Instant): boolean {
    if (response.kind !== "value") return false;
    const { value } = response;
    if (this.#kind !== undefined && value.kind !== this.#kind) return false;
    return this.#claim(value, contact, hops, now);
  }

  /** Counts a value in; false when it breaks its kind's rule. */
  #claim(value: DhtValue, from: Contact | undefined, hops: number, now: Instant): boolean {
    const { store, limits } = this.#context;
    let claim = this.#claims.find((known) => isSame(known.value, value));
    if (claim === undefined) {
      const judged = store.judge(this.#key, value);
      if (typeof judged === "string") return false;
      // Clocks differ: who has what is over by ours has not lied.
      if (isOver(judged, now) || !this.#makeRoom(value.kind)) return true;
      const copy = { ...value, bytes: value.bytes.slice() };
      claim = { value: copy, sequence: judged.sequence, voices: 0, hops };
      this.#claims.push(claim);
    }
    claim.voices += 1;
    // A node has the last word on its own descriptor.
    const isOwners = value.kind === "descriptor" && from?.key === this.#key && from.isProvable;
    const isEnough = value.kind === "record" || isOwners;
    if (isEnough) this.#settle(claim);
    else if (claim.voices >= limits.agreementMin && claim === this.#best()) this.#settle(claim);
    return true;
  }

  /** Whether one more of this kind may be weighed, if need be in place of one of a lesser kind. */
  #makeRoom(kind: ValueKind): boolean {
    if (this.#claims.length < CLAIMS_MAX) return true;
    const lesser = this.#claims.findIndex(({ value }) => KIND_RANK[value.kind] < KIND_RANK[kind]);
    if (lesser >= 0) this.#claims.splice(lesser, 1);
    return lesser >= 0;
  }

  /** The proven kinds first; then the newest of a descriptor, the most agreed on of the others. */
  #best(): Claim | undefined {
    return this.#claims.toSorted((a, b) => {
      const byKind = KIND_RANK[b.value.kind] - KIND_RANK[a.value.kind];
      return byKind || b.sequence - a.sequence || b.voices - a.voices;
    })[0];
  }

  #ended(now: Instant): void {
    if (this.#isSettled) return;
    // Nothing was found: perhaps somebody stood in the way.
    if (this.#claims.length === 0 && this.#search.spread()) this.#search.pump(now);
    else this.#conclude();
  }

  #conclude(): void {
    const best = this.#best();
    if (best !== undefined) this.#settle(best);
    else if (!this.#search.isHampered) {
      this.#finish({ kind: "missing", asked: this.#search.asked });
    } else {
      this.stop();
      this.#hooks.busy();
      this.#hooks.ended();
    }
  }

  #settle({ value, hops }: Claim): void {
    this.#finish({ kind: "found", value, hops, asked: this.#search.asked });
  }

  #finish(result: DhtResult): void {
    if (this.#isSettled) return;
    this.stop();
    this.#hooks.settled(result);
    this.#hooks.ended();
  }
}

const KIND_RANK: Readonly<Record<ValueKind, number>> = { record: 2, descriptor: 1, plain: 0 };

function isSame(a: DhtValue, b: DhtValue): boolean {
  return a.kind === b.kind && equalBytes(a.bytes, b.bytes);
}
