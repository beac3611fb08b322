import { assert, concatBytes, equalBytes } from "../../base/index.ts";

/**
 * Slots of a cache: a power of two, and four times the frames of a window. A frame that has lost
 * its slot costs its arithmetic once more.
 */
const SLOTS = 256;

interface Slot<T> {
  readonly frameId: Uint8Array;
  readonly value: T;
}

/**
 * What was computed for a frame, until another one falls into its slot. Frame ids are uniformly
 * random and known to nobody else, so their first bits choose the slot: no key has to be made of
 * the others, nothing is ever moved, and nobody can make two of them meet.
 */
export class FrameCache<T> {
  readonly #slots: (Slot<T> | undefined)[] = [];

  get(frameId: Uint8Array): T | undefined {
    const slot = this.#slots[slotOf(frameId)];
    return slot !== undefined && equalBytes(slot.frameId, frameId) ? slot.value : undefined;
  }

  /** Keeps `value` and a copy of the frame id. */
  set(frameId: Uint8Array, value: T): void {
    this.#slots[slotOf(frameId)] = { frameId: concatBytes(frameId), value };
  }

  /** Forgets the value of a frame that will not be asked for again. */
  delete(frameId: Uint8Array): void {
    if (this.get(frameId) !== undefined) this.#slots[slotOf(frameId)] = undefined;
  }
}

function slotOf(frameId: Uint8Array): number {
  assert(frameId.length === 32, "a frame id has 32 bytes");
  return ((frameId[0] as number) | ((frameId[1] as number) << 8)) % SLOTS;
}
