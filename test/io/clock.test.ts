import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { systemClock } from "../../src/io/clock.ts";

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

test("a timer runs once, at its instant and not before", () => {
  const run = vi.fn();
  systemClock.schedule(systemClock.now() + 10.5, run);
  vi.advanceTimersByTime(10);
  expect(run).not.toHaveBeenCalled();
  vi.advanceTimersByTime(1);
  expect(run).toHaveBeenCalledTimes(1);
  vi.advanceTimersByTime(1_000);
  expect(run).toHaveBeenCalledTimes(1);
});

test("an instant in the past runs in a later turn, never within the call", () => {
  const run = vi.fn();
  systemClock.schedule(systemClock.now() - 5, run);
  expect(run).not.toHaveBeenCalled();
  vi.advanceTimersByTime(1);
  expect(run).toHaveBeenCalledTimes(1);
});

test("a delay beyond the platform's longest timer is bridged", () => {
  const run = vi.fn();
  const delayMs = 3 * (2 ** 31 - 1) + 17;
  systemClock.schedule(systemClock.now() + delayMs, run);
  vi.advanceTimersByTime(delayMs - 1);
  expect(run).not.toHaveBeenCalled();
  vi.advanceTimersByTime(1);
  expect(run).toHaveBeenCalledTimes(1);
});

test("cancel works in every stretch of a bridged delay, and twice", () => {
  const run = vi.fn();
  const cancel = systemClock.schedule(systemClock.now() + 2 ** 32, run);
  vi.advanceTimersByTime(2 ** 31 + 5);
  cancel();
  cancel();
  vi.advanceTimersByTime(2 ** 33);
  expect(run).not.toHaveBeenCalled();
  expect(vi.getTimerCount()).toBe(0);
});

test("an infinite instant arms nothing", () => {
  systemClock.schedule(Number.POSITIVE_INFINITY, () => {})();
  expect(vi.getTimerCount()).toBe(0);
});
