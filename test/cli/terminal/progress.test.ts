import { describe, expect, test } from "vitest";
import { Output } from "../../../src/cli/terminal/output.ts";
import { ProgressReporter, progressLines, RateMeter } from "../../../src/cli/terminal/progress.ts";
import { VirtualClock } from "../../../src/testing/index.ts";
import { FakeScreen, outputOn } from "../screen.ts";

const FAILED = {
  code: "CULVERT_FILE",
  message: "cannot write to stdout",
  hint: "is the disk full?",
  exit: 1,
} as const;

const steps = { written: 1_200_000, stored: 800_000, acknowledged: 500_000 };

describe("progress", () => {
  test("says what each step means, and what is known of the network and the peer", () => {
    const [line] = progressLines(
      {
        steps,
        totalBytes: 1_200_000,
        roundTripMs: 48,
        loss: 0.333,
        retransmissions: 51,
        heardMsAgo: 2000,
        expiresInMs: 600_000_000,
      },
      120_000,
    );
    expect(line).toBe(
      "written 100 %, stored 66 %, acknowledged 41 % of 1.2 MB · 120 kB/s, 6 s left · " +
        "round trip 48 ms, loss 33 %, 51 sent again · peer seen 2 s ago · " +
        "unread data kept 6 d 22 h",
    );
  });

  test("leaves out what matters least where there is little room", () => {
    const sample = { steps, totalBytes: 1_200_000, roundTripMs: 48, retransmissions: 51 };
    const lines = progressLines({ ...sample, heardMsAgo: 2000, expiresInMs: 600_000_000 }, 120_000);
    expect(lines.slice(1)).toEqual([
      "written 100 %, stored 66 %, acknowledged 41 % of 1.2 MB · 120 kB/s, 6 s left · " +
        "peer seen 2 s ago · unread data kept 6 d 22 h",
      "written 100 %, stored 66 %, acknowledged 41 % of 1.2 MB · 120 kB/s, 6 s left · " +
        "peer seen 2 s ago",
      "written 100 %, stored 66 %, acknowledged 41 % of 1.2 MB · 120 kB/s, 6 s left",
      "written 100 %, stored 66 %, acknowledged 41 % of 1.2 MB",
      "written 100 %, stored 66 %, acknowledged 41 %",
      "stored 66 %, acknowledged 41 %",
      "acknowledged 41 %",
    ]);
  });

  test("says little when little is known", () => {
    const lines = progressLines({ steps: { read: 1500 }, retransmissions: 0 });
    expect(lines).toEqual(["read 1.5 kB"]);
  });

  test("the rate follows, and forgets", () => {
    const meter = new RateMeter();
    expect(meter.measure(0, 0)).toBeUndefined();
    for (let second = 1; second <= 60; second++) meter.measure(second * 1000, second * 1000);
    expect(meter.measure(61_000, 61_000)).toBeCloseTo(1000);
    for (let second = 62; second <= 90; second++) meter.measure(61_000, second * 1000);
    expect(meter.measure(61_000, 91_000)).toBeLessThan(10);
  });
});

describe("telling progress", () => {
  function tell(kind: { isTTY: boolean; json: boolean }): FakeScreen {
    const clock = new VirtualClock();
    const screen = new FakeScreen(kind.isTTY);
    let acknowledged = 0;
    const reporter = new ProgressReporter({
      output: outputOn(screen, kind.json),
      clock,
      sample: () => ({ steps: { acknowledged }, totalBytes: 1000, retransmissions: 0 }),
    });
    reporter.start();
    clock.advance(25_000);
    acknowledged = 1000;
    reporter.stop();
    clock.advance(25_000);
    return screen;
  }

  test("is one line in place on a terminal", () => {
    const screen = tell({ isTTY: true, json: false });
    expect(screen.text).toContain("\r\u001b[Kacknowledged 0 % of 1.0 kB");
    expect(screen.text).not.toContain("\n");
  });

  test("is a new line elsewhere, and only when there is news", () => {
    const screen = tell({ isTTY: false, json: false });
    expect(screen.text).not.toContain("\u001b");
    expect(screen.text.trimEnd().split("\n")).toHaveLength(2);
  });

  test("is not of what never began", () => {
    const screen = new FakeScreen(false);
    const sample = () => ({ steps: { stored: 0 }, retransmissions: 0 });
    const clock = new VirtualClock();
    new ProgressReporter({ output: outputOn(screen, false), clock, sample }).stop();
    expect(screen.text).toBe("");
  });

  test.each([false, true])("is over once stdout has failed: the error is the last (%s)", (json) => {
    for (const isTTY of [false, true]) {
      const clock = new VirtualClock();
      const [stdout, stderr] = [new FakeScreen(false), new FakeScreen(isTTY)];
      const onBroken = (): void => output.fail(FAILED, new Error("ENOSPC"));
      const streams = { stdout, stderr, isStdoutData: true, onBroken };
      const output = new Output({ ...streams, json, verbose: false, env: {} });
      let taken = 0;
      const sample = () => ({ steps: { taken }, retransmissions: 0 });
      const reporter = new ProgressReporter({ output, clock, sample });
      reporter.start();
      taken = 1000;
      stdout.emit("error", Object.assign(new Error("ENOSPC"), { code: "ENOSPC" }));
      const told = stderr.text;
      expect(told).toContain(FAILED.message);
      clock.advance(25_000);
      taken = 2000;
      reporter.stop();
      expect(stderr.text).toBe(told);
    }
  });

  test("is a versioned event for programs", () => {
    const screen = tell({ isTTY: true, json: true });
    const events = screen.text.trimEnd().split("\n");
    expect(events).toHaveLength(2);
    expect(JSON.parse(events[1] ?? "")).toMatchObject({
      v: 1,
      event: "progress",
      acknowledged: 1000,
      totalBytes: 1000,
    });
  });
});
