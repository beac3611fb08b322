import { isBuiltin } from "node:module";
import { COMPOSERS, ENTRIES, FACES, NODE_MODULES, PACKAGES, ROOMS } from "./house.ts";
import type { Rule } from "./rule.ts";
import { type Import, resolveImport, type Source, type Tree } from "./source.ts";

/** The room of a file in src; undefined for other folders and for the top of src. */
export function roomOf(path: string): string | undefined {
  return /^src\/([^/]+)\//.exec(path)?.[1];
}

/** Arrows between rooms go down, as the table says, and lead to a public face. */
export const importsGoDown: Rule = (tree) => {
  return eachImport(tree, (source, { specifier }) => {
    if (!source.path.startsWith("src/") || !specifier.startsWith(".")) return undefined;
    const to = resolveImport(source, specifier);
    if (!tree.has(to)) return `imports ${to}, which is not there`;
    if (COMPOSERS.includes(source.path)) return undefined;
    const [from, room] = [roomOf(source.path), roomOf(to)];
    if (from === undefined || room === undefined) return `imports ${to} past the rooms`;
    if (from === room) return undefined;
    if (ROOMS[from]?.includes(room) !== true) return `${from} may not import ${room}`;
    const isShown = FACES.some((face) => face.from.test(source.path) && face.to.test(to));
    if (to === `src/${room}/index.ts` || isShown) return undefined;
    return `imports ${to} behind its public face`;
  });
};

/** The folder of a file within its room; none for what the whole room shares, at its top. */
function folderOf(path: string): string | undefined {
  return /^src\/[^/]+\/[^/]+(?=\/)/.exec(path)?.[0];
}

/** The folders of a room stand on each other as rooms do: no way down leads back up. */
export const foldersHaveNoCircle: Rule = (tree) => {
  const below = new Map<string, Set<string>>();
  const isAbove = (from: string, to: string | undefined): to is string =>
    to !== undefined && to !== from && roomOf(`${from}/`) === roomOf(`${to}/`);
  for (const source of tree.values()) {
    const from = folderOf(source.path);
    if (from === undefined) continue;
    for (const { specifier } of source.imports) {
      const to = specifier.startsWith(".") ? folderOf(resolveImport(source, specifier)) : undefined;
      if (isAbove(from, to)) below.set(from, (below.get(from) ?? new Set()).add(to));
    }
  }
  const reach = (from: string, seen = new Set<string>()): Set<string> => {
    for (const to of below.get(from) ?? []) if (!seen.has(to)) reach(to, seen.add(to));
    return seen;
  };
  return [...below.keys()]
    .filter((folder) => reach(folder).has(folder))
    .map((folder) => `${folder}: imports lead from it back to it`);
};

/** Cores take time and chance from outside: they import no port's implementation. */
export const coresAreClosed: Rule = (tree) => {
  return eachImport(tree, (source, { specifier }) => {
    if (!source.path.endsWith("-core.ts") || !specifier.startsWith(".")) return undefined;
    return roomOf(resolveImport(source, specifier)) === "io" ? "a core imports src/io" : undefined;
  });
};

/** Node's modules stay in src/io and src/cli, apart from the exceptions with a reason. */
export const nodeStaysOutside: Rule = (tree) => {
  return eachImport(tree, (source, { specifier }) => {
    if (!source.path.startsWith("src/") || !isBuiltin(specifier)) return undefined;
    if (/^src\/(io|cli)\//.test(source.path)) return undefined;
    const isDeclared = NODE_MODULES.some(
      ({ path, modules }) => path.test(source.path) && modules.includes(specifier),
    );
    return isDeclared ? undefined : `imports ${specifier}`;
  });
};

/** Each package enters through one room. */
export const packagesHaveARoom: Rule = (tree) => {
  return eachImport(tree, (source, { specifier }) => {
    if (!source.path.startsWith("src/")) return undefined;
    if (specifier.startsWith(".") || isBuiltin(specifier)) return undefined;
    const name = /^(@[^/]+\/)?[^/]+/.exec(specifier)?.[0] ?? specifier;
    const rooms = PACKAGES[name] ?? [];
    return rooms.includes(roomOf(source.path) ?? "") ? undefined : `imports the package ${name}`;
  });
};

/** Examples show what a user can write: public names only. */
export const examplesArePublic: Rule = (tree) => {
  return eachImport(tree, (source, { specifier }) => {
    if (!source.path.startsWith("examples/") || isBuiltin(specifier)) return undefined;
    return /^culvert(\/|$)/.test(specifier) ? undefined : `imports ${specifier}`;
  });
};

/** Every file of src is used by a program or by another package. */
export const nothingIsUnused: Rule = (tree) => {
  const reached = new Set<string>();
  const open = ENTRIES.filter((entry) => tree.has(entry));
  for (let path = open.pop(); path !== undefined; path = open.pop()) {
    const source = tree.get(path);
    if (source === undefined || reached.has(path)) continue;
    reached.add(path);
    for (const { specifier } of source.imports) {
      if (specifier.startsWith(".")) open.push(resolveImport(source, specifier));
    }
  }
  return [...tree.keys()]
    .filter((path) => path.startsWith("src/") && !reached.has(path))
    .map((path) => `${path}: no entry point reaches it`);
};

function eachImport(
  tree: Tree,
  judge: (source: Source, found: Import) => string | undefined,
): string[] {
  const complaints: string[] = [];
  for (const source of tree.values()) {
    for (const found of source.imports) {
      const complaint = judge(source, found);
      if (complaint !== undefined) complaints.push(`${source.path}:${found.line}: ${complaint}`);
    }
  }
  return complaints;
}
