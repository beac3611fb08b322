import { equalBytes, SeededRandom } from "../../src/base/index.ts";
import {
  encodeRecord,
  MAP_LIMITS,
  type MapRecord,
  MemoryRecordStore,
  type PutOutcome,
} from "../../src/mapservice/index.ts";
import { NO_STAMP } from "../../src/mapservice/record/work-stamp.ts";
import type { CheckedPut } from "../../src/mapservice/service/commit-step.ts";
import { MapCore } from "../../src/mapservice/service/map-core.ts";
import type {
  AskerId,
  MapEffect,
  MapInput,
  RequestId,
} from "../../src/mapservice/service/protocol.ts";
import { effectsOf } from "../effects-of.ts";
import { addressOf, NODE, PAYLOAD_SIZE, recordOf, tombstoneOf } from "./fixtures.ts";

const UNIX_MS = 1_750_000_000_000;
const FRAMES = 6;
const STEPS = 300;
const ENTRIES = 100;
/** New records that a source may have, of which a life needs fewer, once the store is half full. */
const SHARE = 40;
const STORE_MS = 100;

/** A request, and what was promised of its address when it came. */
interface Asked {
  readonly asker: AskerId;
  readonly request: RequestId;
  readonly frame: number;
  /** Absent for a get. */
  readonly put: MapRecord | undefined;
  /** The highest sequence that was confirmed by then. */
  readonly confirmed: number;
}

/** What the store, or whoever verifies, has done and did not tell yet. */
interface Untold {
  readonly kind: "commit" | "lookup" | "verify";
  readonly tell: () => void;
}

/**
 * Askers that come and go, and change their minds, at a Map core whose store is slow, fails, hangs
 * for a while, and loses what it has.
 */
export async function mapLife(seed: number): Promise<readonly string[]> {
  const life = new MapLife(new SeededRandom(seed));
  for (let step = 0; step < STEPS; step++) await life.step();
  return await life.end();
}

class MapLife {
  readonly #random: SeededRandom;
  readonly #core: MapCore;
  readonly #waitingMax: number;
  #store = freshStore();
  readonly #open = new Map<string, Asked>();
  readonly #untold: Untold[] = [];
  /** What of the store hangs. */
  #hangs: "nothing" | "writes" | "everything" = "nothing";
  #isSweepAsked = false;
  #fill = 0;
  #failsOneIn = 20;
  /** What a source was charged for. */
  readonly #stored = new Map<string, number>();
  readonly #confirmed = new Map<number, MapRecord>();
  readonly #askers = new Set<AskerId>();
  readonly #congested = new Set<AskerId>();
  readonly #faults: string[] = [];
  #now = 0;
  #turns = 0;
  #lastAsker = 0;
  #lastRequest = 0;

