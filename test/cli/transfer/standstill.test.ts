import { PassThrough } from "node:stream";
import { expect, test } from "vitest";
import { CulvertError } from "../../../src/base/index.ts";
import { CommandError } from "../../../src/cli/failure.ts";
import type { Session } from "../../../src/cli/session/session.ts";
import type { Standstill } from "../../../src/cli/session/session-record.ts";
import { taken } from "../../../src/cli/transfer/name-taken.ts";
import {
  hearStandstills,
  standstillNow,
  standstillOf,
} from "../../../src/cli/transfer/standstill.ts";
import type { Stream } from "../../../src/stream/index.ts";
import { FakeScreen, outputOn } from "../screen.ts";

const noRoom = Object.assign(new Error("ENOSPC"), { errno: -28, syscall: "write" });

test.each([
  [taken("a"), "taken"],
  [new CommandError("CULVERT_FILE", "no room", "free some"), "disk"],
  [noRoom, "disk"],
  [new CulvertError("CULVERT_BAD_STATE", "the unfinished files are gone"), "lost"],
  [new CulvertError("CULVERT_UNREACHABLE"), undefined],
  [new CulvertError("CULVERT_HALTED"), undefined],
  [new TypeError("a defect"), undefined],
])("of %s a sender is told as %s", (error, reason) => {
  expect(standstillOf(error)).toBe(reason);
});

function sending(standstill?: Standstill) {
  const screen = new FakeScreen(false);
  const saved: unknown[] = [];
  const session = {
    record: { standstill },
    save: async (changes: unknown) => void saved.push(changes),
  } as unknown as Session;
  const stream = Object.assign(new PassThrough(), {
    progress: () => ({ acknowledgedBytes: 7 }),
  }) as unknown as Stream;
  hearStandstills({ output: outputOn(screen, false) }, { session, stream });
  const hear = (...bytes: number[]): void => {
    stream.emit("data", Uint8Array.from(bytes));
  };
  return { hear, saved, lines: () => screen.text.split("\n").slice(0, -1) };
}

test("a sender says each reason once, and keeps the last", () => {
  const { hear, saved, lines } = sending();
  for (const byte of [1, 1, 2, 1]) hear(byte);
  hear(1, 3);
  expect(lines()).toEqual([
    expect.stringContaining("has files of these names"),
    expect.stringContaining("could not write"),
    expect.stringContaining("no longer finds"),
  ]);
  expect(saved.at(-1)).toEqual({ standstill: { reason: "lost", atBytes: 7 } });
});

test("what a sender does not know it passes over", () => {
  const { hear, saved, lines } = sending();
  for (const byte of [0, 4, 255]) hear(byte);
  hear();
  expect([saved, lines()]).toEqual([[], []]);
});

test("an earlier reason holds until more is acknowledged", () => {
  expect(sending({ reason: "taken", atBytes: 7 }).lines()).toHaveLength(1);
  expect(sending({ reason: "taken", atBytes: 6 }).lines()).toHaveLength(0);
  expect(standstillNow({}, 0)).toBe(undefined);
});
