import { describe, expect, test } from "vitest";
import { CulvertError, ERROR_CODES, isErrorCode } from "../../src/base/index.ts";
import { CommandError, EXIT, explain, withListenHint, withWayOn } from "../../src/cli/failure.ts";

describe("what the command makes of errors", () => {
  test("every code has an exit status of the table and a hint, in one style", () => {
    const statuses = new Set<number>(Object.values(EXIT));
    for (const code of Object.keys(ERROR_CODES).filter(isErrorCode)) {
      const failure = explain(new CulvertError(code));
      expect(failure.code).toBe(code);
      expect(statuses.has(failure.exit) && failure.exit !== EXIT.done).toBe(true);
      for (const text of [failure.message, failure.hint]) {
        expect(text, code).toMatch(/^[^A-Z]|^[A-Z]{2}/);
        expect(text, code).not.toMatch(/\.$|\n/);
      }
    }
  });

  test("the exit statuses are the documented ones", () => {
    const exits = (...codes: (keyof typeof ERROR_CODES)[]) =>
      codes.map((code) => explain(new CulvertError(code)).exit);
    expect(exits("CULVERT_INTERNAL", "CULVERT_USAGE", "CULVERT_BAD_TICKET")).toEqual([1, 2, 3]);
    expect(exits("CULVERT_PEER_TIMEOUT", "CULVERT_UNREACHABLE")).toEqual([4, 5]);
    expect(exits("CULVERT_INTEGRITY", "CULVERT_DATA_EXPIRED")).toEqual([6, 7]);
    expect(exits("CULVERT_STATE_IN_USE", "CULVERT_GEOMETRY_CHANGED")).toEqual([8, 8]);
  });

  test("what the library says of its own parts is said in the words of the command", () => {
    const error = new CulvertError("CULVERT_SECRET_USED");
    expect(explain(error).message).toBe("this ticket was used before");
    const exact = new CulvertError("CULVERT_SECRET_USED", "this pipe is over");
    expect(explain(exact).message).toBe("this pipe is over");
  });

  test("a command that knows better gives its own hint", () => {
    const failure = explain(new CommandError("CULVERT_FILE", "No such file", "look elsewhere"));
    expect(failure).toMatchObject({ message: "no such file", hint: "look elsewhere", exit: 1 });
  });

  test("where the same command would begin anew, the way on is named", () => {
    const late = new CulvertError("CULVERT_PEER_TIMEOUT");
    const failure = explain(withWayOn(late, "culvert pipe --resume 1"));
    expect(failure).toEqual({ ...explain(late), hint: expect.stringContaining("--resume 1") });
    expect(failure.hint).not.toContain("same command");
    const other = new CulvertError("CULVERT_SECRET_USED");
    expect(withWayOn(other, "culvert pipe --resume 1")).toBe(other);
  });

  test("who cannot listen is told what to do by the reason that the system gives", () => {
    const hintOf = (code: string, message = "no"): string => {
      const cause = Object.assign(new Error(code), { code });
      const error = new CulvertError("CULVERT_UNREACHABLE", message, { cause });
      return explain(withListenHint(error)).hint;
    };
    expect(hintOf("EADDRINUSE")).toContain("another process");
    expect(hintOf("EACCES")).toContain("may not listen");
    expect(hintOf("EADDRNOTAVAIL")).toContain("no such address");
    const unix = "cannot listen on unix:/nowhere/map";
    expect(hintOf("EADDRINUSE", unix)).toContain("another process");
    expect(hintOf("EACCES", unix)).toContain("folder");
    expect(hintOf("ENAMETOOLONG", unix)).toContain("shorter");
  });

  test("what the system refuses is no defect, what nobody expected is", () => {
    const refused = Object.assign(new Error("EACCES: permission denied, open 'x'"), {
      errno: -13,
      syscall: "open",
    });
    expect(explain(refused)).toMatchObject({ code: "CULVERT_FILE", message: refused.message });
    const many = Object.assign(new Error("EMFILE: too many open files"), {
      ...{ code: "EMFILE", errno: -24, syscall: "open" },
    });
    expect(explain(many).hint).toContain("ulimit -n");
    const gone = Object.assign(new Error("ENOENT: no such file or directory, uv_cwd"), {
      ...{ code: "ENOENT", errno: -2, syscall: "uv_cwd" },
    });
    expect(explain(gone).message).toBe("the current folder has been removed");
    expect(explain(gone).hint).toContain("go to a folder");
    expect(explain(new TypeError("x is not a function")).code).toBe("CULVERT_INTERNAL");
    expect(explain("a string")).toMatchObject({ code: "CULVERT_INTERNAL", message: "a string" });
  });
});
