import { joinBytes, requireOneOf } from "../../base/index.ts";
import type { BegunInput } from "../exchange/protocol.ts";

/** What `TakenBytes` needs to know of the stream around it. */
export interface TakenBytesInit {
  /** `manual`: nothing counts as taken before the application confirms it. `auto` if absent. */
  readonly confirm: "auto" | "manual" | undefined;
  /** Where this session begins. */
  readonly offset: number;
  /** Bytes that were delivered and that the application has not asked for yet. */
  readonly waiting: () => number;
  /** All bytes below this offset have been taken, and the last of them cannot be used yet. */
  readonly take: (offset: number, begun: BegunInput) => void;
}

/** What an application says that uses what it has read in larger parts than it reads it. */
export interface UsedInParts {
  /** These bytes were read, and are of no use before more comes: the next session gets them. */
  begin(bytes: Uint8Array): void;
  /** All that was begun is used, and perhaps more. */
  used(): void;
}

/**
 * Which bytes the application has taken, and so which may be acknowledged: in automatic mode what
 * has left the readable buffer, one turn later, so that a crash in the handler repeats the bytes
 * rather than losing them; in manual mode what was confirmed.
 */
export class TakenBytes implements UsedInParts {
  readonly #init: TakenBytesInit;
  readonly #isManual: boolean;
  #delivered: number;
  #taken: number;
  #isScheduled = false;
  #discardedFrom = Number.POSITIVE_INFINITY;
  /** Of what has left the buffer, what waits to be used. */
  #unusedBytes: () => number = () => 0;
  /** How much of that has begun to be used, and what of it was not told yet. */
  #begunBytes = 0;
  #begun: Uint8Array[] = [];

  /** @throws RangeError for another way to confirm */
  constructor(init: TakenBytesInit) {
    const { confirm = "auto" } = init;
    requireOneOf("confirm", confirm, ["auto", "manual"]);
    this.#init = init;
    this.#isManual = confirm === "manual";
    this.#delivered = init.offset;
    this.#taken = init.offset;
  }

  delivered(length: number): void {
    this.#delivered += length;
  }

  /** Bytes that came for an application that does not read any more. */
  get discardedBytes(): number {
    return Math.max(this.#delivered - this.#discardedFrom, 0);
  }

  /** Nobody will read: what is there, and what comes, is taken unless it has to be confirmed. */
  takeAll(): void {
    this.#discardedFrom = Math.min(this.#delivered - this.#init.waiting(), this.#discardedFrom);
    this.used();
  }

  holdBack(unusedBytes: () => number): UsedInParts {
    this.#unusedBytes = unusedBytes;
    return this;
  }

  begin(bytes: Uint8Array): void {
    if (this.#isManual) return;
    this.#begunBytes += bytes.length;
    this.#begun.push(bytes);
  }

  used(): void {
    this.#begunBytes = 0;
    this.#begun = [];
    this.note();
  }

  /** Looks, at the end of this turn, at what has left the buffer. */
  note(): void {
    if (this.#isManual || this.#isScheduled) return;
    this.#isScheduled = true;
    queueMicrotask(() => {
      this.#isScheduled = false;
      this.look();
    });
  }

  /** Looks now: this is no crash, and what has left the buffer is the application's. */
  look(): void {
    if (this.#isManual) return;
    if (this.#discardedFrom < Number.POSITIVE_INFINITY) {
      this.#moveTo(this.#delivered);
      return;
    }
    const waiting = this.#init.waiting() + this.#unusedBytes() - this.#begunBytes;
    this.#moveTo(this.#delivered - waiting);
  }

  /** @throws RangeError beyond what has been delivered, and for what is no whole number */
  confirm(offset: number): void {
    if (!(Number.isInteger(offset) && offset <= this.#delivered)) {
      throw new RangeError("bytes that were not delivered cannot be confirmed");
    }
    this.#moveTo(offset);
  }

  #moveTo(offset: number): void {
    if (offset <= this.#taken) return;
    this.#taken = offset;
    const begun = { length: this.#begunBytes, bytes: joinBytes(this.#begun) };
    this.#begun = [];
    this.#init.take(offset, begun);
  }
}
