import { expect, test } from "vitest";
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

test("a network has cells of a size that there is", async () => {
  for (const cell of ["0", "255", "65537", "big"]) {
    const ended = testnet({} as Context, [], new CommandOptions({ cell }));
    await expect(ended, cell).rejects.toMatchObject({ code: "CULVERT_USAGE" });
  }
});
