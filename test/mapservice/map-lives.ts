import { equalBytes, SeededRandom } from "../../src/base/index.ts";
import {
  encodeRecord,
  MAP_LIMITS,
  type MapRecord,
  MemoryRecordStore,
} from "../../src/mapservice/index.ts";
import { NO_STAMP } from "../../src/mapservice/record/work-stamp.ts";
import { MapCore } from "../../src/mapservice/service/map-core.ts";
import type {
  AskerId,
  MapEffect,
  MapInput,
  RequestId,
} from "../../src/mapservice/service/protocol.ts";
import { addressOf, NODE, PAYLOAD_SIZE, recordOf, tombstoneOf } from "./fixtures.ts";

const UNIX_MS = 1_750_000_000_000;
const FRAMES = 6;
const STEPS = 300;

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

/** Askers that come and go, and change their minds, at a Map core whose store is slow. */
export async function mapLife(seed: number): Promise<readonly string[]> {
  const life = new MapLife(new SeededRandom(seed));
  for (let step = 0; step < STEPS; step++) await life.step();
  return await life.end();
}

class MapLife {
  readonly #random: SeededRandom;
  readonly #core: MapCore;
  readonly #waitingMax: number;
  readonly #store = new MemoryRecordStore({
    ...{ payloadSize: PAYLOAD_SIZE, entriesMax: 100, bytesMax: 1e6 },
  });
  readonly #open = new Map<string, Asked>();
  /** What the store has done, and did not tell yet. */
  readonly #untold: (() => void)[] = [];
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
    };
    const payloadSize = PAYLOAD_SIZE;
    this.#core = new MapCore({ payloadSize, limits, signer: NODE, entriesMax: 100 });
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
    else this.#pass(this.#random.below(60));
    if (this.#core.statistics.waiting > this.#waitingMax) this.#faults.push("too many wait");
  }

  /** Lets all come to its end; what was wrong. */
  async end(): Promise<readonly string[]> {
    for (let i = 0; i < 400; i++) {
      this.#turn();
      for (let told = 0; told < 8; told++) await this.#tellOne();
      this.#pass(100);
    }
    for (const name of this.#open.keys()) this.#faults.push(`${name} was not answered`);
    if (this.#congested.size > 0) this.#faults.push("never told that there is room");
    if (!this.#core.isIdle || this.#core.statistics.waiting > 0) this.#faults.push("not idle");
    return this.#faults;
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
    const request = ++this.#lastRequest;
    const dice = random.below(10);
    const record = dice === 0 ? tombstoneOf(frame) : recordOf(frame, { content: dice % 2 });
    const put = dice < 4 ? record : undefined;
    const confirmed = this.#confirmed.get(frame)?.seq ?? 0;
    this.#open.set(nameOf(asker, request), { asker, request, frame, put, confirmed });
    if (put !== undefined) {
      this.#feed({ kind: "put", asker, request, record: encodeRecord(put), stamp: NO_STAMP });
    } else {
      const waitMs = random.below(2) * (1 + random.below(500));
      this.#feed({ kind: "get", asker, request, address: addressOf(frame), waitMs });
    }
    if (this.#core.isCongested(asker)) this.#congested.add(asker);
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
    this.#feed({ kind: "turn", unixMs: UNIX_MS + this.#now, fill: 0 });
  }

  #pass(ms: number): void {
    this.#now += ms;
    this.#core.timeout(this.#now);
    this.#drain();
  }

  async #tellOne(): Promise<void> {
    await Promise.resolve();
    const [tell] = this.#untold.splice(this.#random.below(Math.max(this.#untold.length, 1)), 1);
    tell?.();
  }

  #feed(input: MapInput): void {
    this.#core.handle(input, this.#now);
    this.#drain();
  }

  #drain(): void {
    for (let effect = this.#core.poll(); effect; effect = this.#core.poll()) this.#perform(effect);
  }

  #perform(effect: MapEffect): void {
    const unixMs = UNIX_MS + this.#now;
    if (effect.kind === "answer") this.#answered(effect);
    else if (effect.kind === "turn") this.#turns += 1;
    else if (effect.kind === "ready") this.#congested.delete(effect.asker);
    else if (effect.kind === "lookup") {
      const { address } = effect;
      const isFailed = this.#random.below(20) === 0;
      const stored = isFailed ? undefined : this.#store.get(address, unixMs);
      this.#untold.push(() => this.#feed({ kind: "looked-up", address, stored, isFailed, unixMs }));
    } else if (effect.kind === "commit") {
      const isFailed = this.#random.below(20) === 0;
      const stored = this.#store.put(isFailed ? [] : effect.puts, unixMs);
      void stored.then((all) => {
        const outcomes = isFailed ? undefined : all;
        this.#untold.push(() => this.#feed({ kind: "committed", outcomes, unixMs }));
      });
    } else if (effect.kind === "sweep") {
      this.#feed({ kind: "swept", removed: 0, isDone: true, unixMs });
    }
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

function nameOf(asker: AskerId, request: RequestId): string {
  return `${asker}:${request}`;
}
