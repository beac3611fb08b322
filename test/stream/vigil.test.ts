import { describe, expect, it } from "vitest";
import { virtualPair } from "./virtual-pair.ts";

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
});
