import type { StreamEffect } from "../exchange/protocol.ts";

/** How far a writer has come: tells once that all is in the Map, and once that it is read. */
export class Milestones {
  readonly #effects: StreamEffect[];
  #isAllStored: boolean;
  #isAllAcknowledged: boolean;

  constructor(effects: StreamEffect[], isAllAcknowledged: boolean) {
    this.#effects = effects;
    this.#isAllStored = isAllAcknowledged;
    this.#isAllAcknowledged = isAllAcknowledged;
  }

  get isAllStored(): boolean {
    return this.#isAllStored;
  }

  get isAllAcknowledged(): boolean {
    return this.#isAllAcknowledged;
  }

  /** There is more to carry: bytes, or the end. */
  more(): void {
    this.#isAllStored = false;
    this.#isAllAcknowledged = false;
  }

  /** True once when everything is acknowledged. */
  report(left: { unframed: boolean; unstored: number; unacknowledged: number }): boolean {
    if (left.unframed) return false;
    if (!this.#isAllStored && left.unstored === 0) {
      this.#isAllStored = true;
      this.#effects.push({ kind: "all-stored" });
    }
    if (this.#isAllAcknowledged || left.unacknowledged > 0) return false;
    this.#isAllAcknowledged = true;
    this.#effects.push({ kind: "all-acknowledged" });
    return true;
  }
}
