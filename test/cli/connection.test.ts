import { describe, expect, test } from "vitest";
import { abortError, CulvertError } from "../../src/base/index.ts";
import { withMap } from "../../src/cli/connection.ts";
import type { Context } from "../../src/cli/context.ts";
import { Interrupted } from "../../src/cli/interrupt.ts";

/** What a command that was stopped while its Map was opened ends with. */
async function stoppedWith(open: (stop: AbortSignal) => Promise<never>): Promise<unknown> {
  const stopper = new AbortController();
  const context = { stop: stopper.signal } as Context;
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
