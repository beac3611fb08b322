import { describe, expect, it } from "vitest";
import { abortError, onAbort, throwIfAborted } from "../../src/base/index.ts";

describe("aborting", () => {
  it("has one name, and keeps the reason as the cause", () => {
    const reason = new Error("enough");
    const error = abortError(AbortSignal.abort(reason));
    expect(error.name).toBe("AbortError");
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
});
