import { execFile } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { DHT_ROWS } from "../bench/dht-rows.ts";
import { ROWS } from "../bench/sim-rows.ts";
import { CulvertError, ERROR_CODES, isErrorCode } from "../src/base/index.ts";
import { explain } from "../src/cli/failure.ts";
import { RULES } from "../src/testing/index.ts";
import { ROOMS } from "./tidy/house.ts";
import { ROOT } from "./tidy/source.ts";

const run = promisify(execFile);
const read = (path: string): string => readFileSync(join(ROOT, path), "utf8");

/** Pages whose programs are whole: all of them are run. */
const PAGES_OF_PROGRAMS = ["README.md", "docs/LIBRARY.md", "docs/INTEROP.md", "docs/NETWORK.md"];

const DECISIONS = readdirSync(join(ROOT, "docs/decisions"))
  .filter((name) => /^\d/.test(name))
  .sort();

/** What is made by a build or a run, and so not always there. */
const MADE = /^(bench\/(dist|results)|dist|coverage)\b/;

/** Every file that a page may name by its last words: `docs.test.ts`. */
const FILES = ["src", "test", "docs", "bench", "e2e", "examples", "types"].flatMap((folder) =>
  readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" })
    .map((path) => `${folder}/${path}`)
    .filter((path) => !path.includes("node_modules")),
);

/** Paths and file names in backticks, outside of programs. */
function filesNamedIn(page: string): string[] {
  const prose = page.replaceAll(/^```.*?^```/gms, "");
  return [...prose.matchAll(/`((?:[\w-]+\/)*[\w.-]+)`/g)]
    .map(([, name = ""]) => name)
    .filter((name) => /^(src|test|docs|bench|e2e|examples)\/|\.(ts|md)$/.test(name))
    .filter((name) => !MADE.test(name));
}

/** Names of other people's code that the pages speak of in passing. */
const FOREIGN = new Set(["Connector", "userId", "withResolvers"]);

/**
 * Names of types, functions and options in backticks, outside of programs. The first column of a
 * table may be of somebody else's names, beside which ours stand.
 */
function codeNamedIn(page: string): string[] {
  const prose = page.replaceAll(/^```.*?^```/gms, "").replaceAll(/^\| [^|]*\|/gm, "|");
  return [...prose.matchAll(/`([\w#.()]+)`/g)]
    .flatMap(([, code = ""]) => code.match(/[A-Za-z]\w*/g) ?? [])
    .filter((name) => /[a-z][A-Z]|^[A-Z][a-z]|^CULVERT_/.test(name) && !FOREIGN.has(name));
}

function isThere(name: string): boolean {
  return existsSync(join(ROOT, name)) || FILES.some((path) => path.endsWith(`/${name}`));
}

/** Whether `--row` takes this: a name, or what names begin with. */
function isRow(known: readonly { readonly name: string }[], wanted: string): boolean {
  return known.some(({ name }) => name.startsWith(wanted));
}

