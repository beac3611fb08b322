import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { ROOT } from "../tidy/source.ts";

test.each([
  ["dht-sim", "--seed", "abc"],
  ["dht-sim", "--row", "nothing"],
  ["dht-sim", "--nothing", "1"],
  ["sim", "--jobs", "0"],
  ["sim", "--seeds", ""],
  ["dht", "--nodes", "few"],
  ["dht", "--party", "nobody"],
  ["dht-sizes", "50", "few"],
  ["road", "1e6", "0"],
])("bench/%s refuses %s %s, and says how it is used", async (name, ...words) => {
  const tsx = join(ROOT, "node_modules/.bin/tsx");
  const run = promisify(execFile)(tsx, [join(ROOT, `bench/${name}.ts`), ...words]);
  const stderr = expect.stringMatching(`^[^\\n]+\\n\\n[^]*${name.replace("-sim", "")}`);
  await expect(run).rejects.toMatchObject({ code: 2, stdout: "", stderr });
});
