import { VirtualClock } from "culvert/testing";
import { describe, expect, test } from "vitest";
import { abortError, CulvertError, type ErrorCode } from "../../../src/base/index.ts";
import { CommandOptions } from "../../../src/cli/arguments/command-options.ts";
import { requireMap, withMap, withMapHint } from "../../../src/cli/connection/connection.ts";
import type { Context } from "../../../src/cli/context.ts";
import { explain, type Failure } from "../../../src/cli/failure.ts";
import { Interrupted } from "../../../src/cli/terminal/interrupt.ts";
import { MemoryTransport } from "../../../src/transport/index.ts";
import { FakeScreen, outputOn } from "../screen.ts";

/** What a command that was stopped while its Map was opened ends with. */
async function stoppedWith(open: (stop: AbortSignal) => Promise<never>): Promise<unknown> {
  const stopper = new AbortController();
  const context = { stop: stopper.signal, clock: new VirtualClock() } as unknown as Context;
  const map = { name: "m", flags: "", open: () => open(stopper.signal) };
  const ended = withMap(context, map, async () => {}).catch((error: unknown) => error);
  stopper.abort(new Interrupted("SIGINT"));
  return await ended;
}

describe("a command that is stopped while its Map is opened", () => {
  test.each([
    [
      "gives up",
      (stop: AbortSignal) => Promise.resolve().then(() => Promise.reject(abortError(stop))),
    ],
    [
      "fails",
      () => Promise.resolve().then(() => Promise.reject(new CulvertError("CULVERT_UNREACHABLE"))),
    ],
  ] as const)("was stopped, when that %s", async (_, open) => {
    expect(await stoppedWith(open)).toMatchObject({ exit: 130 });
  });
});

test("nobody is told by silence that a single Map hides who asks", () => {
  const choose = (env: NodeJS.ProcessEnv, values: Record<string, string>): unknown =>
    requireMap({ env } as Context, new CommandOptions(values));
  const here = { CULVERT_MAP: "127.0.0.1:7000" };
  for (const option of [{ via: "onion" }, { exitCells: "40" }]) {
    expect(() => choose({}, { map: "127.0.0.1:7000", ...option })).toThrow("is about a network");
    expect(() => choose(here, option)).toThrow("is about a network");
  }
  expect(choose(here, {})).toMatchObject({ name: "127.0.0.1:7000" });
  const unset = { CULVERT_MAP: "", CULVERT_NODES: "" };
  expect(() => choose(unset, {})).toThrow("which network?");
});

test("nobody waits for long without a word before a Map is there", async () => {
  const [clock, screen] = [new VirtualClock(), new FakeScreen(false)];
  const stop = new AbortController().signal;
  const context = { clock, stop, output: outputOn(screen, false) } as unknown as Context;
  const open = (ms: number) => async () => {
    await new Promise<void>((done) => clock.schedule(clock.now() + ms, done));
    return { transport: new MemoryTransport({ clock }), close: () => {} };
  };
  const work = async (): Promise<void> => {};
  await clock.runPromise(withMap(context, { name: "m", flags: "", open: open(1_000) }, work));
  await clock.runUntil(20_000);
  expect(screen.text).toBe("");
  await clock.runPromise(withMap(context, { name: "m", flags: "", open: open(9_000) }, work));
  expect(screen.text).toContain("nobody has answered yet");
});

test("what cannot be used as a Map comes with what to do about it", () => {
  const explained = (code: ErrorCode): Failure =>
    explain(withMapHint(new CulvertError(code, "so it is"), "127.0.0.1:80"));
  expect(explained("CULVERT_PROTOCOL")).toMatchObject({
    message: "what answers at 127.0.0.1:80 is no Map of this version: so it is",
    hint: expect.stringContaining("--nodes"),
  });
  expect(explained("CULVERT_UNSUPPORTED").hint).toContain("npm install bittorrent-dht");
  expect(explained("CULVERT_BUSY").hint).toContain("the Map is busy");
});
