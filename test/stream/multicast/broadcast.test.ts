import { Broadcast, type CulvertError, capabilityToText, Subscription } from "culvert";
import { VirtualClock } from "culvert/testing";
import { LossyTransport, MemoryTransport } from "culvert/transport";
import { describe, expect, it } from "vitest";

/** What a reader has got so far, and how it ended. */
function collect(subscription: Subscription) {
  const got = { text: "", isEnded: false, lagged: 0, error: undefined as CulvertError | undefined };
  subscription.on("data", (chunk: Uint8Array) => {
    got.text += new TextDecoder().decode(chunk);
  });
  subscription.on("end", () => {
    got.isEnded = true;
  });
  subscription.on("lag", (frames: number) => {
    got.lagged += frames;
  });
  subscription.on("error", (error: CulvertError) => {
    got.error = error;
  });
  return got;
}

function world(options: { loss?: number; seed?: number } = {}) {
  const clock = new VirtualClock();
  const memory = new MemoryTransport({ payloadSize: 200, clock });
  const { loss = 0, seed = 1 } = options;
  const transport = new LossyTransport(memory, { loss, rttMs: 100, clock, seed });
  return { clock, memory, transport };
}

describe("a broadcast", () => {
  it("reaches every reader, early or late", async () => {
    const { clock, transport } = world();
    const broadcast = new Broadcast(transport, { clock });
    const text = capabilityToText(broadcast.capability());
    const early = [1, 2, 3].map(() => collect(new Subscription(transport, text, { clock })));
    broadcast.write("one ");
    await clock.runPromise(broadcast.sync());
    const late = collect(new Subscription(transport, broadcast.capability(), { clock }));
    const atStart = collect(new Subscription(transport, broadcast.capabilityAtStart(), { clock }));
    broadcast.end("two".repeat(200));
    await clock.runPromise(broadcast.close());
    const all = [...early, late, atStart];
    await clock.runUntil(() => all.every((got) => got.isEnded), 60_000);
    const two = "two".repeat(200);
    for (const got of [...early, atStart]) expect(got.text).toBe(`one ${two}`);
    expect(late.text).toBe(two);
  });

  it("reaches them at half of everything lost", async () => {
    const { clock, transport } = world({ loss: 0.5, seed: 7 });
    const broadcast = new Broadcast(transport, { clock });
    const readers = [1, 2, 3].map(() =>
      collect(new Subscription(transport, broadcast.capability(), { clock })),
    );
    const text = "some words ".repeat(2_000);
    broadcast.end(text);
    await clock.runUntil(() => readers.every((got) => got.isEnded), 3_600_000);
    for (const got of readers) expect(got.text).toBe(text);
  });
});
