import { afterEach, describe, expect, it } from "vitest";
import { VirtualClock } from "../../src/testing/index.ts";
import { Answers } from "../../src/voidphone/answers.ts";

const clock = new VirtualClock();
const pass = (ms: number): Promise<void> => clock.runUntil(clock.now() + ms);
const timedOut = expect.objectContaining({ code: "CULVERT_TIMEOUT" });
afterEach(() => expect(clock.pending).toBe(0));

function waitingInVain(answers: Answers<string>, name: string): Promise<unknown> {
  return answers.wait(name).catch((error: unknown) => error);
}

describe("answers", () => {
  it("of one name come in the order in which they were asked for", async () => {
    const answers = new Answers<string>(clock, 1_000);
    const asked = ["a", "b", "a"].map((name) => answers.wait(name));
    expect(["b", "a", "a", "a"].map((name, i) => answers.settle(name, `${name}${i}`))).toEqual([
      ...[true, true, true, false],
    ]);
    expect(await Promise.all(asked)).toEqual(["a1", "b0", "a2"]);
  });

  it("are for nobody when they come late, and never for the next question", async () => {
    const answers = new Answers<string>(clock, 1_000);
    const first = waitingInVain(answers, "a");
    await pass(1_000);
    expect(await first).toEqual(timedOut);
    const second = answers.wait("b");
    expect(answers.settle("a", "late")).toBe(false);
    expect(answers.settle("b", "in time")).toBe(true);
    expect(await second).toBe("in time");
  });

  it("that refuse are for the oldest question, be it given up", async () => {
    const answers = new Answers<string>(clock, 1_000);
    const abort = new AbortController();
    const first = answers.wait("a", abort.signal);
    abort.abort();
    await expect(first).rejects.toMatchObject({ name: "AbortError" });
    const second = answers.wait("a");
    answers.refuse("a", "no, to the first");
    answers.settle("a", "yes");
    expect(await second).toBe("yes");
    const third = waitingInVain(answers, "a");
    await pass(1_000);
    expect(await third).toEqual(timedOut);
    const fourth = answers.wait("b");
    answers.refuse(undefined, "no, to the third");
    answers.refuse(undefined, "no, to the fourth");
    expect(await fourth).toBe("no, to the fourth");
  });

  it("that say something are for whoever waits, be the question an older one", async () => {
    const answers = new Answers<string>(clock, 1_000);
    const first = waitingInVain(answers, "a");
    await pass(1_000);
    await first;
    const second = answers.wait("a");
    expect(answers.settle("a", "to the first")).toBe(true);
    expect(await second).toBe("to the first");
    expect(answers.settle("a", "to the second")).toBe(false);
  });

  it("that never come are not waited for without end", async () => {
    const answers = new Answers<string>(clock, 1_000);
    const first = waitingInVain(answers, "a");
    await pass(2_000);
    await first;
    const second = answers.wait("a");
    answers.refuse("a", "no");
    expect(await second).toBe("no");
  });

  it("end with the connection, and are bounded with those that were given up", async () => {
    const answers = new Answers<string>(clock, 1_000);
    const left = Array.from({ length: 1_000 }, () => waitingInVain(answers, "a"));
    await pass(1_000);
    await Promise.all(left);
    const open = Array.from({ length: 24 }, () => waitingInVain(answers, "b"));
    await expect(answers.wait("c")).rejects.toMatchObject({ code: "CULVERT_BUSY" });
    answers.fail(new Error("closed"));
    for (const error of await Promise.all(open)) expect(error).toEqual(new Error("closed"));
  });
});
