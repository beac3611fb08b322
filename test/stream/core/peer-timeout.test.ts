import { generateSecret, MemoryJournalStore, Stream } from "culvert";
import { VirtualClock } from "culvert/testing";
import { MemoryTransport } from "culvert/transport";
import { describe, expect, it, onTestFinished } from "vitest";
import { pattern, virtualPair } from "../virtual-pair.ts";

describe("peerTimeoutMs", () => {
  it("fails a stream whose peer says nothing in the time allowed", async () => {
    const { a, b, clock } = await virtualPair({ loss: 1, open: { peerTimeoutMs: 60_000 } });
    const failure = new Promise<Error & { code?: string }>((resolve) => a.once("error", resolve));
    b.on("error", () => {});
    const startedAt = clock.now();
    a.write("is anybody there?");
    const error = await clock.runPromise(failure, 600_000);
    expect(error.code).toBe("CULVERT_PEER_TIMEOUT");
    expect(clock.now() - startedAt).toBeGreaterThanOrEqual(60_000);
    expect(clock.now() - startedAt).toBeLessThan(61_000);
  });

  it("lets a silence last for ever when it is 0", async () => {
    const { a, pass } = await virtualPair({ loss: 1 });
    a.write("there is no hurry");
    await pass(6 * 3_600_000);
    expect(a.destroyed).toBe(false);
  });

  it("does not count silence once nothing is expected", async () => {
    const { a, b, pass, elapse } = await virtualPair({ open: { peerTimeoutMs: 60_000 } });
    // It waits for the other end, which does not come.
    b.on("error", () => {});
    a.resume();
    b.resume();
    a.write("all");
    b.end("said");
    await elapse(Promise.all([a.sync(), b.sync()]));
    await pass(600_000);
    expect([a.destroyed, b.destroyed]).toEqual([false, true]);
  });

  it("counts from when something is expected, not from the peer's last word", async () => {
    const { a, b, pass, elapse } = await virtualPair({ open: { peerTimeoutMs: 60_000 } });
    const errors: unknown[] = [];
    a.on("error", (error) => errors.push(error));
    // It waits for the answer, which takes too long for it.
    b.on("error", () => {});
    a.resume();
    b.resume();
    b.end("question");
    await elapse(b.sync());
    await pass(120_000);
    a.write("answer");
    await pass(30_000);
    expect(errors).toEqual([]);
  });

  it("takes a pause of the reader for silence of neither", async () => {
    const { a, b, pass } = await virtualPair({ open: { peerTimeoutMs: 60_000 } });
    const errors: unknown[] = [];
    for (const stream of [a, b]) stream.on("error", (error) => errors.push(error));
    a.end();
    b.resume();
    b.end(pattern(2_000_000));
    await pass(600_000);
    expect([errors, a.destroyed, b.destroyed]).toEqual([[], false, false]);
    a.resume();
    await pass(60_000);
    expect([errors, a.readableEnded, b.progress().isEndTaken]).toEqual([[], true, true]);
  });

  it("takes it for no silence either when the writer is far ahead", async () => {
    const clock = new VirtualClock();
    const map = new MemoryTransport({ clock });
    onTestFinished(() => map.close());
    const secret = generateSecret();
    const own = { transport: map, secret, clock, peerTimeoutMs: 60_000 };
    const store = new MemoryJournalStore();
    const writer = await Stream.open({ ...own, role: "listener", store });
    const reader = Stream.dial(map, secret, { clock });
    const errors: unknown[] = [];
    writer.on("error", (error) => errors.push(error));
    writer.end(pattern(2_000_000));
    await clock.runUntil(600_000);
    expect(writer.progress().unacknowledgedFrames).toBeGreaterThan(208);
    expect([errors, writer.destroyed]).toEqual([[], false]);
    reader.resume();
    await clock.runUntil(() => writer.progress().isEndTaken, 60_000);
    await Promise.all([writer.halt(), reader.halt()]);
  });

  it("waits no more for who had a full window and is gone", async () => {
    const { a, b, pass } = await virtualPair({ open: { peerTimeoutMs: 60_000 } });
    const codes: unknown[] = [];
    b.on("error", (error: Error & { code?: string }) => codes.push(error.code));
    a.end();
    b.resume();
    b.end(pattern(2_000_000));
    await pass(30_000);
    await a.halt();
    await pass(600_000);
    expect(codes).toEqual(["CULVERT_PEER_TIMEOUT"]);
  });

  it("counts although probes wait behind a part of a character", async () => {
    const { a, b, pass } = await virtualPair({
      open: { peerTimeoutMs: 3_600_000, receiveFramesMax: 2 },
    });
    const codes: (string | undefined)[] = [];
    b.on("error", ({ code }: NodeJS.ErrnoException) => codes.push(code));
    b.setEncoding("utf8").resume();
    // Its peer probes, since no half of a character is acknowledged; then it is gone.
    a.write(Buffer.from("€").subarray(0, 1));
    await pass(600_000);
    await a.halt();
    await pass(7_200_000);
    expect(codes).toEqual(["CULVERT_PEER_TIMEOUT"]);
  });
});
