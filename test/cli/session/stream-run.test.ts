import { CulvertError, generateSecret, MemoryJournalStore, Stream } from "culvert";
import { VirtualClock } from "culvert/testing";
import { MemoryTransport } from "culvert/transport";
import { describe, expect, onTestFinished, test } from "vitest";
import type { Session } from "../../../src/cli/session/session.ts";
import type { SessionRecord } from "../../../src/cli/session/session-record.ts";
import { runStream } from "../../../src/cli/session/stream-run.ts";
import { Interrupted } from "../../../src/cli/terminal/interrupt.ts";
import { sentSample } from "../../../src/cli/terminal/progress-sample.ts";
import { FakeScreen, outputOn } from "../screen.ts";

/** What is said at the end of a piece of work, and what `runStream` ends with. */
async function ended(
  record: Partial<SessionRecord>,
  work: (stream: Stream, stop: () => void) => Promise<void>,
  wayOn?: string,
  kept: Partial<Session> = {},
): Promise<{ said: string; lines: string[]; error: unknown }> {
  const clock = new VirtualClock();
  const transport = new MemoryTransport({ clock });
  onTestFinished(() => transport.close());
  const [screen, stopper] = [new FakeScreen(false), new AbortController()];
  const parts = { clock, output: outputOn(screen, false), stop: stopper.signal };
  const secret = generateSecret();
  const store = new MemoryJournalStore();
  const role = "listener";
  const known = { id: "0a1b2c3d4e5f", record: { doneBytes: 0, ...record } };
  const session = { ...known, ...kept } as unknown as Session;
  const running = runStream(
    parts,
    {
      session,
      open: () => Stream.open({ transport, store, secret, role, clock }),
      introduce: async () => parts.output.tell("ticket", {}, "introduced"),
      sample: (stream) => sentSample(stream.progress(), { clock }),
      wayOn,
    },
    (stream) => work(stream, () => stopper.abort(new Interrupted("SIGINT"))),
  );
  const error = await clock.runPromise(running, 1_000).catch((thrown: unknown) => thrown);
  const lines = screen.text.split("\n");
  return { said: lines.at(-2) ?? "", lines, error };
}

/** The same of one that is stopped half-way. */
async function stopped(record: Partial<SessionRecord>, wayOn?: string): ReturnType<typeof ended> {
  const work = async (stream: Stream, stop: () => void): Promise<void> => {
    stream.write("nobody reads this");
    stop();
    await stream.sync();
  };
  return await ended(record, work, wayOn);
}

describe("work that is stopped", () => {
  const secret = Uint8Array.of(1);

  test.each([
    [{ command: "send", secret }, "the same command"],
    [{ command: "receive" }, "the same command"],
    [{ command: "pipe" }, "the same command"],
    [{ command: "pipe", secret }, "culvert pipe --resume 0a1b2c3d4e5f"],
    [{ command: "broadcast", secret }, "culvert broadcast --resume 0a1b2c3d4e5f"],
  ] as const)("says what goes on with it: %o", async (record, way) => {
    const { said, error } = await stopped(record);
    expect(error).toMatchObject({ exit: 130 });
    expect(said).toBe(`stopped; ${way} goes on from here`);
  });

  test("says what its command knows better", async () => {
    const { said } = await stopped({ command: "send", secret }, "something else");
    expect(said).toBe("stopped; something else goes on from here");
  });
});

test("work introduces itself before it tells of progress", async () => {
  const { lines } = await ended({ command: "send" }, async () => {});
  expect(lines).toEqual(["introduced", expect.stringMatching(/^written /), ""]);
});

test("work that goes on begins its progress at what was stored before", async () => {
  const clock = new VirtualClock();
  const transport = new MemoryTransport({ clock });
  onTestFinished(() => transport.close());
  const store = new MemoryJournalStore();
  const shared = { transport, store, secret: generateSecret(), role: "listener", clock } as const;
  const before = await Stream.open(shared);
  before.write(new Uint8Array(50_000));
  await clock.runUntil(() => before.progress().isAllStored, 60_000);
  await before.halt();
  const screen = new FakeScreen(false);
  const record = { command: "send", doneBytes: 0 };
  const session = { id: "0a1b2c3d4e5f", record } as unknown as Session;
  const stop = new AbortController().signal;
  const running = runStream(
    { clock, output: outputOn(screen, false), stop },
    {
      session,
      open: () => Stream.open(shared),
      sample: (stream) => sentSample(stream.progress(), { clock, totalBytes: 50_000 }),
    },
    async () => {},
  );
  await clock.runPromise(running, 1_000);
  expect(screen.text).toMatch(/^written 100 %, stored 100 %, acknowledged 0 %/);
});

test("work ends for its own reason where how far it was cannot be noted", async () => {
  const save = (): Promise<void> => Promise.reject(new CulvertError("CULVERT_FILE"));
  const failed = async (): Promise<void> => {
    throw new CulvertError("CULVERT_JOURNAL");
  };
  const { error } = await ended({ command: "send", doneBytes: -1 }, failed, undefined, { save });
  expect(error).toMatchObject({ code: "CULVERT_JOURNAL" });
});

test("work that has failed says so, be it stopped while it leaves", async () => {
  const { said, error } = await ended({ command: "receive" }, async (stream, stop) => {
    stream.once("close", stop);
    throw new CulvertError("CULVERT_INTEGRITY");
  });
  expect(error).toMatchObject({ code: "CULVERT_INTEGRITY" });
  expect(said).not.toContain("goes on");
});
