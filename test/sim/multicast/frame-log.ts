import type { WriteCapability } from "../../../src/crypto/index.ts";
import { openFrame } from "../../../src/stream/frame/cell.ts";
import { contentOf } from "../../../src/stream/frame/content.ts";
import type { FrameType } from "../../../src/stream/frame/frame.ts";
import { DATA_CONTEXT, FrameKeys } from "../../../src/stream/frame/frame-keys.ts";
import type { Pattern } from "../../../src/testing/world/pattern.ts";
import { Violation } from "../../../src/testing/world/violation.ts";
import { type PutRequest, placeKey } from "../../../src/testing/world/virtual-map.ts";

/** What is known of one frame of a broadcast. */
export interface LoggedFrame {
  /** Where it is kept: a key of the virtual Map. */
  readonly key: string;
  readonly type: FrameType;
  /** Its bytes in the text. */
  readonly start: number;
  readonly end: number;
}

/** Frames further ahead than any window reaches. */
const AHEAD_MAX = 4_096;

/**
 * An observer who holds a broadcast's keys: opens every frame that is put, and compares its content
 * with the text that is broadcast. By it the readers are judged.
 */
export class FrameLog {
  readonly #keys: FrameKeys;
  readonly #text: Pattern;
  readonly #cellBytes: number;
  readonly #numbers = new Map<string, number>();
  readonly #opened = new Map<number, { key: string; type: FrameType; content: Uint8Array }>();
  readonly #frames: LoggedFrame[] = [];

  constructor(write: WriteCapability, text: Pattern, cellBytes: number) {
    this.#keys = new FrameKeys(write.chain, 0, DATA_CONTEXT);
    this.#text = text;
    this.#cellBytes = cellBytes;
  }

  /** All frames that were put, up to the first that was not. */
  get frames(): readonly LoggedFrame[] {
    return this.#frames;
  }

  /** Where a frame's bytes begin; of the one after the last, where they will. */
  startOf(number: number): number {
    return this.#frames[number]?.start ?? this.#frames.at(-1)?.end ?? 0;
  }

  put({ frameId, cell }: PutRequest): void {
    const key = placeKey(frameId);
    const number = this.#numberOf(key);
    if (this.#opened.has(number) || number < this.#frames.length) return;
    const opened = openFrame(cell.slice(), this.#keys.at(number), this.#cellBytes);
    if (opened.kind !== "frame") throw new Violation("content", `frame ${number} does not open`);
    const { type } = opened.frame;
    this.#opened.set(number, { key, type, content: contentOf(opened.frame).slice() });
    this.#append();
  }

  #append(): void {
    for (;;) {
      const next = this.#opened.get(this.#frames.length);
      if (next === undefined) return;
      const start = this.#frames.at(-1)?.end ?? 0;
      const wrongAt = this.#text.mismatch(start, next.content);
      if (wrongAt !== undefined) throw new Violation("content", `byte ${wrongAt} was put wrong`);
      this.#opened.delete(this.#frames.length);
      const { key, type, content } = next;
      this.#frames.push({ key, type, start, end: start + content.length });
    }
  }

  #numberOf(key: string): number {
    for (let known = this.#numbers.size; !this.#numbers.has(key); known++) {
      if (known > this.#frames.length + AHEAD_MAX) {
        throw new Violation("frame-reused", "a put at a place that is none of the broadcast's");
      }
      this.#numbers.set(placeKey(this.#keys.at(known).frameId), known);
    }
    return this.#numbers.get(key) ?? 0;
  }
}
