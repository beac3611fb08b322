import { describe, expect, test } from "vitest";
import { CulvertError } from "../../../src/base/index.ts";
import { explain } from "../../../src/cli/failure.ts";
import { Output } from "../../../src/cli/terminal/output.ts";
import { FakeScreen, outputOn } from "../screen.ts";

/** Where nothing can be written. */
class BrokenScreen extends FakeScreen {
  readonly #code: string;

  constructor(code: string) {
    super(false);
    this.#code = code;
  }

  override _write(_chunk: Uint8Array, _encoding: string, done: (error?: Error) => void): void {
    done(Object.assign(new Error(this.#code), { code: this.#code }));
  }
}

describe("what the command says", () => {
  test("errors have two lines, in one style, and a stack only when asked", () => {
    const error = new CulvertError("CULVERT_UNREACHABLE", "Cannot reach it", {
      cause: new Error("refused"),
    });
    const plain = new FakeScreen(false);
    outputOn(plain, false).fail(explain(error), error);
    expect(plain.text).toMatch(/^culvert: error: cannot reach it\nculvert: hint: check .*\n$/);
    const verbose = new FakeScreen(false);
    new Output({ stdout: verbose, stderr: verbose, json: false, verbose: true, env: {} }).fail(
      explain(error),
      error,
    );
    expect(verbose.text).toContain("caused by: Error: refused");
  });

  test("errors have no ticket in them that was typed where none belongs", () => {
    const ticket = "culvert1qyq6x3fl37x4her5k8jr698tudgnx7q3pkpr6c0m7mstnh2lu8rplfcs8c6q7";
    const error = new CulvertError("CULVERT_USAGE", `unknown command '${ticket}'`);
    const screen = new FakeScreen(false);
    const parts = { stdout: screen, stderr: screen, json: true, verbose: true, env: {} };
    new Output(parts).fail(explain(error), error);
    expect(screen.text).toContain("unknown command 'culvert1\u{2026}'");
    expect(screen.text).not.toContain(ticket.slice(0, 20));
  });

  test("errors and warnings have no word of a peer that a terminal would obey", () => {
    const screen = new FakeScreen(false);
    const output = outputOn(screen, false);
    const message = "no \u009b31m\nculvert: \u202etxt";
    output.fail(explain(new CulvertError("CULVERT_FILE", message)), undefined);
    output.warn("CULVERT_FILE", message);
    const words = "no \ufffd31m\ufffdculvert: \ufffdtxt";
    expect(screen.text).toContain(`error: ${words}\n`);
    expect(screen.text).toContain(`warning: ${words}\n`);
  });

  test("nor has the whole story of an error, which keeps its lines", () => {
    const screen = new FakeScreen(false);
    const parts = { stdout: screen, stderr: screen, json: false, verbose: true, env: {} };
    const cause = new CulvertError("CULVERT_PEER_ABORTED", "no \u001b[31m\u009b2J\u202etxt");
    const error = new CulvertError("CULVERT_FILE", "told", { cause });
    new Output(parts).fail(explain(error), error);
    expect(screen.text).toMatch(/no \ufffd\[31m\ufffd2J\ufffdtxt\n +at /);
    for (const obeyed of ["\u001b", "\u009b", "\u202e"]) expect(screen.text).not.toContain(obeyed);
  });

  test("with events where stdout carries data, stderr has nothing but events", () => {
    const [stdout, stderr] = [new FakeScreen(false), new FakeScreen(true)];
    const how = { json: true, verbose: true, isStdoutData: true, env: {} };
    const output = new Output({ stdout, stderr, ...how });
    const error = new CulvertError("CULVERT_FILE", "not there");
    output.note("told");
    output.status("a line in place");
    output.warn("CULVERT_FILE", "careful");
    output.fail(explain(error), error);
    expect(stdout.text).toBe("");
    const events = stderr.text.trimEnd().split("\n");
    expect(events.map((line) => JSON.parse(line))).toMatchObject([
      { v: 1, event: "note", message: "told" },
      { v: 1, event: "warning" },
      { v: 1, event: "error", exit: 1, story: expect.stringContaining("output.test") },
    ]);
  });

  test("a stdout that takes nothing is told, unless nobody reads it; stderr is not", async () => {
    const told: string[] = [];
    for (const code of ["ENOSPC", "EPIPE"]) {
      const [stdout, stderr] = [new BrokenScreen(code), new BrokenScreen(code)];
      const onBroken = (error: Error): void => void told.push(error.message);
      const output = new Output({ stdout, stderr, json: false, verbose: false, env: {}, onBroken });
      const closed = [stdout, stderr].map(
        (screen) => new Promise<void>((resolve) => screen.once("close", resolve)),
      );
      output.payload("payload\n");
      output.warn("CULVERT_FILE", "words");
      await Promise.all(closed);
    }
    expect(told).toEqual(["ENOSPC"]);
  });

  test("a note has no colour, and is an event", () => {
    const screen = new FakeScreen(true);
    outputOn(screen, false).note("good to know");
    outputOn(screen, true).note("good to know");
    const event = '{"v":1,"event":"note","message":"good to know"}';
    expect(screen.text).toBe(`culvert: note: good to know\n${event}\n`);
  });

  test("errors are events too, with the code of the library", () => {
    const [stdout, stderr] = [new FakeScreen(false), new FakeScreen(false)];
    const output = new Output({ stdout, stderr, json: true, verbose: false, env: {} });
    const error = new CulvertError("CULVERT_BAD_TICKET");
    output.fail(explain(error), error);
    expect(JSON.parse(stdout.text)).toMatchObject({
      v: 1,
      event: "error",
      code: "CULVERT_BAD_TICKET",
      exit: 3,
    });
    expect(stderr.text).toContain("culvert: error:");
  });

  test("words go to stderr, payload to stdout, and words are silent with --json", () => {
    for (const json of [false, true]) {
      const [stdout, stderr] = [new FakeScreen(false), new FakeScreen(false)];
      const output = new Output({ stdout, stderr, json, verbose: false, env: {} });
      output.tell("sent", { bytes: 1 }, "it was sent");
      output.payload("payload\n");
      expect(stderr.text).toBe(json ? "" : "it was sent\n");
      expect(stdout.text).toBe(`${json ? '{"v":1,"event":"sent","bytes":1}\n' : ""}payload\n`);
    }
  });

  test("colours and moving lines are for terminals whose owner wants them", () => {
    const seen = (isTTY: boolean, env: NodeJS.ProcessEnv): string => {
      const screen = new FakeScreen(isTTY);
      const output = outputOn(screen, false, env);
      output.status("half");
      output.warn("CULVERT_LAGGED", "slow");
      return screen.text;
    };
    expect(seen(true, {})).toBe(
      "\r\u001b[Khalf\r\u001b[Kculvert: \u001b[33mwarning:\u001b[0m slow\n",
    );
    expect(seen(true, { NO_COLOR: "1" })).not.toContain("\u001b[33m");
    expect(seen(true, { TERM: "dumb" })).toBe("culvert: warning: slow\n");
    expect(seen(false, {})).toBe("culvert: warning: slow\n");
  });

  test("no status is on the terminal that shows what a peer sends", () => {
    const seen = (isShown: boolean): string => {
      const [stdout, stderr] = [new FakeScreen(isShown), new FakeScreen(true)];
      const how = { json: false, verbose: false, isStdoutData: true, env: {} };
      new Output({ stdout, stderr, ...how }).status("half");
      return stderr.text;
    };
    expect([seen(true), seen(false)]).toEqual(["", "\r\u001b[Khalf"]);
  });

  test.each([
    ["the whole", 40, "the whole of it, more than fits here"],
    ["the first that fits", 30, "all but a little of it"],
    ["the beginning of the last", 10, "the most i"],
  ])("of a status %s is shown", (_, columns, shown) => {
    const screen = Object.assign(new FakeScreen(true), { columns: columns + 1 });
    const shorter = ["all but a little of it", "the most important"];
    outputOn(screen, false).status("the whole of it, more than fits here", ...shorter);
    expect(screen.text).toBe(`\r\u001b[K${shown}`);
  });

  test("a job in the background leaves the line to what is typed there", () => {
    const screen = new FakeScreen(true);
    const how = { json: false, verbose: false, env: {} };
    let isForeground = true;
    const output = new Output({
      ...{ ...how, stdout: screen, stderr: screen },
      isForeground: () => isForeground,
    });
    output.status("half");
    isForeground = false;
    output.status("more");
    output.note("told");
    isForeground = true;
    output.status("most");
    expect(screen.text).toBe("\r\u001b[Khalfculvert: note: told\n\r\u001b[Kmost");
  });

  test("a status never wraps, however narrow the terminal is", () => {
    const screen = new FakeScreen(true);
    outputOn(screen, false).status("x".repeat(500));
    expect(screen.text).toBe(`\r\u001b[K${"x".repeat(99)}`);
  });

  test.each([
    ["of two columns", "x\u6c34", "x\u6c34".repeat(33)],
    ["outside of the first plane", "\u{1f40b}", "\u{1f40b}".repeat(49)],
    ["of several code points", "xe\u0301\u0301", `${"xe\u0301\u0301".repeat(16)}x`],
  ])("nor with characters %s, of which it shows all or nothing", (_, words, shown) => {
    const screen = new FakeScreen(true);
    outputOn(screen, false).status(words.repeat(50));
    expect(screen.text).toBe(`\r\u001b[K${shown}`);
  });
});
