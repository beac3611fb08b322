import { ENTRIES } from "./house.ts";
import type { Rule } from "./rule.ts";
import { lineOf, resolveImport, type Source, type Tree } from "./source.ts";

interface Found {
  readonly source: Source;
  readonly name: string;
}

/** What a user of the package can import has a doc comment where it is declared. */
export const exportsAreDocumented: Rule = (tree) => {
  const complaints = new Set<string>();
  for (const entry of ENTRIES) {
    const source = tree.get(entry);
    if (source === undefined) continue;
    for (const name of exportedNames(tree, source)) {
      const declared = follow(tree, { source, name });
      const complaint =
        declared === undefined ? `${entry}: ${name} leads nowhere` : judge(declared);
      if (complaint !== undefined) complaints.add(complaint);
    }
  }
  return [...complaints];
};

function exportsOf(source: Source): Source["module"]["staticExports"][number]["entries"] {
  return source.module.staticExports.flatMap((statement) => statement.entries);
}

function exportedNames(tree: Tree, source: Source): string[] {
  return exportsOf(source).flatMap((entry) => {
    if (entry.exportName.name !== null) return [entry.exportName.name];
    const inner = entry.moduleRequest && tree.get(resolveImport(source, entry.moduleRequest.value));
    return inner ? exportedNames(tree, inner) : [];
  });
}

/** The file that declares a name which `source` exports, through re-exports and imports. */
function follow(tree: Tree, { source, name }: Found): Found | undefined {
  for (const entry of exportsOf(source)) {
    const request = entry.moduleRequest;
    if (request === null) {
      if (entry.exportName.name !== name) continue;
      return imported(tree, source, entry.localName.name ?? name);
    }
    const inner = tree.get(resolveImport(source, request.value));
    if (inner === undefined) continue;
    if (entry.exportName.name === name) {
      return follow(tree, { source: inner, name: entry.importName.name ?? name });
    }
    const found =
      entry.exportName.name === null ? follow(tree, { source: inner, name }) : undefined;
    if (found !== undefined) return found;
  }
  return undefined;
}

function imported(tree: Tree, source: Source, name: string): Found | undefined {
  for (const statement of source.module.staticImports) {
    for (const entry of statement.entries) {
      if (entry.localName.value !== name) continue;
      const inner = tree.get(resolveImport(source, statement.moduleRequest.value));
      return inner && follow(tree, { source: inner, name: entry.importName.name ?? name });
    }
  }
  return { source, name };
}

function judge({ source, name }: Found): string | undefined {
  const keyword = "(abstract |async )?(class|function\\*?|const|interface|type)";
  const declaration = new RegExp(`^(export )?${keyword} ${name}\\b`, "m").exec(source.text);
  if (declaration === null) return `${source.path}: ${name} is exported and not declared`;
  const before = source.text.slice(0, declaration.index).trimEnd();
  const doc = source.comments.find((comment) => comment.end === before.length);
  if (doc?.type === "Block" && doc.value.startsWith("*")) return undefined;
  return `${source.path}:${lineOf(source.text, declaration.index)}: ${name} has no doc comment`;
}
