import { describe, expect, it } from "vitest";
import { DelayWindow } from "../../../src/link/carrier/delay-window.ts";

/** A path with one bottleneck, whose sender keeps as much on its way as the window allows. */
class FullPath {
  readonly window = new DelayWindow();
  baseMs = 50;
  bytesPerMs = 2_500;
  /** What others have waiting before the bottleneck. */
  foreignMs = 0;
  now = 0;
  /** What the carrier lets out by itself. */
  carrierBytes = 1e6;

  get inFlight(): number {
    return Math.min(this.window.bytes, this.carrierBytes);
  }

  get roundTripMs(): number {
    const standing = Math.max(this.inFlight / this.bytesPerMs - this.baseMs, 0);
    return this.baseMs + this.foreignMs + standing;
  }

  get queueMs(): number {
    return this.roundTripMs - this.baseMs - this.foreignMs;
  }

  /** Looks every 5 ms, with the noise of a real round trip. */
  pass(ms: number, noiseMs = 0): this {
    for (const end = this.now + ms; this.now < end; this.now += 5) {
      const roundTripMs = this.roundTripMs + (this.now % 3) * noiseMs;
      this.window.room({ roundTripMs, inFlightBytes: this.inFlight }, 1, this.now);
    }
    return this;
  }
}

/** Begins with little, as a carrier does, so that the empty path is seen. */
function begun(): FullPath {
  const path = new FullPath();
  path.carrierBytes = 50_000;
  path.pass(500);
  path.carrierBytes = 1e6;
  return path;
}

describe("the window of a path that is full", () => {
  it("bounds nothing while no queue has been seen", () => {
    const path = new FullPath();
    path.carrierBytes = 100_000;
    expect(path.pass(60_000).window.bytes).toBe(Number.POSITIVE_INFINITY);
  });

  it.each([2_500, 250, 25_000])("keeps a short queue before %i bytes/ms", (bytesPerMs) => {
    const path = begun();
    path.bytesPerMs = bytesPerMs;
    path.carrierBytes = bytesPerMs * 400;
    path.pass(8_000);
    for (let second = 0; second < 20; second++) {
      path.pass(1_000);
      const floorMs = 32_768 / bytesPerMs - 50;
      expect(path.queueMs).toBeLessThan(Math.max(25, floorMs + 1));
      expect(path.queueMs).toBeGreaterThan(5); // the bottleneck is never without work
    }
  });

  it("takes a burst for no queue: the shortest round trip counts", () => {
    const path = begun().pass(8_000);
    const before = path.window.bytes;
    path.pass(20_000, 40);
    expect(path.window.bytes).toBeGreaterThan(before * 0.9);
  });

  it("grows with the bottleneck", () => {
    const path = begun().pass(8_000);
    path.bytesPerMs *= 4;
    path.carrierBytes *= 4;
    path.pass(5_000);
    expect(path.window.bytes).toBeGreaterThan(path.bytesPerMs * 50);
  });

  it.each(["another route", "somebody else's queue"])("goes on after %s", (what) => {
    const path = begun().pass(8_000);
    if (what === "another route") path.baseMs = 200;
    else path.foreignMs = 150;
    path.pass(10_000);
    expect(path.window.bytes).toBeGreaterThan(path.bytesPerMs * path.baseMs);
    expect(path.queueMs).toBeLessThan(150);
  });

  it("does not grow while nobody uses it, and never falls below what keeps a path going", () => {
    const path = begun().pass(8_000);
    const before = path.window.bytes;
    path.carrierBytes = 20_000;
    path.pass(10_000);
    expect(path.window.bytes).toBeLessThan(before * 1.5);
    path.carrierBytes = 1e6;
    path.bytesPerMs = 1;
    path.pass(600_000);
    expect(path.window.bytes).toBeGreaterThanOrEqual(32_768);
  });

  it("knows nothing without a round trip", () => {
    const window = new DelayWindow();
    for (let now = 0; now < 1_000; now += 5) {
      window.room({ roundTripMs: 0, inFlightBytes: 1e6 }, 0, now);
    }
    expect(window.bytes).toBe(Number.POSITIVE_INFINITY);
  });
});
