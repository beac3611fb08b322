import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, posix } from "node:path";
import { fileURLToPath } from "node:url";
import { type Comment, type EcmaScriptModule, type Program, parseSync } from "oxc-parser";

/** One TypeScript file, parsed. */
export interface Source {
  /** From the top of the project, with forward slashes. */
  readonly path: string;
  readonly text: string;
  readonly lines: readonly string[];
  readonly program: Program;
  readonly module: EcmaScriptModule;
  readonly comments: readonly Comment[];
  readonly imports: readonly Import[];
}

/** One import, re-export, dynamic import or type import. */
export interface Import {
  readonly specifier: string;
  readonly line: number;
}

/** The files of a project, by path. */
export type Tree = ReadonlyMap<string, Source>;

/** The top of this project. */
export const ROOT: string = fileURLToPath(new URL("../..", import.meta.url));

const CODE_FOLDERS = ["src", "test", "e2e", "bench", "examples"];

/** Parses every file of the project that holds code. */
export function readProject(): Tree {
  const files: Record<string, string> = {};
  for (const folder of CODE_FOLDERS.filter((name) => existsSync(join(ROOT, name)))) {
    for (const entry of readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" })) {
      if (!entry.endsWith(".ts") || entry.includes("node_modules")) continue;
      const path = posix.join(folder, entry.replaceAll("\\", "/"));
      files[path] = readFileSync(join(ROOT, path), "utf8");
    }
  }
  return parseTree(files);
}

/** Parses files given as text. */
export function parseTree(files: Readonly<Record<string, string>>): Tree {
  const sources = Object.entries(files).map(([path, text]) => parseSource(path, text));
  return new Map(sources.map((source) => [source.path, source]));
}

/** The line, from 1 on, of an offset in the text. */
export function lineOf(text: string, offset: number): number {
  return text.slice(0, offset).split("\n").length;
}

/** The path that a relative import leads to. */
export function resolveImport(from: Source, specifier: string): string {
  return posix.join(posix.dirname(from.path), specifier);
}

function parseSource(path: string, text: string): Source {
  const { program, module, comments, errors } = parseSync(path, text);
  if (errors.length > 0) throw new Error(`${path}: ${errors[0]?.message}`);
  const lines = text.split("\n");
  return { path, text, lines, program, module, comments, imports: importsOf(text, module) };
}

/** Type imports inside a type, `import("x").Y`, are found by their text: they have no statement. */
function importsOf(text: string, module: EcmaScriptModule): Import[] {
  const requests = [
    ...module.staticImports.map((entry) => entry.moduleRequest),
    ...module.staticExports.flatMap((statement) =>
      statement.entries.flatMap((entry) => entry.moduleRequest ?? []),
    ),
  ].map(({ value, start }) => ({ specifier: value, start }));
  for (const match of text.matchAll(/\bimport\(\s*"([^"]+)"/g)) {
    requests.push({ specifier: match[1] ?? "", start: match.index });
  }
  return requests.map(({ specifier, start }) => ({ specifier, line: lineOf(text, start) }));
}
