import { expect, it } from "vitest";
import { LINK_LIMITS } from "../../src/link/index.ts";
import { MuxCore } from "../../src/link/mux/mux-core.ts";
import type { StreamId } from "../../src/link/mux/mux-frames.ts";
import { creditCost } from "../../src/link/mux/mux-stream.ts";
import { effectsOf } from "../effects-of.ts";

const { streamsInMax: streams, streamWindowBytes: streamWindow } = LINK_LIMITS;

/** One end; what comes is read at once. */
class End {
  readonly mux: MuxCore;
  opened: StreamId = -1;

  constructor(isInitiator: boolean) {
    this.mux = new MuxCore({ limits: LINK_LIMITS, isInitiator, peer: { streams, streamWindow } });
  }

  hear(): void {
    for (const effect of effectsOf(this.mux)) {
      if (effect.kind === "opened") this.opened = effect.id;
      if (effect.kind !== "data") continue;
      const { id, bytes } = effect;
      this.mux.handle({ kind: "consumed", id, credit: creditCost(bytes.length) }, 0);
    }
  }

  /** Says all that it may before it hears the other; how many bytes that was. */
  sayTo(other: End): number {
    const payloads: Uint8Array[] = [];
    for (let next = this.mux.fill(65_519); next !== undefined; next = this.mux.fill(65_519)) {
      payloads.push(next);
    }
    for (const payload of payloads) other.mux.handle({ kind: "receive", payload }, 0);
    for (const end of [this, other]) end.hear();
    return payloads.reduce((sum, { length }) => sum + length, 0);
  }
}

/** What becomes of a stream of which one end, or the other, has enough. */
const ENDS = {
  "whose peer has ended its side": ["a", { kind: "end" }],
  "that its peer has reset": ["a", { kind: "reset", code: 1 }],
  "that was reset here": ["b", { kind: "reset", code: 1 }],
} as const;

it.each(Object.entries(ENDS))("a stream %s leaves its window to others", (_what, [who, word]) => {
  const [a, b] = [new End(true), new End(false)];
  const most = [1, 2, 3].map((ticket) => {
    a.mux.handle({ kind: "open", ticket, protocol: "p", priority: "normal" }, 0);
    a.hear();
    const id = a.opened;
    a.mux.handle({ kind: "write", id, chunks: [new Uint8Array(90e6)] }, 0);
    let widest = 0;
    for (let bytes = -1; bytes !== 0; ) {
      bytes = a.sayTo(b);
      widest = Math.max(widest, bytes);
      bytes += b.sayTo(a);
    }
    (who === "a" ? a : b).mux.handle({ ...word, id }, 0);
    for (const [from, to] of [[a, b] as const, [b, a] as const]) from.sayTo(to);
    return widest;
  });
  // The other side of what has ended stays: there may be an answer to come.
  expect(b.mux.streamCount).toBe(word.kind === "end" ? 3 : 0);
  for (const bytes of most) expect(bytes / LINK_LIMITS.streamWindowBytesMax).toBeCloseTo(1, 1);
});
