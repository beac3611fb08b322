import { expect, it } from "vitest";
import { LinkCore } from "../../src/link/host/link-core.ts";
import { resolveLinkLimits } from "../../src/link/index.ts";
import { encodeControl } from "../../src/link/mux/link-records.ts";
import { encodeControlFrame } from "../../src/link/mux/mux-frames.ts";
import { effectsOf } from "../effects-of.ts";

const UNACKED = 1_000_000;
/** What the shortest record costs in memory, measured. */
const RECORD_COST = 200;

it("a peer that has a word for each of its own, and acknowledges none, costs what was said", () => {
  const limits = resolveLinkLimits({ unackedBytesMax: UNACKED });
  const peer = { streams: 256, streamWindow: 65_536 };
  const core = new LinkCore({ limits, isInitiator: true, peer, now: 0 });
  core.handle({ kind: "path", peerReceived: 0, receivedTold: 0 }, 0);
  let records = 0;
  let isOver = false;
  // It opens what is refused, says that it is there, and never that it has heard of it.
  for (let id = 1; id < 40_000 && !isOver; id += 2) {
    core.handle({ kind: "room", bytes: 100_000 }, 0);
    const opening = encodeControlFrame({ kind: "open", id, protocol: "p", priority: "normal" });
    core.handle({ kind: "message", payload: encodeControl({ kind: "ack", received: 0 }) }, 0);
    core.handle({ kind: "message", payload: opening }, 0);
    for (const effect of effectsOf(core)) {
      if (effect.kind === "accept") core.handle({ kind: "reset", id: effect.id, code: 1 }, 0);
      if (effect.kind === "send" && effect.payload.length < 16) records += 1;
      if (effect.kind === "over") isOver = true;
    }
  }
  expect(records).toBeLessThanOrEqual(UNACKED / RECORD_COST + 1);
  expect(isOver, "it has all streams that it may have, and opens one more").toBe(true);
});
