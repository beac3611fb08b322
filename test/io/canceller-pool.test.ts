import { EventEmitter, once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { onAbort } from "../../src/base/index.ts";
import { CancellerPool } from "../../src/io/canceller-pool.ts";

describe("a pool of cancellers", () => {
  it("gives one that nobody waits for to the next request", () => {
    const pool = new CancellerPool(1);
    const used = pool.take();
    onAbort(used.signal, () => {})();
    pool.giveBack(used);
    expect(pool.take()).toBe(used);
    expect(pool.take()).not.toBe(used);
  });

  it("keeps no one that was aborted, or that somebody still listens to", () => {
    const pool = new CancellerPool(8);
    const [aborted, awaited, heard] = [pool.take(), pool.take(), pool.take()];
    aborted.abort();
    const forget = onAbort(awaited.signal, () => {});
    heard.signal.addEventListener("abort", () => {});
    for (const used of [aborted, awaited, heard]) {
      pool.giveBack(used);
      expect(pool.take()).not.toBe(used);
    }
    forget();
    pool.giveBack(awaited);
    expect(pool.take()).toBe(awaited);
  });

  it.each<[string, (signal: AbortSignal) => Promise<unknown>]>([
    ["a handler", async (signal) => Object.assign(signal, { onabort: () => {} })],
    ["a wait for an event", (signal) => once(new EventEmitter(), "never", { signal })],
    ["a timer", (signal) => sleep(60_000, undefined, { signal, ref: false })],
    ["a request", (signal) => fetch("http://[::1]:9/", { signal })],
  ])("keeps none that %s waits for", async (_, wait) => {
    const pool = new CancellerPool(8);
    const used = pool.take();
    const waiting = wait(used.signal).catch((error: unknown) => error);
    pool.giveBack(used);
    expect(pool.take()).not.toBe(used);
    used.abort();
    await waiting;
  });

  it("keeps one that was listened to, once nobody listens any more", async () => {
    const pool = new CancellerPool(8);
    const used = pool.take();
    await sleep(1, undefined, { signal: used.signal });
    pool.giveBack(used);
    expect(pool.take()).toBe(used);
  });

  it("keeps no more than it may", () => {
    const pool = new CancellerPool(2);
    const used = [pool.take(), pool.take(), pool.take()];
    for (const canceller of used) pool.giveBack(canceller);
    const again = new Set([pool.take(), pool.take(), pool.take()]);
    expect(used.filter((canceller) => again.has(canceller))).toHaveLength(2);
  });
});
