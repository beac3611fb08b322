import { normalize } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { refuseEntries, refusePath } from "../../../src/cli/transfer/path-policy.ts";

const posix = { foldCase: false, windows: false };
const windows = { foldCase: true, windows: true };
const file = (path: string) => ({ kind: "file" as const, path });
const folder = (path: string) => ({ kind: "folder" as const, path });

describe("names that a peer gives", () => {
  test("ordinary ones are taken", () => {
    for (const path of [
      "a",
      "a/b c/ü",
      "...",
      "..a",
      "a..",
      "-rf",
      "~",
      "$HOME",
      "con.",
      "aux.c",
    ]) {
      expect(refusePath(path, posix), path).toBeUndefined();
    }
  });

  test.each([
    ["", "empty"],
    ["..", "points elsewhere"],
    ["../a", "points elsewhere"],
    ["a/../../b", "points elsewhere"],
    ["a/..", "points elsewhere"],
    ["./a", "points elsewhere"],
    ["/etc/passwd", "absolute"],
    ["//host/share", "absolute"],
    ["C:/Windows", "absolute"],
    ["c:a", "absolute"],
    ["..\\a", "backslash"],
    ["a\\..\\..\\b", "backslash"],
    ["a//b", "empty name"],
    ["a/", "empty name"],
    ["a\0b", "control"],
    ["a\nb", "control"],
    ["a\u001b[2J", "control"],
    ["\ud800", "Unicode"],
    [".culvert-abc/0", "keeps for itself"],
    ["a/.CULVERT-abc", "keeps for itself"],
  ])("%j is refused", (path, reason) => {
    expect(refusePath(path, posix)).toContain(reason);
    expect(refusePath(path, windows)).toContain(reason);
  });

  test("ones that are too long or too deep are refused", () => {
    const long = ["a".repeat(256), "ü".repeat(128), `${"a".repeat(250)}/`.repeat(17)];
    for (const path of long) expect(refusePath(path, posix)).toContain("too long");
    expect(refusePath(`${"a/".repeat(64)}a`, posix)).toContain("too many");
  });

  test("what only Windows cannot have is refused only there", () => {
    const names = [
      "CON",
      "nul.txt",
      "a/com1",
      "LPT9.log",
      "a.",
      "a ",
      "ab:c",
      "what?",
      "a|b",
      'a"b',
    ];
    for (const name of names) {
      expect(refusePath(name, windows), name).toBeDefined();
      expect(refusePath(name, posix), name).toBeUndefined();
    }
    expect(refusePath("console", windows)).toBeUndefined();
  });

  test("no accepted path leaves the folder it is joined to, whatever is tried", () => {
    const part = fc.constantFrom("..", ".", "", "a", "\\", "C:", "~", "\0", ".culvert-", " ");
    fc.assert(
      fc.property(fc.array(part, { maxLength: 8 }), fc.constantFrom("/", "\\"), (parts, slash) => {
        const path = parts.join(slash);
        fc.pre(refusePath(path, posix) === undefined);
        expect(normalize(`/target/${path}`)).toBe(`/target/${path}`);
      }),
    );
  });

  test("an entry has its folder before it, and that is no file", () => {
    expect(refuseEntries([folder("a"), file("a/b")], posix)).toBeUndefined();
    expect(refuseEntries([file("a/b"), folder("a")], posix)).toContain("not inside a folder");
    expect(refuseEntries([file("a"), file("a/b")], posix)).toContain("not inside a folder");
    expect(refuseEntries([folder("a"), folder("a/b/c")], posix)).toContain("not inside a folder");
  });

  test("two entries never share a name, as the disk sees names", () => {
    expect(refuseEntries([file("a"), file("a")], posix)).toContain("the same name");
    expect(refuseEntries([folder("a"), file("a")], posix)).toContain("the same name");
    const pairs = [
      ["README", "readme"],
      ["\u00e9", "e\u0301"],
      ["stra\u00dfe", "STRASSE"],
    ] as const;
    for (const [one, other] of pairs) {
      expect(refuseEntries([file(one), file(other)], posix), one).toBeUndefined();
      expect(refuseEntries([file(one), file(other)], windows), one).toContain("the same name");
    }
    expect(refuseEntries([folder("A"), folder("a"), file("a/b")], windows)).toBeDefined();
  });
});