/** Words of the command lines in a page that no tool of this project takes. */
function unknownCommands(page: string): string[] {
  const scripts = Object.keys(JSON.parse(read("package.json")).scripts);
  const [makefile, benches, projects, r1] = [
    read("Makefile"),
    read("bench/main.ts"),
    read("vitest.config.ts"),
    read("bench/r1.ts"),
  ];
  const checks: readonly (readonly [RegExp, (word: string) => boolean])[] = [
    [/`make ([a-z][a-z0-9 ]*)/g, (word) => new RegExp(`^${word}:`, "m").test(makefile)],
    [/\bnpm run (?:-s )?([a-z][\w:]*)/g, (word) => scripts.includes(word)],
    [/\bbench -- ([a-z][a-z0-9 -]*)/g, (word) => benches.includes(`"${word}"`)],
    [/\bbench\/dist\/bench\/(\S+)\.js/g, (word) => isThere(`bench/${word}.ts`)],
    [/\bsim -- (?:[^`\n]* )?--row ([a-z]\S*?)(?=[`\s])/g, (word) => isRow(ROWS, word)],
    [/\bsim:dht -- (?:[^`\n]* )?--row ([a-z]\S*?)(?=[`\s])/g, (word) => isRow(DHT_ROWS, word)],
    [/\br1 -- ([^`\n]*)/g, (word) => !word.startsWith("--") || r1.includes(word)],
    [/ --project ([a-z]\w*)/g, (word) => projects.includes(`name: "${word}"`)],
    [/\bnpx (?:tsx|vitest) ([^`\n]*)/g, (word) => !word.includes("/") || isThere(word)],
  ];
  return checks.flatMap(([pattern, isKnown]) =>
    [...page.matchAll(pattern)]
      .flatMap(([, words = ""]) => words.trim().split(" "))
      .filter((word) => !isKnown(word)),
  );
}

/** What a heading is called in a link. */
function anchorsOf(page: string): string[] {
  return [...page.matchAll(/^#+ (.+)$/gm)].map(([, heading = ""]) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\w\- ]/g, "")
      .replaceAll(" ", "-"),
  );
}

/** The cells of every table row between a heading that holds `title` and the next heading. */
function tableUnder(page: string, title: string): string[][] {
  const section = page.split(/^## /m).find((text) => text.split("\n")[0]?.includes(title)) ?? "";
  const rows = section.split("\n").filter((line) => line.startsWith("| ") && !/^\| -/.test(line));
  return rows.slice(1).map((line) =>
    line
      .split("|")
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

/** The page as it has to be: made from the codes, and from what the command makes of each. */
function errorsPage(): string {
  const rows = Object.keys(ERROR_CODES)
    .filter(isErrorCode)
    .map((code) => {
      const { exit, hint } = explain(new CulvertError(code));
      return `| \`${code}\` | ${ERROR_CODES[code]} | ${hint} | ${exit} |`;
    });
  return [
    "# Errors",
    "",
    "Every failure at run time is a `CulvertError` with one of these codes, in the library, in the",
    "`--json` events of the command and here. Compare `error.code`, never the message.",
    "`error.remote` is true when the other side sent the code; `error.detail` has plain facts:",
    "field, offset, limit. Programmer mistakes throw `TypeError` or `RangeError`; an aborted wait",
    "rejects with the name `AbortError`, as those of Node do: the code `ABORT_ERR`, and what the",
    "signal was aborted with as its cause.",
    "",
    "The hints are for who types commands, and are often more exact there: what waits and repeats",
    "by itself, and what a program has to do, is in [LIBRARY.md](LIBRARY.md).",
    "",
    "This page is made from the code by `test/docs.test.ts`.",
    "",
    "| code | meaning | hint of the command `culvert` | its exit status |",
    "| --- | --- | --- | --- |",
    ...rows,
    "",
  ].join("\n");
}

describe("docs/ERRORS.md", () => {
  it("has every code, its meaning, and what the command says about it", async () => {
    await expect(errorsPage()).toMatchFileSnapshot(join(ROOT, "docs/ERRORS.md"));
  });
});

