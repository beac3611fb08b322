import type { Random } from "../../base/index.ts";
import { FRAME_ID_BYTES, sealFrame } from "./cell.ts";
import { type AckContent, type Frame, markOf, NO_MARK } from "./frame.ts";
import type { FrameKeys } from "./frame-keys.ts";

/** What a sealer works with. */
export interface SealerInit {
  readonly keys: FrameKeys;
  readonly cellBytes: number;
  readonly random: Random;
}

/** Seals the frames of a data chain, one after the other: each names the one before it. */
export class Sealer {
  readonly #init: SealerInit;
  #mark: number;

  /** `mark` is that of the last frame which an earlier session sealed. */
  constructor(init: SealerInit, mark: number = NO_MARK) {
    this.#init = init;
    this.#mark = mark;
  }

  /** The mark of the last frame: what another session has to begin with. */
  get mark(): number {
    return this.#mark;
  }

  /** Seals frame `index`, its id and its cell, in its place, and passes its keys. */
  seal(
    index: number,
    { type, payload }: Pick<Frame, "type" | "payload">,
    { acknowledgement, flags }: AckContent,
    into: Uint8Array,
  ): void {
    const { keys, cellBytes, random } = this.#init;
    // Field by field: of objects that are spread the engine makes a hidden class for each frame.
    const frame = { type, previous: this.#mark, acknowledgement, flags, payload };
    sealFrame(frame, { keys: keys.at(index), cellBytes, random, into });
    this.#mark = markOf(into.subarray(FRAME_ID_BYTES));
    keys.advance(index + 1);
  }
}
