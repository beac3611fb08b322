import { expect, test } from "vitest";
import {
  formatBytes,
  formatDuration,
  formatShare,
  parseBytes,
  parseDuration,
  printable,
  shellQuote,
} from "../../src/cli/humanize.ts";

test("bytes have at most three digits", () => {
  const sizes = [0, 999, 1000, 1449, 9949, 9950, 999_499, 999_500, 1.5e9, 2e18];
  const texts = ["0 B", "999 B", "1.0 kB", "1.4 kB", "9.9 kB", "10 kB", "999 kB", "1.0 MB"];
  expect(sizes.map(formatBytes)).toEqual([...texts, "1.5 GB", "2000 PB"]);
});

test("durations have two units at most", () => {
  const durations = [-5, 850, 1000, 59_400, 200_000, 7_500_000, 172_800_000, 183_600_000];
  const texts = ["0 ms", "850 ms", "1 s", "59 s", "3 min 20 s", "2 h 5 min", "2 d", "2 d 3 h"];
  expect(durations.map(formatDuration)).toEqual(texts);
});

test("a share says 100 % only when it is all", () => {
  expect([formatShare(0, 0), formatShare(999, 1000), formatShare(1000, 1000)]).toEqual([
    "100 %",
    "99 %",
    "100 %",
  ]);
});

test("durations and sizes are read as they are written, and nothing else is", () => {
  expect(["90s", "1.5h", "10 min", "500ms", "2d"].map(parseDuration)).toEqual([
    90_000, 5_400_000, 600_000, 500, 172_800_000,
  ]);
  expect(["300000", "300kB", "4 MB", "1.5GB"].map(parseBytes)).toEqual([3e5, 3e5, 4e6, 1.5e9]);
  for (const text of ["", "s", "-1s", "1", "1 week", "1e3s"]) {
    expect(parseDuration(text), text).toBeUndefined();
  }
  for (const text of ["", "B", "-1", "1KB", "1 MiB"])
    expect(parseBytes(text), text).toBeUndefined();
});

test("a peer's text cannot steer the terminal", () => {
  expect(printable("a\u001b[2Jb\u202Ec\nd\ud800")).toBe("a\ufffd[2Jb\ufffdc\ufffdd\ufffd");
  expect(printable("Grüße 📷")).toBe("Grüße 📷");
});

test("words are quoted for a shell when they have to be", () => {
  expect(["unix:/run/a.sock", "a b", "it's", ""].map(shellQuote)).toEqual([
    "unix:/run/a.sock",
    "'a b'",
    "'it'\\''s'",
    "''",
  ]);
});