describe("the pages", () => {
  const pages = ["README.md", "SECURITY.md", "CHANGELOG.md"].concat(
    readdirSync(join(ROOT, "docs"), { recursive: true, encoding: "utf8" })
      .filter((path) => path.endsWith(".md"))
      .map((path) => `docs/${path}`),
  );

  it.each(pages)("%s links to what is there", (page) => {
    const links = [...read(page).matchAll(/\]\(([^)#]+)(#[^)]*)?\)/g)].map(
      (match) => match[1] ?? "",
    );
    const local = links.filter((link) => !/^[a-z]+:/.test(link));
    expect(local.filter((link) => !existsSync(join(ROOT, dirname(page), link)))).toEqual([]);
  });

  it.each(pages)("%s links to headings that are there", (page) => {
    const missing = [...read(page).matchAll(/\]\(([^)#]*)#([^)]*)\)/g)].filter(
      ([, path = "", anchor = ""]) => {
        const target = path === "" ? page : join(dirname(page), path);
        return !/^[a-z]+:/.test(path) && !anchorsOf(read(target)).includes(anchor);
      },
    );
    expect(missing.map(([link]) => link)).toEqual([]);
  });

  it.each(pages)("%s names files that are there", (page) => {
    expect(filesNamedIn(read(page)).filter((name) => !isThere(name))).toEqual([]);
  });

  it("name what is in the code, but for those that tell what was", () => {
    const present = pages.filter((page) => !/CHANGELOG|decisions\//.test(page));
    const sources = FILES.filter((path) => path.endsWith(".ts") && !path.includes("docs.test"));
    const code = new Set(sources.flatMap((path) => read(path).match(/[A-Za-z]\w*/g) ?? []));
    const missing = (page: string) => codeNamedIn(page).filter((name) => !code.has(name));
    expect(present.flatMap((page) => missing(read(page)))).toEqual([]);
    expect(missing("`Stream.noSuchName()` and `NoSuchName`, `frame`")).toHaveLength(2);
  });

  it("show commands that this project has", () => {
    const texts = [...pages, "test/vectors/README.md"].filter((page) => page !== "CHANGELOG.md");
    const usages = FILES.filter((path) => /^bench\/[^/]+\.ts$/.test(path));
    const unknown = (path: string) => unknownCommands(read(path)).map((word) => `${path}: ${word}`);
    expect([...texts, ...usages].flatMap(unknown)).toEqual([]);
  });

  it("are found out when they show a command that there is not", () => {
    const wrong = [
      "`make test nothing`, `npm run -s nothing`, `bench -- frame nothing`",
      "`npm run -s sim -- --seeds 1 --row nothing`, `sim:dht -- --row nothing`",
      "`npx vitest run --project nothing test/nothing`, `r1 -- --nothing 1`",
      "`node bench/dist/bench/nothing.js 1`",
    ];
    expect(unknownCommands(wrong.join("\n"))).toHaveLength(9);
  });

  it("are found out when they name a file that is not there", () => {
    const named = filesNamedIn(
      "see `src/stream/no-such-file.ts`, `no-such-file.test.ts` and `x.y`",
    );
    expect(named.filter((name) => !isThere(name))).toHaveLength(2);
    expect(isThere("test/docs.test.ts") && isThere("docs.test.ts") && isThere("src/stream")).toBe(
      true,
    );
  });

  it("name every core, and what runs it", () => {
    const told = tableUnder(read("docs/ARCHITECTURE.md"), "Cores and shells").join("\n");
    const cores = FILES.filter((path) => /^src\/.*-core\.ts$/.test(path)).flatMap((path) =>
      [...read(path).matchAll(/^export class (\w+Core)\b/gm)].map(([, name = ""]) => name),
    );
    expect(cores.length).toBeGreaterThan(20);
    expect(cores.filter((name) => !told.includes(`\`${name}\``))).toEqual([]);
  });

  it("have the rooms, their folders and what each may import as they are", () => {
    const page = read("docs/ARCHITECTURE.md");
    const [rooms, folders] = (page.split(/^## /m).find((text) => text.startsWith("Rooms")) ?? "")
      .split("Large rooms have folders")
      .map((text) => [...text.matchAll(/^\| `(\w+)` \|(.*)\|$/gm)]);
    const imports = Object.fromEntries(
      (rooms ?? []).map(([, room = "", cells = ""]) => [room, cells.split("|").at(-1)?.trim()]),
    );
    expect(Object.keys(imports)).toEqual(Object.keys(ROOMS));
    for (const [room, below] of Object.entries(ROOMS)) {
      const told = imports[room] ?? "";
      if (!told.startsWith("all")) expect(told, room).toBe(below.join(", ") || "nothing");
    }
    for (const [, room = "", cell = ""] of folders ?? []) {
      const there = readdirSync(join(ROOT, "src", room), { withFileTypes: true });
      const names = there.filter((entry) => entry.isDirectory()).map(({ name }) => name);
      const told = room === "node" ? read("docs/NODE.md") : cell;
      expect(
        names.filter((name) => !told.includes(`\`${name}\``)),
        room,
      ).toEqual([]);
    }
  });

  it("have every rule of the simulations", () => {
    const page = read("docs/SIMULATION.md");
    expect(RULES.filter((rule) => !page.includes(`\`${rule}\``))).toEqual([]);
  });

  it("name the subpaths of the package, all of them and no others", () => {
    const paths = Object.keys(JSON.parse(read("package.json")).exports);
    const subpaths = paths.map((path) => path.slice(2)).filter((path) => /^\w+$/.test(path));
    const library = read("docs/LIBRARY.md");
    const isTold = (name: string) => new RegExp(`\`(culvert/)?${name}\``).test(library);
    expect(subpaths.filter((name) => !isTold(name))).toEqual([]);
    const named = pages.flatMap((page) => [
      ...read(page).matchAll(/[`"]culvert\/(?!v1)(\w+)[`"]/g),
    ]);
    const unknown = named.filter(([, name = ""]) => !subpaths.includes(name));
    expect(unknown.map(([path]) => path)).toEqual([]);
  });

  it("have every row of the simulations", () => {
    const named = [...read("docs/SIMULATION.md").matchAll(/`([a-z0-9-]+\*?)`/g)].map(
      ([, name = ""]) => new RegExp(`^${name.replace("*", ".*")}$`),
    );
    const missing = [...ROWS, ...DHT_ROWS].filter(({ name }) => !named.some((is) => is.test(name)));
    expect(missing.map(({ name }) => name)).toEqual([]);
  });

  it("name every variable of the environment that is this package's own", () => {
    const sources = FILES.filter((path) => /^src\/.*\.ts$/.test(path));
    const taken = sources.flatMap((path) => [
      ...read(path).matchAll(/\{([^{}]*)\} = [^;]*\benv\b/g),
    ]);
    const names = new Set(
      taken.flatMap(([, inner = ""]) => inner.match(/\bCULVERT_[A-Z]+\b/g) ?? []),
    );
    expect(names.size).toBeGreaterThan(3);
    const told = pages.map(read).join("\n");
    expect([...names].filter((name) => !told.includes(`\`${name}`))).toEqual([]);
  });

  it("name this version in the changelog", () => {
    const { version } = JSON.parse(read("package.json"));
    expect(read("CHANGELOG.md")).toContain(`## ${version}`);
  });
});

describe("comments", () => {
  const sources = FILES.filter((path) => /\.ts$/.test(path) && !path.includes("dist/")).map(read);
  const commentsOf = (source: string) => source.match(/\/\*.*?\*\/|(?<![:"'`/])\/\/[^\n]*/gs) ?? [];
  const comments = sources
    .flatMap(commentsOf)
    .join("\n")
    .replaceAll(/\n *\* /g, " ");

  it("name what is in the code", () => {
    const bare = sources.map((source) => {
      return commentsOf(source).reduce((left, comment) => left.replace(comment, ""), source);
    });
    const code = new Set(bare.flatMap((source) => source.match(/[A-Za-z]\w*/g) ?? []));
    const named = [...comments.matchAll(/`#?([A-Za-z][\w.]*)(?:\(\))?`/g)]
      .flatMap(([, names = ""]) => names.split("."))
      .filter((name) => /[a-z][A-Z]/.test(name) && !FOREIGN.has(name));
    expect(named.length).toBeGreaterThan(200);
    expect([...new Set(named)].filter((name) => !code.has(name))).toEqual([]);
  });

  it("name files that are there", () => {
    const named = comments.match(/\b(src|test|docs|bench|e2e)\/[\w./-]*\w/g) ?? [];
    expect(named.length).toBeGreaterThan(20);
    expect(named.filter((path) => !MADE.test(path) && !isThere(path))).toEqual([]);
  });
});

describe("docs/decisions", () => {
  it("has an index of them all", async () => {
    const lines = DECISIONS.map((file) => {
      const [, number, title] = /^# (\d+)\. (.+)$/m.exec(read(`docs/decisions/${file}`)) ?? [];
      expect(Number(number), file).toBe(Number.parseInt(file, 10));
      return `| ${number} | [${title}](${file}) |`;
    });
    const page = [
      "# Decisions",
      "",
      "Why it is as it is, where somebody will ask: what was weighed, what was decided, what it",
      "costs. A later one that changes an earlier one is named there. What is built is told by the",
      "pages of `docs`; numbers have gaps. This page is made by `test/docs.test.ts`.",
      "",
      "| | |",
      "| --- | --- |",
      ...lines,
      "",
    ].join("\n");
    await expect(page).toMatchFileSnapshot(join(ROOT, "docs/decisions/README.md"));
  });
});

describe("programs in the documentation", () => {
  const folder = join(ROOT, ".reports", "programs");
  const filesOf = (page: string): string[] =>
    blocksOf(page).map((_, index) => `${page.replaceAll(/\W/g, "-")}-${index}.ts`);

  it("compile as the pages show them", async () => {
    await rm(folder, { recursive: true, force: true });
    await mkdir(folder, { recursive: true });
    for (const page of PAGES_OF_PROGRAMS) {
      const blocks = blocksOf(page);
      expect(blocks.length).toBeGreaterThan(0);
      for (const [index, file] of filesOf(page).entries()) {
        await writeFile(join(folder, file), blocks[index] ?? "");
      }
    }
    const include = ["*.ts", "../../test/interop/hypercore.d.ts"];
    const config = { extends: "../../tsconfig.json", include };
    await writeFile(join(folder, "tsconfig.json"), JSON.stringify(config));
    await run(join(ROOT, "node_modules/.bin/tsc"), ["-p", folder]);
  });

  it.each(PAGES_OF_PROGRAMS)("run as %s shows them", async (page) => {
    await Promise.all(filesOf(page).map((file) => runProgram(join(folder, file))));
  });

  it("run in examples/", async () => {
    const names = readdirSync(join(ROOT, "examples")).filter((name) => name.endsWith(".ts"));
    await Promise.all(names.map((name) => runProgram(join(ROOT, "examples", name))));
  });
});

function blocksOf(page: string): string[] {
  return [...read(page).matchAll(/^```ts\n(.*?)^```/gms)].map(([, block = ""]) => block);
}

/** Rejects when the program fails, or does not end by itself in time. */
async function runProgram(path: string): Promise<string> {
  const tsx = join(ROOT, "node_modules/.bin/tsx");
  const { stdout } = await run(tsx, [path], { cwd: ROOT, timeout: 240_000 });
  return stdout;
}
