import { generateSecret, MemoryJournalStore, Stream } from "culvert";
import { VirtualClock } from "culvert/testing";
import { CountingTransport, LossyTransport, MemoryTransport } from "culvert/transport";
import { describe, expect, it, onTestFinished } from "vitest";
import type { AckReader } from "../../../src/stream/acks/ack-reader.ts";
import { AckTrail } from "../../../src/stream/acks/ack-trail.ts";
import type { AckWriter } from "../../../src/stream/acks/ack-writer.ts";
import { type Frame, NO_ACKNOWLEDGEMENT } from "../../../src/stream/frame/frame.ts";
import { pattern } from "../virtual-pair.ts";

/** The longest that the Map of these tests keeps anything. */
const TTL_SECONDS = 600;

/** More than as many acknowledgements as wait to be read. */
const BYTES = 200_000;

function place(loss = 0) {
  const clock = new VirtualClock();
  const map = new MemoryTransport({ clock, payloadSize: 200, ttlSecondsMax: TTL_SECONDS });
  onTestFinished(() => map.close());
  const transport = new LossyTransport(map, { rttMs: 20, loss, clock, seed: 4 });
  const store = new MemoryJournalStore();
  const secret = generateSecret();
  const open = () => Stream.open({ transport, secret, role: "listener", store, clock });
  return { clock, transport, secret, open };
}

describe("a writer that was away for longer than acknowledgements live", () => {
  it.each([0, 0.3])("hears of its reader again, with %f of everything lost", async (loss) => {
    const { clock, transport, secret, open } = place(loss);
    const a = await open();
    a.write(pattern(BYTES));
    await clock.runUntil(() => a.progress().isAllStored, 600_000);
    await a.halt();
    const counting = new CountingTransport(transport);
    const b = Stream.dial(counting, secret, { clock });
    b.resume();
    await clock.runUntil(() => b.bytesRead === BYTES, 600_000);
    await clock.runUntil(clock.now() + 2_000 * TTL_SECONDS);
    expect(counting.counts.stored).toBeGreaterThan(16);
    const again = await open();
    again.write("and more");
    await clock.runPromise(again.sync(), 600_000);
    // The trail is found again: what follows is heard of as soon as ever.
    again.write("and more");
    await clock.runPromise(again.sync(), loss === 0 ? 500 : 60_000);
    await Promise.all([again.halt(), b.halt()]);
  });
});

describe("what a probe says of the acks", () => {
  const passed: number[] = [];
  const reader = { next: 7, passTo: (index: number) => passed.push(index), expect: () => {} };
  const trail = new AckTrail({ next: 30 } as AckWriter, reader as unknown as AckReader);
  const probe = (payload: Uint8Array): Frame => ({
    type: "probe",
    previous: 0,
    acknowledgement: NO_ACKNOWLEDGEMENT,
    flags: 0,
    payload,
  });
  const saying = (looksAt: number, newest: number): Frame =>
    probe(Uint8Array.of(0, 0, 0, 0, 0, looksAt, 0, 0, 0, 0, 0, newest));

  it("is where it looks for the next one, and where its newest one is", () => {
    expect([...trail.tell(0)]).toEqual([0, 0, 0, 0, 0, 7, 0, 0, 0, 0, 0, 29]);
  });

  it("is followed, and answered when the peer is too far behind", () => {
    expect([13, 14, 15, 30].map((at) => trail.follow(saying(at, 99), 0))).toEqual([
      true,
      true,
      false,
      false,
    ]);
    expect(passed).toEqual([99, 99, 99, 99]);
  });

  it("is nothing in a probe of another length, or in another frame", () => {
    expect(trail.follow(probe(new Uint8Array(0)), 0)).toBe(false);
    expect(trail.follow(probe(new Uint8Array(13)), 0)).toBe(false);
    expect(trail.follow({ ...saying(0, 99), type: "data" }, 0)).toBe(false);
    expect(passed.length).toBe(4);
  });
});
