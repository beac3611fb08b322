import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { CommandOptions } from "../../src/cli/arguments/command-options.ts";
import { testnet } from "../../src/cli/commands/testnet.ts";
import type { Context } from "../../src/cli/context.ts";
import { Interrupted } from "../../src/cli/terminal/interrupt.ts";
import { systemClock } from "../../src/io/clock.ts";
import { FakeScreen, outputOn } from "./screen.ts";

test("a network that is stopped while its nodes start has not failed", async () => {
  const context = {
    output: outputOn(new FakeScreen(false), false),
    stop: AbortSignal.abort(new Interrupted("SIGINT")),
    clock: systemClock,
    env: process.env,
    // A node that Ctrl-C ended, too: it says nothing, and its exit status is not zero.
    self: [process.execPath, "-e", "process.exitCode = 130;", "--"],
  } as unknown as Context;
  const ended = testnet(context, [], new CommandOptions({ count: "2" }));
  await expect(ended).rejects.toMatchObject({ exit: 130 });
});

/** Says what a node says that is up, and then ends with the status that `ends` has. */
function nodesThat(ends: string): readonly string[] {
  const up = '{"event":"listening","nodes":["id@udp://127.0.0.1:1"]}';
  return [process.execPath, "-e", `console.log(${JSON.stringify(up)}); ${ends}`, "--"];
}

test("a network tells which of its nodes has ended, and is over without any", async () => {
  const screen = new FakeScreen(false);
  const folder = await mkdtemp(join(tmpdir(), "culvert-testnet-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const word = join(folder, "end");
  const look = `if (require("fs").existsSync(${JSON.stringify(word)})) process.exit(7)`;
  const context = {
    output: outputOn(screen, false),
    stop: new AbortController().signal,
    clock: systemClock,
    env: process.env,
    self: nodesThat(`setInterval(() => { ${look}; }, 20)`),
  } as unknown as Context;
  const ended = testnet(context, [], new CommandOptions({ count: "2" }));
  while (!screen.text.includes("2 nodes up")) await nextTurn();
  await writeFile(word, "");
  await expect(ended).rejects.toMatchObject({ code: "CULVERT_CLOSED" });
  expect(screen.text).toMatch(/node[01] ended by 7; it was id@/);
});

test("a network that is stopped does not tell that its nodes end", async () => {
  const screen = new FakeScreen(false);
  const stopper = new AbortController();
  const context = {
    output: outputOn(screen, false),
    stop: stopper.signal,
    clock: systemClock,
    env: process.env,
    self: nodesThat("setInterval(() => {}, 1000)"),
  } as unknown as Context;
  const ended = testnet(context, [], new CommandOptions({ count: "2" }));
  while (!screen.text.includes("nodes up")) await nextTurn();
  stopper.abort(new Interrupted("SIGINT"));
  await expect(ended).rejects.toMatchObject({ exit: 130 });
  expect(screen.text).not.toMatch(/node[01]/);
});

test("a network has cells of a size that there is", async () => {
  for (const cell of ["0", "255", "65537", "big"]) {
    const ended = testnet({} as Context, [], new CommandOptions({ cell }));
    await expect(ended, cell).rejects.toMatchObject({ code: "CULVERT_USAGE" });
  }
});
