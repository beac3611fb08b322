import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { COMMANDS } from "../../src/cli/commands.ts";
import { parseTicket, requireRole, type TicketRole } from "../../src/cli/ticket/ticket.ts";
import { ROOT } from "../tidy/source.ts";

const read = (path: string): string => readFileSync(join(ROOT, path), "utf8");

const HEADING = "## Options\n";

/** Every option as help has it, with the commands that take it under these words. */
function optionsSection(): string {
  const commandsOf = new Map<string, string[]>();
  for (const { name, options } of COMMANDS) {
    for (const { flags, summary } of options) {
      const row = `| \`${flags}\` | ${summary} |`;
      commandsOf.set(row, [...(commandsOf.get(row) ?? []), `\`${name}\``]);
    }
  }
  const rows = [...commandsOf].map(([row, names]) => {
    const of = names.length === COMMANDS.length ? "all" : names.join(", ");
    return `${row} ${of} |`;
  });
  return [
    HEADING,
    "As `culvert COMMAND --help` has them; this table is made by `test/cli/command-page.test.ts`.",
    "",
    "| option | what it does | of |",
    "| --- | --- | --- |",
    ...rows,
    "",
    "",
  ].join("\n");
}

/** The page, with that section as it has to be. */
function withOptions(page: string): string {
  const from = page.indexOf(HEADING);
  expect(from).toBeGreaterThan(0);
  const to = page.indexOf("\n## ", from) + 1;
  return page.slice(0, from) + optionsSection() + page.slice(to);
}

function pages(): string[] {
  const names = readdirSync(join(ROOT, "docs")).filter((name) => name.endsWith(".md"));
  return ["README.md", "SECURITY.md", ...names.map((name) => `docs/${name}`)];
}

/** What of the words behind `culvert COMMAND` in a page no such command takes. */
function unknownOptions(page: string): string[] {
  return [...page.matchAll(/\bculvert ([a-z]+)\b([^`\n]*)/g)].flatMap(([line, name, rest = ""]) => {
    const command = COMMANDS.find((spec) => spec.name === name);
    if (command === undefined) return [];
    const known = `${command.options.map(({ flags }) => flags).join(" ")} --help`.split(/[ ,]+/);
    const used = rest.split(/[|#]/)[0]?.match(/(?<= )--?[a-z][a-z-]*/g) ?? [];
    return used.filter((option) => !known.includes(option)).map((option) => `${option}: ${line}`);
  });
}

describe("docs/COMMAND.md", () => {
  const page = read("docs/COMMAND.md");

  it("has every option as help has it", async () => {
    await expect(withOptions(page)).toMatchFileSnapshot(join(ROOT, "docs/COMMAND.md"));
  });

  it("has every command in its table", () => {
    const rows = page.split("\n").filter((line) => line.startsWith("| `"));
    const first = rows.map((row) => row.split("|")[1] ?? "").join();
    const missing = COMMANDS.filter(({ name }) => !new RegExp(`\`${name}[ \`]`).test(first));
    expect(missing.map(({ name }) => name)).toEqual([]);
  });

  it("names no option that there is not", () => {
    const known = COMMANDS.flatMap(({ options }) => options.map(({ flags }) => flags)).join(" ");
    const named = new Set(page.match(/(?<=[ `])--[a-z][a-z-]*/g));
    named.delete("--help");
    expect(named.size).toBeGreaterThan(30);
    expect([...named].filter((option) => !known.split(/[ ,]+/).includes(option))).toEqual([]);
  });
});

describe("every page", () => {
  it("shows command lines that are understood", () => {
    expect(pages().flatMap((path) => unknownOptions(read(path)))).toEqual([]);
    expect(unknownOptions("`culvert send --into x` and `culvert map --memory`")).toHaveLength(1);
  });

  it("shows tickets that are whole, each for the command that it stands behind", () => {
    const shown = pages().flatMap((path) => [
      ...read(path).matchAll(/\bculvert (receive|pipe|subscribe|forward) (culvert1\w+)(?![\w…])/g),
    ]);
    expect(shown.length).toBeGreaterThan(0);
    for (const [, role, ticket = ""] of shown) {
      expect(() => requireRole(parseTicket(ticket), role as TicketRole)).not.toThrow();
    }
  });
});
