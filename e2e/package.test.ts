import { execFile } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ROOT } from "../test/tidy/source.ts";

const run = promisify(execFile);

/** What is beside the built files in the package. */
const OTHERS = /^(docs\/.+\.(md|svg)|examples\/[\w-]+\.ts|[A-Z]+(\.md)?|package\.json)$/;

const { exports, dependencies } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
const SUBPATHS = Object.keys(exports)
  .filter((path) => path !== "./package.json")
  .map((path) => `culvert${path.slice(1)}`);

/** It packs beside whatever else the machine does. */
const PACK_MS = 120_000;

/** A folder that has nothing but the package, as it is packed, and what it depends on. */
let folder: string;
let packed: readonly string[];
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "culvert-package-"));
  const pack = ["pack", "--json", "--ignore-scripts", "--pack-destination", folder];
  const { stdout } = await run("npm", pack, { cwd: ROOT, maxBuffer: 2 ** 26 });
  const [{ filename, files }] = JSON.parse(stdout);
  packed = files.map(({ path }: { path: string }) => path);
  await run("tar", ["xzf", filename], { cwd: folder });
  await mkdir(join(folder, "node_modules"));
  await rename(join(folder, "package"), join(folder, "node_modules/culvert"));
  for (const name of [...Object.keys(dependencies), "@types/node", "undici-types"]) {
    const place = join(folder, "node_modules", name);
    await mkdir(dirname(place), { recursive: true });
    await symlink(join(ROOT, "node_modules", name), place);
  }
}, PACK_MS);
afterAll(() => rm(folder, { recursive: true, force: true }));

/** What a program of this name says in that folder. */
async function says(name: string, program: string): Promise<string> {
  await writeFile(join(folder, name), program);
  return (await run(process.execPath, [name], { cwd: folder })).stdout;
}

/** What the compiler says of a program that imports every subpath. */
async function compiled(name: string, ...options: readonly string[]): Promise<string> {
  const imports = SUBPATHS.map((path, at) => `import * as m${at} from "${path}";\n`).join("");
  const all = SUBPATHS.map((_, at) => `m${at}`).join(", ");
  const use = [
    "const s: m0.Stream = m0.Stream.dial(new m1.MemoryTransport(), m0.generateSecret());",
    "export const socket: import('node:net').Socket = s;",
    "export const stream: NodeJS.ReadWriteStream = s;",
    "s.on('warning', (warning) => console.log(warning.code)).end();",
  ].join("\n");
  await writeFile(join(folder, name), `${imports}export const all = [${all}];\n${use}\n`);
  const tsc = join(ROOT, "node_modules/.bin/tsc");
  const strict = ["--noEmit", "--strict", "--target", "es2022", "--types", "node"];
  const lax = ["--skipLibCheck", "false", "--pretty", "false"];
  const { stdout } = await run(tsc, [...strict, ...lax, ...options, name], { cwd: folder }).catch(
    (error: { stdout: string }) => error,
  );
  return stdout;
}

describe("the package", () => {
  test("has all that was built, the pages and the examples, and nothing else", () => {
    const sources = readdirSync(join(ROOT, "src"), { recursive: true, encoding: "utf8" })
      .filter((path) => path.endsWith(".ts"))
      .map((path) => `dist/${path.replace(/\.ts$/, "")}`);
    const built = sources.flatMap((path) => [`${path}.d.ts`, `${path}.js`, `${path}.js.map`]);
    expect(packed.filter((path) => !OTHERS.test(path)).sort()).toEqual(built.sort());
    for (const name of ["README.md", "LICENSE", "CHANGELOG.md", "SECURITY.md", "docs/COMMAND.md"]) {
      expect(packed).toContain(name);
    }
    const linked = readFileSync(join(ROOT, "README.md"), "utf8").matchAll(/\]\(([^):#]+)[^)]*\)/g);
    for (const [, path = ""] of linked) {
      expect(existsSync(join(folder, "node_modules/culvert", path)), path).toBe(true);
    }
  });

  test("is a command", async () => {
    const main = join(folder, "node_modules/culvert/dist/cli/main.js");
    const { stdout } = await run(process.execPath, [main, "--help"], { cwd: folder });
    expect(stdout).toContain("Usage: culvert");
  });

  test("is a command where it was built, too: of a folder npm installs a link", async () => {
    const { stdout } = await run(join(ROOT, "dist/cli/main.js"), ["--help"], { cwd: folder });
    expect(stdout).toContain("Usage: culvert");
  });

  test.each(SUBPATHS)("gives %s to import and to require", async (path) => {
    const imported = await says(
      "program.mjs",
      `console.log(Object.keys(await import("${path}")).sort().join());`,
    );
    const required = await says(
      "program.cjs",
      `console.log(Object.keys(require("${path}")).sort().join());`,
    );
    expect(imported.trim().length).toBeGreaterThan(0);
    expect(required).toBe(imported);
  });

  test("keeps what is behind its subpaths to itself", async () => {
    const program = 'await import("culvert/dist/index.js").catch((e) => console.log(e.code));';
    expect(await says("behind.mjs", program)).toBe("ERR_PACKAGE_PATH_NOT_EXPORTED\n");
  });

  test.each([
    ["modules of node16", "main.mts", ["node16", "node16"]],
    ["modules of nodenext", "main.mts", ["nodenext", "nodenext"]],
    ["a bundler", "main.mts", ["esnext", "bundler"]],
    ["require of nodenext", "main.cts", ["nodenext", "nodenext"]],
  ])("has types for %s", async (_what, name, [module = "", resolution = ""]) => {
    const options = ["--module", module, "--moduleResolution", resolution];
    expect(await compiled(name, ...options)).toBe("");
  });

  test("is no CommonJS to who compiles for node16, which had no require of modules", async () => {
    const options = ["--module", "node16", "--moduleResolution", "node16"];
    expect(await compiled("old.cts", ...options)).toContain("TS1479");
  });
});
