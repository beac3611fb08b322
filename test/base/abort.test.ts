import { getEventListeners } from "node:events";
import { describe, expect, it } from "vitest";
import {
  abortError,
  Canceller,
  onAbort,
  throwIfAborted,
  withSignals,
} from "../../src/base/index.ts";

describe("aborting", () => {
  it("has Node's name and code, and keeps the reason as the cause", () => {
    const reason = new Error("enough");
    const error = abortError(AbortSignal.abort(reason));
    expect(error).toMatchObject({ name: "AbortError", code: "ABORT_ERR" });
    expect(error.cause).toBe(reason);
  });

  it("throws for a signal that is aborted, and only then", () => {
    throwIfAborted(undefined);
    throwIfAborted(new AbortController().signal);
    expect(() => throwIfAborted(AbortSignal.abort())).toThrow(/aborted/);
  });

  it("tells once, at once when it is late, and never after it was forgotten", () => {
    const controller = new AbortController();
    const told: string[] = [];
    onAbort(controller.signal, () => told.push("kept"));
    const forget = onAbort(controller.signal, () => told.push("forgotten"));
    onAbort(undefined, () => told.push("never"));
    forget();
    controller.abort();
    onAbort(controller.signal, () => told.push("late"));
    expect(told).toEqual(["kept", "late"]);
  });

  it("listens to a signal once, whoever waits for it, and as long as somebody does", () => {
    const { signal } = new AbortController();
    const listening = (): number => getEventListeners(signal, "abort").length;
    const told: string[] = [];
    const forgets = Array.from({ length: 20 }, () => onAbort(signal, () => told.push("early")));
    expect(listening()).toBe(1);
    for (const forget of forgets) forget();
    expect(listening()).toBe(0);
    const late = onAbort(signal, () => told.push("late"));
    for (const forget of forgets) forget();
    expect(listening()).toBe(1);
    late();
    expect(listening()).toBe(0);
    expect(told).toEqual([]);
  });

  it("joins signals for one work, and leaves no trace on them", async () => {
    const [long, short] = [new AbortController(), new AbortController()];
    const joined = (work: (signal: AbortSignal) => Promise<unknown>): Promise<unknown> =>
      withSignals([long.signal, short.signal], work);
    expect(await joined(async ({ aborted }) => aborted)).toBe(false);
    await expect(joined(() => Promise.reject(new Error("no")))).rejects.toThrow("no");
    const reason = joined(
      (signal) => new Promise((resolve) => void onAbort(signal, ({ cause }) => resolve(cause))),
    );
    short.abort("enough");
    expect(await reason).toBe("enough");
    expect(await joined(async ({ aborted }) => aborted)).toBe(true);
    expect(getEventListeners(long.signal, "abort")).toEqual([]);
    const traces = Object.getOwnPropertySymbols(long.signal)
      .map((symbol): unknown => Reflect.get(long.signal, symbol))
      .filter((value) => value instanceof Set && value.size > 0);
    expect(traces).toEqual([]);
  });

  it("tells through the signal of a canceller what any signal tells, strangers first", () => {
    const canceller = new Canceller();
    const { signal } = canceller;
    const told: string[] = [];
    const errors: Error[] = [];
    onAbort(signal, (error) => {
      told.push("kept");
      errors.push(error);
    });
    const forget = onAbort(signal, () => told.push("forgotten"));
    signal.addEventListener("abort", () => told.push("stranger"));
    forget();
    expect(signal.aborted).toBe(false);
    canceller.abort();
    canceller.abort();
    onAbort(signal, () => told.push("late"));
    expect(told).toEqual(["stranger", "kept", "late"]);
    expect(errors).toMatchObject([{ name: "AbortError", cause: signal.reason }]);
    expect(() => throwIfAborted(signal)).toThrow(/aborted/);
  });
});
