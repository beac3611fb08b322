import { equalBytes, type Instant } from "../../base/index.ts";
import type { NodeId } from "../../identity/index.ts";
import type { TimerHandle } from "../../retx/index.ts";
import type { ReplyEnvelope } from "../message/envelope.ts";
import { NumberRanges } from "./number-ranges.ts";
import type { CallId } from "./protocol.ts";

/** A request that is not settled: its handler runs, or its reply is kept. */
export interface Entry {
  readonly number: number;
  readonly reference: Uint8Array;
  readonly type: string;
  /** The handler, while it runs. */
  run?: Run | undefined;
  reply?: ReplyEnvelope;
  /** When the life of the request ends. */
  forgetAt?: Instant;
  forget?: TimerHandle;
}

/** A handler that runs. */
export interface Run {
  readonly call: CallId;
  readonly peer: NodeId;
  readonly key: string;
  readonly session: InSession;
  /** Whose reply is awaited; nobody's when the request was settled meanwhile. */
  entry: Entry | undefined;
  timer?: TimerHandle | undefined;
}

/** Separate ranges of used numbers, per reply that may be kept; an honest peer leaves fewer. */
const RANGES_PER_REPLY = 2;

/** A peer's session: which numbers were used, and what is kept of those that are not settled. */
export class InSession {
  readonly #id: Uint8Array;
  readonly #used = new NumberRanges();
  readonly #entries = new Map<number, Entry>();
  #floor = 0;
  /** The replies that are kept in it, and their bytes. */
  replies = 0;
  replyBytes = 0;

  constructor(id: Uint8Array) {
    this.#id = id;
  }

  get entries(): Iterable<Entry> {
    return this.#entries.values();
  }

  isNamed(id: Uint8Array): boolean {
    return equalBytes(this.#id, id);
  }

  isUsed(number: number): boolean {
    return this.#used.has(number);
  }

  hasRoom(entriesMax: number): boolean {
    return this.#entries.size < entriesMax && this.#used.size < RANGES_PER_REPLY * entriesMax;
  }

  entry(number: number): Entry | undefined {
    return this.#entries.get(number);
  }

  enter(entry: Entry): void {
    this.#used.add(entry.number);
    this.#entries.set(entry.number, entry);
  }

  /** False when it has left before. */
  remove(entry: Entry): boolean {
    if (this.#entries.get(entry.number) !== entry) return false;
    return this.#entries.delete(entry.number);
  }

  /** Uses up every number below `floor`, and gives what is still kept of them. */
  takeBelow(floor: number): Entry[] {
    if (floor <= this.#floor) return [];
    this.#floor = floor;
    this.#used.addBelow(floor);
    const below: Entry[] = [];
    for (const entry of this.#entries.values()) if (entry.number < floor) below.push(entry);
    return below;
  }
}
