import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { describe, expect, it, onTestFinished } from "vitest";

type Program = ChildProcessByStdio<null, Readable, null>;

/** Longer than any timer of an idle stream that would end by itself. */
const STAYS_MS = 2_000;

describe("a process with streams", () => {
  it("ends by itself once they are complete", async () => {
    expect(await outcome(run("complete"))).toEqual({ code: 0, said: "hello" });
  });

  it("ends by itself once one of them was destroyed", async () => {
    expect(await outcome(run("destroyed"))).toEqual({
      code: 0,
      said: "the peer gave the stream up",
    });
  });

  it("ends although they are open, if they were told so", async () => {
    expect(await outcome(run("idle", "unref"))).toEqual({ code: 0, said: "idle" });
  });

  it("stays for streams that are open", async () => {
    const program = run("idle");
    await once(program.stdout, "data");
    await pause(STAYS_MS);
    expect(program.exitCode).toBe(null);
  });
});

function run(name: string, ...args: readonly string[]): Program {
  const path = fileURLToPath(new URL(`./programs/${name}.ts`, import.meta.url));
  const program = spawn(process.execPath, ["--import", "tsx", path, ...args], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  onTestFinished(async () => {
    if (program.exitCode === null && program.kill("SIGKILL")) await once(program, "exit");
  });
  return program;
}

async function outcome(program: Program): Promise<{ code: number | null; said: string }> {
  const exited = once(program, "exit");
  const said = await text(program.stdout);
  const [code] = await exited;
  return { code, said };
}
