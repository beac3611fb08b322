import { EventEmitter } from "node:events";
import { describe, expect, it } from "vitest";
import { watchSignals } from "../../../src/cli/terminal/interrupt.ts";

/** A process as far as signals and the channel to its parent go. */
function processWith(connected: boolean | undefined): NodeJS.Process {
  return Object.assign(new EventEmitter(), { connected }) as unknown as NodeJS.Process;
}

describe("a command is asked to stop", () => {
  it.each([
    ["SIGHUP", 129],
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ])("by %s", (signal, exit) => {
    const process = processWith(undefined);
    const stop = watchSignals(process);
    expect(stop.aborted).toBe(false);
    process.emit(signal as "SIGINT", signal as "SIGINT");
    expect(stop.reason).toMatchObject({ exit });
    // The second one is the system's business.
    expect(process.listenerCount("SIGINT") + process.listenerCount("SIGTERM")).toBe(0);
  });

  it("by a terminal that goes away, which hangs up twice", () => {
    const process = processWith(undefined);
    const stop = watchSignals(process);
    process.emit("SIGHUP", "SIGHUP");
    expect(process.listenerCount("SIGHUP"), "the system would end it").toBe(1);
    process.emit("SIGHUP", "SIGHUP");
    expect(stop.reason).toMatchObject({ exit: 129 });
  });

  it("by the end of the parent that it has a channel to", () => {
    const process = processWith(true);
    const stop = watchSignals(process);
    expect(stop.aborted).toBe(false);
    process.emit("disconnect");
    expect(stop.reason).toMatchObject({ exit: 143 });
  });

  it("by a parent that was gone before it could listen", () => {
    expect(watchSignals(processWith(false)).reason).toMatchObject({ exit: 143 });
  });
});
