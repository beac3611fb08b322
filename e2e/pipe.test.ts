import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { describe, expect, test } from "vitest";
import { type Culvert, canMakeTerminals, Machine } from "./culvert.ts";

async function printedBy(listener: Culvert): Promise<string[]> {
  const [, words = ""] = await listener.says(/^culvert (pipe .*)$/m);
  return words.split(" ");
}

describe("a pipe", () => {
  test("carries stdin here to stdout there, both ways, and ends when both have ended", async () => {
    await using machine = await Machine.create();
    const { endpoint } = await machine.map("--memory");
    const here = machine.culvert("pipe", "--map", endpoint);
    const there = machine.culvert(...(await printedBy(here)));
    const content = randomBytes(100_000).toString("base64");
    here.process.stdin?.end(content);
    there.process.stdin?.end("an answer");
    expect((await here.ended).code, here.stderr).toBe(0);
    expect((await there.ended).code, there.stderr).toBe(0);
    expect(there.stdout === content).toBe(true);
    expect(here.stdout).toBe("an answer");
  });

  test("tells programs what happens on stderr, since stdout carries data", async () => {
    await using machine = await Machine.create();
    const { endpoint } = await machine.map("--memory");
    const here = machine.culvert("pipe", "--send-only", "--json", "--map", endpoint);
    const [, ticket = ""] = await here.says(/"id":"[0-9a-f]{12}","ticket":"([^"]+)"/);
    const there = machine.culvert("pipe", "--receive-only", "--json", ticket, "--map", endpoint);
    here.process.stdin?.end("hello");
    expect((await there.ended).code, there.stderr).toBe(0);
    expect((await here.ended).code, here.stderr).toBe(0);
    expect([here.stdout, there.stdout]).toEqual(["", "hello"]);
    const wrong = await machine.run("subscribe", "--json", "--unknown");
    expect(wrong).toMatchObject({ code: 2, stdout: "" });
    for (const { stderr } of [here, there, wrong]) {
      for (const line of stderr.trimEnd().split("\n")) {
        expect(JSON.parse(line)).toMatchObject({ v: 1, event: expect.any(String) });
      }
    }
  });

  test("in one direction tells the other side which one", async () => {
    await using machine = await Machine.create();
    const { endpoint } = await machine.map("--memory");
    const here = machine.culvert("pipe", "--send-only", "--map", endpoint);
    const words = await printedBy(here);
    expect(words).toContain("--receive-only");
    const there = machine.culvert(...words);
    here.process.stdin?.end("hello");
    expect((await there.ended).code, there.stderr).toBe(0);
    expect((await here.ended).code, here.stderr).toBe(0);
    expect([here.stdout, there.stdout]).toEqual(["", "hello"]);
  });

  test("that only receives ends with what was sent, though the sender is gone", async () => {
    await using machine = await Machine.create();
    const { endpoint } = await machine.map("--memory");
    const here = machine.culvert("pipe", "--send-only", "--map", endpoint);
    const words = await printedBy(here);
    here.process.stdin?.end("hello");
    await here.says(/stored 5 B/);
    here.process.kill("SIGINT");
    expect((await here.ended).code).toBe(130);
    const there = machine.culvert(...words);
    expect((await there.ended).code, there.stderr).toBe(0);
    expect(there.stdout).toBe("hello");
    // Who comes back has nothing more to send, and hears that all has arrived.
    const [, id = ""] = here.stderr.match(/--resume (\S+)/) ?? [];
    const again = machine.culvert("pipe", "--send-only", "--resume", id, "--map", endpoint);
    again.process.stdin?.end("too late");
    expect((await again.ended).code, again.stderr).toBe(0);
  });

  test("goes on after a signal: by the ticket on one side, by the id on the other", async () => {
    await using machine = await Machine.create();
    const { endpoint } = await machine.map("--memory");
    const here = machine.culvert("pipe", "--send-only", "--map", endpoint);
    const words = await printedBy(here);
    const there = machine.culvert(...words);
    here.process.stdin?.write("first ");
    await there.says(/first /);
    for (const end of [here, there]) end.process.kill("SIGINT");
    expect([(await here.ended).code, (await there.ended).code]).toEqual([130, 130]);
    const status = await machine.run("status", "--json");
    const sessions = status.events.filter(({ command }) => command === "pipe");
    expect(sessions).toHaveLength(2);
    const again = machine.culvert(...words);
    let resumed: Culvert | undefined;
    for (const { id } of sessions) {
      const candidate = machine.culvert(
        "pipe",
        "--send-only",
        "--resume",
        String(id),
        "--map",
        endpoint,
      );
      candidate.process.stdin?.end("second");
      if ((await candidate.ended).code === 0) resumed = candidate;
      else expect(candidate.stderr).toMatch(/goes on by the ticket|this pipe is over/);
    }
    expect(resumed?.stderr).toContain(words.find((word) => word.startsWith("culvert1")));
    expect((await again.ended).code, again.stderr).toBe(0);
    expect(again.stdout).toBe("second");
  });

  test("that gives up says how the side that made the ticket goes on", async () => {
    await using machine = await Machine.create();
    const { endpoint } = await machine.map("--memory");
    const here = await machine.run("pipe", "--peer-timeout", "500ms", "--map", endpoint);
    expect(here.code, here.stderr).toBe(4);
    // The same command again would begin another one.
    const [, id = ""] =
      /hint: .* type culvert pipe --resume (\w+) to go on/.exec(here.stderr) ?? [];
    const again = await machine.run(
      "pipe",
      "--peer-timeout",
      "1ms",
      "--map",
      endpoint,
      "--resume",
      id,
    );
    expect([again.code, (await printedBy(again))[1]]).toEqual([4, (await printedBy(here))[1]]);
  });

  test("whose reader goes away says so", async () => {
    await using machine = await Machine.create();
    const { endpoint } = await machine.map("--memory");
    const here = machine.culvert("pipe", "--send-only", "--map", endpoint);
    const there = machine.culvert(...(await printedBy(here)));
    there.process.stdout?.destroy();
    here.process.stdin?.end(randomBytes(300_000));
    expect((await there.ended).code).toBe(1);
    expect(there.stderr).toContain("nobody reads stdout");
  });

  test("whose reader reads nothing is stopped by the first signal", async () => {
    await using machine = await Machine.create();
    const { endpoint } = await machine.map("--memory");
    const here = machine.culvert("pipe", "--send-only", "--map", endpoint);
    const there = machine.culvert(...(await printedBy(here)), "--json");
    there.process.stdout?.pause();
    here.process.stdin?.end(randomBytes(2_000_000));
    await there.says(/"received":\d{7},"saved":\d{1,6},/);
    const exit = once(there.process, "exit");
    there.process.kill("SIGTERM");
    expect(await exit).toEqual([143, null]);
    there.process.stdout?.resume();
  });

  test.runIf(process.platform === "linux")("whose stdout is closed takes nothing", async () => {
    await using machine = await Machine.create();
    const { endpoint } = await machine.map("--memory");
    const here = machine.culvert("pipe", "--send-only", "--map", endpoint);
    const words = await printedBy(here);
    here.process.stdin?.end("hello");
    const shell = (line: string): Culvert =>
      machine.start(words, { launcher: ["sh", "-c", `exec "$@" ${line}`, "sh"] });
    const closed = shell(">&-");
    expect((await closed.ended).code, closed.stderr).toBe(1);
    expect(closed.stderr).toMatch(/error: stdout is closed\n.*hint: /);
    const thrown = shell("> /dev/null");
    expect((await thrown.ended).code, thrown.stderr).toBe(0);
    expect((await here.ended).code, here.stderr).toBe(0);
  });

  test.runIf(canMakeTerminals())("leaves a terminal to what arrives, and as it was", async () => {
    await using machine = await Machine.create();
    const { endpoint } = await machine.map("--memory");
    for (const [place, end] of [
      [[], "\nhello"],
      [[">", "file"], "\r\u001b[K"],
    ] as const) {
      const here = machine.culvert("pipe", "--send-only", "--map", endpoint);
      const there = machine.onTerminal(...(await printedBy(here)), ...place);
      await there.says(/note/);
      here.process.stdin?.end("hello");
      expect((await there.ended).code, there.stdout).toBe(0);
      expect(there.stdout.endsWith(end), there.stdout).toBe(true);
      expect(there.stdout.includes("saved 5 B"), there.stdout).toBe(end !== "\nhello");
    }
  });

  test("both ways at once is not one way twice", async () => {
    await using machine = await Machine.create();
    const both = await machine.run("pipe", "--send-only", "--receive-only", "--map", "x:1");
    expect(both.code).toBe(2);
  });
});