  constructor(random: SeededRandom) {
    this.#random = random;
    this.#waitingMax = 4 + random.below(12);
    const limits = {
      ...MAP_LIMITS,
      queuedPerLinkMax: 2 + random.below(6),
      waitingMax: this.#waitingMax,
      waitingPerLinkMax: 2 + random.below(8),
      recentBytesMax: random.below(2) * 262_144,
      requestsPerSecond: 50,
      requestsBurst: 1 + random.below(20),
      queuedBytesMax: 1_000 + random.below(3_000),
      committingBytesMax: 150 + random.below(1_000),
      storeMsMax: STORE_MS,
      sweepMs: 40,
      sourceShare: SHARE / ENTRIES,
    };
    const options = { payloadSize: PAYLOAD_SIZE, limits, signer: NODE, entriesMax: ENTRIES };
    this.#core = new MapCore({
      secret: new Uint8Array(165).map((_, i) => 7 * i),
      ...options,
      verifiesAside: random.below(2) === 0,
    });
  }

  async step(): Promise<void> {
    const dice = this.#random.below(100);
    const asker = this.#pick([...this.#askers]);
    if (asker === undefined || (dice < 4 && this.#askers.size < 6)) this.#enter();
    else if (dice < 45) this.#ask(asker);
    else if (dice < 62) this.#turn();
    else if (dice < 78) await this.#tellOne();
    else if (dice < 88) this.#cancel();
    else if (dice < 90) this.#leave(asker);
    else if (dice < 92) this.#hang();
    else if (dice < 94) await this.#sweep();
    else this.#pass(this.#random.below(60));
    if (this.#core.statistics.waiting > this.#waitingMax) this.#faults.push("too many wait");
  }

  /** Lets all come to its end; what was wrong. */
  async end(): Promise<readonly string[]> {
    this.#hangs = this.#random.below(2) === 0 ? "everything" : "nothing";
    await this.#goOn(200, 10);
    for (const [name, { put, frame }] of this.#open) {
      const what = put === undefined ? "get" : "put";
      this.#faults.push(`${name}, a ${what} of ${frame}, was not answered`);
    }
    if (this.#congested.size > 0) this.#faults.push("never told that there is room");
    this.#hangs = "nothing";
    await this.#goOn(40, 100);
    if (!this.#core.isIdle || this.#core.statistics.waiting > 0) this.#faults.push("not idle");
    this.#fill = 0.6;
    this.#failsOneIn = 2 ** 30;
    for (const source of ["s0", "s1"]) await this.#useUp(source);
    return this.#faults;
  }

  async #goOn(times: number, stepMs: number): Promise<void> {
    for (let i = 0; i < times; i++) {
      this.#turn();
      for (let told = 0; told < 8; told++) await this.#tellOne();
      this.#pass(stepMs);
    }
  }

  /** A new asker of the source puts as much as is left of its share. */
  async #useUp(source: string): Promise<void> {
    const asker = ++this.#lastAsker;
    this.#feed({ kind: "open", asker, source, needsReceipts: false });
    const left = Math.floor(SHARE - (this.#stored.get(source) ?? 0));
    const first = FRAMES + (source === "s0" ? 0 : SHARE);
    for (let put = 0; put <= left; put++) {
      const name = this.#askFor(asker, { frame: first + put, put: recordOf(first + put) });
      for (let i = 0; this.#open.has(name) && i < 50; i++) await this.#goOn(1, 20);
      const isTaken = this.#confirmed.has(first + put);
      if (isTaken !== put < left) this.#faults.push(`${source}: ${put} of ${left}: ${isTaken}`);
    }
  }

  #enter(): void {
    const asker = ++this.#lastAsker;
    this.#askers.add(asker);
    const needsReceipts = this.#random.below(2) === 0;
    this.#feed({ kind: "open", asker, source: `s${asker % 2}`, needsReceipts });
  }

  #ask(asker: AskerId): void {
    // As a client does that waits for room.
    if (this.#congested.has(asker)) return;
    const random = this.#random;
    const frame = random.below(FRAMES);
    const dice = random.below(10);
    const record = dice === 0 ? tombstoneOf(frame) : recordOf(frame, { content: dice % 2 });
    const put = dice < 4 ? record : undefined;
    const waitMs = random.below(2) * (1 + random.below(500));
    this.#askFor(asker, { frame, put, waitMs });
    if (this.#core.isCongested(asker)) this.#congested.add(asker);
  }

  #askFor(
    asker: AskerId,
    what: { readonly frame: number; readonly put: MapRecord | undefined; readonly waitMs?: number },
  ): string {
    const request = ++this.#lastRequest;
    const { frame, put, waitMs = 0 } = what;
    const name = nameOf(asker, request);
    const confirmed = this.#confirmed.get(frame)?.seq ?? 0;
    this.#open.set(name, { asker, request, frame, put, confirmed });
    if (put !== undefined) {
      this.#feed({ kind: "put", asker, request, record: encodeRecord(put), stamp: NO_STAMP });
    } else {
      this.#feed({ kind: "get", asker, request, address: addressOf(frame), waitMs });
    }
    return name;
  }

  #cancel(): void {
    const get = this.#pick([...this.#open.values()].filter(({ put }) => put === undefined));
    if (get === undefined) return;
    const { asker, request } = get;
    this.#open.delete(nameOf(asker, request));
    this.#feed({ kind: "cancel", asker, request });
  }

  #leave(asker: AskerId): void {
    this.#askers.delete(asker);
    this.#congested.delete(asker);
    for (const [name, each] of this.#open) if (each.asker === asker) this.#open.delete(name);
    this.#feed({ kind: "close", asker });
  }

  #turn(): void {
    if (this.#turns === 0) return;
    this.#turns -= 1;
    this.#feed({ kind: "turn", unixMs: UNIX_MS + this.#now, fill: this.#fill });
  }

  #pass(ms: number): void {
    this.#now += ms;
    this.#core.timeout(this.#now);
    this.#drain();
  }

  async #tellOne(): Promise<void> {
    await Promise.resolve();
    const next = this.#pick(this.#untold.filter(({ kind }) => !this.#isHanging(kind)));
    if (next === undefined) return;
    this.#untold.splice(this.#untold.indexOf(next), 1);
    next.tell();
  }

  #isHanging(kind: Untold["kind"]): boolean {
    if (this.#hangs === "nothing" || kind === "verify") return false;
    return this.#hangs === "everything" || kind === "commit";
  }

  #hang(): void {
    const all = ["nothing", "nothing", "writes", "everything"] as const;
    this.#hangs = all[this.#random.below(all.length)] ?? "nothing";
  }

  /** Sometimes it finds that all is gone: what was done before that was told before that. */
  async #sweep(): Promise<void> {
    if (!this.#isSweepAsked || this.#hangs !== "nothing") return;
    this.#isSweepAsked = false;
    const isBegunAnew = this.#random.below(4) === 0;
    if (isBegunAnew) {
      do await this.#tellOne();
      while (this.#untold.length > 0);
      this.#store = freshStore();
      this.#confirmed.clear();
      for (const [name, asked] of this.#open) this.#open.set(name, { ...asked, confirmed: 0 });
    }
    const unixMs = UNIX_MS + this.#now;
    this.#feed({ kind: "swept", removed: 0, isDone: true, isBegunAnew, unixMs });
  }

  #feed(input: MapInput): void {
    this.#core.handle(input, this.#now);
    this.#drain();
  }

  #drain(): void {
    for (const effect of effectsOf(this.#core)) this.#perform(effect);
  }

  #perform(effect: MapEffect): void {
    const unixMs = UNIX_MS + this.#now;
    if (effect.kind === "answer") this.#answered(effect);
    else if (effect.kind === "turn") this.#turns += 1;
    else if (effect.kind === "ready") this.#congested.delete(effect.asker);
    else if (effect.kind === "lookup") this.#lookUp(effect.address, unixMs);
    else if (effect.kind === "commit") this.#commit(effect.puts as readonly CheckedPut[], unixMs);
    else if (effect.kind === "sweep") this.#isSweepAsked = true;
    else if (effect.kind === "verify") {
      const { id } = effect;
      const tell = (): void => this.#feed({ kind: "verified", id, isGenuine: true });
      this.#untold.push({ kind: "verify", tell });
    }
  }

  #lookUp(address: Uint8Array, unixMs: number): void {
    const isFailed = this.#random.below(this.#failsOneIn) === 0;
    const stored = isFailed ? undefined : this.#store.get(address, unixMs);
    const tell = (): void => this.#feed({ kind: "looked-up", address, stored, isFailed, unixMs });
    this.#untold.push({ kind: "lookup", tell });
  }

  #commit(puts: readonly CheckedPut[], unixMs: number): void {
    const isFailed = this.#random.below(this.#failsOneIn) === 0;
    // Where a write has failed, it may be done all the same.
    const stored = this.#store.put(isFailed && this.#random.below(2) === 0 ? [] : puts, unixMs);
    void stored.then((all) => {
      const outcomes = isFailed ? undefined : all;
      const tell = (): void => {
        for (const [index, { charge }] of puts.entries()) {
          if (charge === undefined) continue;
          const { source, amount } = charge;
          const used = usedOf(amount, outcomes?.[index]);
          this.#stored.set(source, (this.#stored.get(source) ?? 0) + used);
        }
        this.#feed({ kind: "committed", outcomes, unixMs });
      };
      this.#untold.push({ kind: "commit", tell });
    });
  }

  #answered({ asker, request, answer }: MapEffect & { readonly kind: "answer" }): void {
    const name = nameOf(asker, request);
    const asked = this.#open.get(name);
    this.#open.delete(name);
    if (asked === undefined) {
      this.#faults.push(`${name} was answered twice, or after it was taken back`);
      return;
    }
    const { frame, put } = asked;
    if (answer.kind === "not-found" && asked.confirmed > 0) {
      this.#faults.push(`${name} found nothing after a put`);
    }
    const record = answer.kind === "found" ? answer.record : put;
    if ((answer.kind !== "found" && answer.kind !== "stored") || record === undefined) return;
    const kept = this.#store.get(addressOf(frame), UNIX_MS + this.#now)?.record;
    const isKept = kept?.seq === record.seq && equalBytes(kept.payload, record.payload);
    // A tombstone may have come since.
    if (!isKept && (kept?.seq ?? 0) <= record.seq) this.#faults.push(`${name}: it is not kept`);
    const known = this.#confirmed.get(frame);
    if (!equalBytes(record.address, addressOf(frame))) this.#faults.push(`${name}: another's`);
    if (known?.seq === record.seq && !equalBytes(known.payload, record.payload)) {
      this.#faults.push(`${name}: two records of one address`);
    }
    if (answer.kind === "found" && record.seq < asked.confirmed) {
      this.#faults.push(`${name} found what a tombstone had ended`);
    }
    if (answer.kind === "stored" && record.seq >= (known?.seq ?? 0)) {
      this.#confirmed.set(frame, record);
    }
  }

  #pick<T>(all: readonly T[]): T | undefined {
    return all[this.#random.below(Math.max(all.length, 1))];
  }
}

function freshStore(): MemoryRecordStore {
  return new MemoryRecordStore({
    ...{ payloadSize: PAYLOAD_SIZE, entriesMax: ENTRIES, bytesMax: 1e6 },
  });
}

/** What of a charge came to be: a record, or the part of one that a life was made longer by. */
function usedOf(amount: number, outcome: PutOutcome | undefined): number {
  if (outcome?.kind === "stored") return amount;
  if (outcome?.kind !== "known") return 0;
  return (outcome.gainedMs ?? 0) / (1_000 * MAP_LIMITS.ttlSecondsMax);
}

function nameOf(asker: AskerId, request: RequestId): string {
  return `${asker}:${request}`;
}
