import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { findPaths } from "../../src/cli/paths.ts";

test("folders are where XDG says, and relative paths in its variables do not count", () => {
  expect(findPaths({}, () => "/home/a")).toEqual({
    sessions: "/home/a/.local/state/culvert/sessions",
    mapStore: "/home/a/.local/share/culvert/map",
    node: "/home/a/.local/share/culvert/node",
    client: "/home/a/.local/state/culvert/client",
  });
  expect(findPaths({ XDG_STATE_HOME: "/s", XDG_DATA_HOME: "d" }, () => "/home/a")).toEqual({
    sessions: "/s/culvert/sessions",
    mapStore: "/home/a/.local/share/culvert/map",
    node: "/home/a/.local/share/culvert/node",
    client: "/s/culvert/client",
  });
});

test("a home is asked for where nothing else is named, and there may be none", () => {
  const none = (): string => {
    throw new Error("ENOENT");
  };
  const paths = findPaths({ XDG_STATE_HOME: "/s" }, none);
  expect(paths.sessions).toBe("/s/culvert/sessions");
  expect(() => paths.mapStore).toThrow("no home folder");
  // HOME= or a relative one: what is kept there would depend on the current folder.
  for (const home of ["", "home"]) {
    expect(() => findPaths({}, () => home).sessions).toThrow("no home folder");
  }
});

test("the page of the command names the variables that they follow", async () => {
  const page = await readFile("docs/COMMAND.md", "utf8");
  const asked = new Set<string>();
  const env = new Proxy<NodeJS.ProcessEnv>({}, { get: (_, name) => void asked.add(String(name)) });
  findPaths(env, () => "/home/a");
  expect(asked.size).toBe(3);
  for (const name of asked) expect(page).toContain(`\`${name}\``);
});
