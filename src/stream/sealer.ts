import type { Random } from "../base/index.ts";
import { FRAME_ID_BYTES, sealFrame } from "./cell.ts";
import { type Frame, markOf, NO_MARK } from "./frame.ts";
import type { FrameKeys } from "./frame-keys.ts";

/** What a sealer works with. */
export interface SealerInit {
  readonly keys: FrameKeys;
  readonly cellBytes: number;
  readonly random: Random;
}

/**
 * Small frames share buffers of this size: making one costs as much as sealing a small frame. They
 * leave in the order in which they were sealed, so one that is left keeps few others in memory.
 */
const SLAB_BYTES = 16_384;

/** Seals the frames of a data chain, one after the other: each names the one before it. */
export class Sealer {
  readonly #init: SealerInit;
  #mark: number;
  #slab = new Uint8Array(0);

  /** `mark` is that of the last frame which an earlier session sealed. */
  constructor(init: SealerInit, mark: number = NO_MARK) {
    this.#init = init;
    this.#mark = mark;
  }

  /** The mark of the last frame: what another session has to begin with. */
  get mark(): number {
    return this.#mark;
  }

  /** Seals frame `index` and passes its keys; its id and its cell, owned by the caller. */
  seal(index: number, content: Omit<Frame, "previous">): Uint8Array {
    const { keys, cellBytes, random } = this.#init;
    const frame = { ...content, previous: this.#mark };
    const into = this.#room(FRAME_ID_BYTES + cellBytes);
    const sealed = sealFrame(frame, { keys: keys.at(index), cellBytes, random, into });
    this.#mark = markOf(sealed.subarray(FRAME_ID_BYTES));
    keys.advance(index + 1);
    return sealed;
  }

  /** So many zeros. */
  #room(length: number): Uint8Array {
    if (2 * length > SLAB_BYTES) return new Uint8Array(length);
    if (this.#slab.length < length) this.#slab = new Uint8Array(SLAB_BYTES);
    const room = this.#slab.subarray(0, length);
    this.#slab = this.#slab.subarray(length);
    return room;
  }
}
