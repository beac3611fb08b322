import type { Driver } from "../base/index.ts";
import type { LinkEffect, LinkInput } from "./link-core.ts";

/**
 * Gives a link's core its inputs, with what its path can take. Within an input the path has not got
 * yet all that the core has sent: then the core's own count is the right one.
 */
export class LinkTurns {
  readonly #driver: Driver<LinkInput, LinkEffect>;
  readonly #roomBytes: () => number | undefined;
  #isTurning = false;
  /** Whether the path could take more while an input was looked at. */
  #isRoomNew = false;

  /** @param roomBytes what the path can take now; `undefined` without one */
  constructor(driver: Driver<LinkInput, LinkEffect>, roomBytes: () => number | undefined) {
    this.#driver = driver;
    this.#roomBytes = roomBytes;
  }

  /** One input, with what the path can take now. */
  turn(input: LinkInput): void {
    if (this.#isTurning) {
      this.#driver.handle(input);
      return;
    }
    this.#isTurning = true;
    this.#tellRoom();
    this.#driver.handle(input);
    this.#isTurning = false;
    if (this.#isRoomNew) this.refresh();
  }

  /** The path can take more. */
  refresh(): void {
    this.#isRoomNew = this.#isTurning;
    if (!this.#isTurning) this.#tellRoom();
  }

  #tellRoom(): void {
    const bytes = this.#roomBytes();
    if (bytes !== undefined) this.#driver.handle({ kind: "room", bytes });
  }
}
