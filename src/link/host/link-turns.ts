import type { Driver } from "../../base/index.ts";
import type { LinkCore } from "./link-core.ts";
import type { LinkEffect, LinkInput } from "./protocol.ts";

/**
 * Gives a link's core its inputs, with what its path can take. Within an input the path has not got
 * yet all that the core has sent: then the core's own count is the right one.
 */
export class LinkTurns {
  readonly #core: LinkCore;
  readonly #driver: Driver<LinkInput, LinkEffect>;
  readonly #roomBytes: () => number | undefined;
  #isTurning = false;
  /** Whether the path could take more while an input was looked at. */
  #isRoomNew = false;

  /** @param roomBytes what the path can take now; `undefined` without one */
  constructor(
    core: LinkCore,
    driver: Driver<LinkInput, LinkEffect>,
    roomBytes: () => number | undefined,
  ) {
    this.#core = core;
    this.#driver = driver;
    this.#roomBytes = roomBytes;
  }

  /** One input, with what the path can take now. */
  turn(input: LinkInput): void {
    if (this.#isTurning) {
      this.#driver.handle(input);
      return;
    }
    const bytes = this.#roomBytes();
    if (bytes !== undefined) this.#core.roomBytes = bytes;
    this.#outermost(input);
  }

  /** The path can take more. */
  refresh(): void {
    this.#isRoomNew = this.#isTurning;
    const bytes = this.#isTurning ? undefined : this.#roomBytes();
    if (bytes !== undefined) this.#outermost({ kind: "room", bytes });
  }

  #outermost(input: LinkInput): void {
    this.#isTurning = true;
    try {
      this.#driver.handle(input);
    } finally {
      // What a stream's listener throws ends its own turn, and no other.
      this.#isTurning = false;
    }
    if (this.#isRoomNew) this.refresh();
  }
}
