import { type Node, Visitor, type VisitorObject } from "oxc-parser";
import { IMPURE_EXCEPTIONS, IMPURE_GLOBALS, SIZE } from "./house.ts";
import type { Rule } from "./rule.ts";
import { lineOf, type Source, type Tree } from "./source.ts";

type Report = (offset: number, complaint: string) => void;

/** No file is longer than one sitting, no line wider than one screen. */
export const filesAreShort: Rule = (tree) => {
  return [...tree.values()].flatMap(({ path, lines, text }) => {
    const count = lines.length - (text.endsWith("\n") ? 1 : 0);
    const wide = lines.flatMap((line, index) =>
      line.length > SIZE.columns ? [`${path}:${index + 1}: ${line.length} columns`] : [],
    );
    return count > SIZE.fileLines ? [`${path}: ${count} lines`, ...wide] : wide;
  });
};

/** Functions of the product fit on a screen; a test's `describe` is a list, not a function. */
export const functionsAreShort: Rule = (tree) => {
  return eachNode(tree, /^src\//, (source, report) => {
    const measure = (node: Node): void => {
      const lines = lineOf(source.text, node.end) - lineOf(source.text, node.start) + 1;
      if (lines > SIZE.functionLines) report(node.start, `a function of ${lines} lines`);
    };
    return {
      FunctionDeclaration: measure,
      FunctionExpression: measure,
      ArrowFunctionExpression: measure,
    };
  });
};

/** The type system is not switched off: no `any`, no `!`, no double cast, no `@ts-` directive. */
export const typesAreHonest: Rule = (tree) => {
  return eachNode(tree, /./, (source, report) => {
    for (const { value, start } of source.comments) {
      if (/@ts-(ignore|nocheck|expect-error)/.test(value)) report(start, "a @ts- directive");
    }
    return {
      TSAnyKeyword: (node) => report(node.start, "any"),
      TSNonNullExpression: (node) => report(node.start, "a non-null assertion"),
      TSEnumDeclaration: (node) => report(node.start, "an enum"),
      TSAsExpression: (node) => {
        if (node.expression.type !== "TSAsExpression") return;
        if (source.path.startsWith("src/")) report(node.start, "a double cast");
      },
    };
  });
};

/** Clocks, dice and the process are ports: only src/io and src/cli touch the real ones. */
export const impurityIsOutside: Rule = (tree) => {
  return eachNode(tree, /^src\/(?!io\/|cli\/)/, (source, report) => {
    const own = ownNames(source);
    const methods = new Set<number>();
    return {
      MethodDefinition: ({ key }) => {
        methods.add(key.start);
      },
      Identifier: (node) => {
        if (!IMPURE_GLOBALS.includes(node.name) || own.has(node.name)) return;
        if (methods.has(node.start)) return;
        if (isException(source.path, node.name) || isPropertyName(source, node.start)) return;
        report(node.start, `the global ${node.name}`);
      },
      MemberExpression: (node) => {
        if (isCall(node, "Math", "random")) report(node.start, "Math.random");
      },
    };
  });
};

/** Tests sleep on a virtual clock and roll seeded dice; real processes are tested elsewhere. */
export const testsDoNotSleep: Rule = (tree) => {
  return eachNode(tree, /^test\/(?!interop\/|io\/|tidy)/, (_source, report) => {
    return {
      CallExpression: ({ callee, start }) => {
        if (callee.type === "Identifier" && /^set(Timeout|Interval)$/.test(callee.name)) {
          report(start, callee.name);
        }
        if (callee.type !== "MemberExpression") return;
        if (isCall(callee, "Math", "random")) report(start, "Math.random");
        if (isCall(callee, "Date", "now")) report(start, "Date.now");
      },
    };
  });
};

/** Whatever is not finished is not in the tree, and no test is put to sleep. */
export const nothingIsPutOff: Rule = (tree) => {
  return eachNode(tree, /^(src|test|e2e)\//, (source, report) => {
    for (const { value, start } of source.comments) {
      if (/\b(TODO|FIXME|XXX)\b/.test(value)) report(start, "a note of unfinished work");
    }
    return {
      CallExpression: ({ callee, start }) => {
        if (callee.type !== "MemberExpression") return;
        for (const runner of ["it", "test", "describe"]) {
          for (const mode of ["skip", "only", "todo", "fails"]) {
            if (isCall(callee, runner, mode)) report(start, `${runner}.${mode}`);
          }
        }
      },
    };
  });
};

/** Cores are synchronous: they wait for nobody. */
export const coresDoNotWait: Rule = (tree) => {
  return eachNode(tree, /^src\/(retx\/|.*-core\.ts$)/, (_source, report) => {
    const refuse = (node: { async: boolean; start: number }): void => {
      if (node.async) report(node.start, "an async function in a core");
    };
    return {
      AwaitExpression: (node) => report(node.start, "an await in a core"),
      FunctionDeclaration: refuse,
      FunctionExpression: refuse,
      ArrowFunctionExpression: refuse,
    };
  });
};

/** A file is named after the thing that it holds. */
export const filesAreNamed: Rule = (tree) => {
  return [...tree.keys()]
    .filter((path) => /(^|\/)(utils?|helpers?|common|misc)\.ts$/.test(path))
    .map((path) => `${path}: says nothing about its content`);
};

function eachNode(
  tree: Tree,
  paths: RegExp,
  visitor: (source: Source, report: Report) => VisitorObject,
): string[] {
  const complaints: string[] = [];
  for (const source of tree.values()) {
    if (!paths.test(source.path)) continue;
    const report: Report = (offset, complaint) => {
      complaints.push(`${source.path}:${lineOf(source.text, offset)}: ${complaint}`);
    };
    new Visitor(visitor(source, report)).visit(source.program);
  }
  return complaints;
}

/** Names that a file imports, declares or passes on: they hide the global of that name. */
function ownNames(source: Source): Set<string> {
  const { staticImports, staticExports } = source.module;
  const imported = staticImports.flatMap(({ entries }) =>
    entries.map((name) => name.localName.value),
  );
  const exported = staticExports.flatMap(({ entries }) =>
    entries.map((name) => name.exportName.name),
  );
  return new Set([...imported, ...exported.filter((name) => name !== null)]);
}

/** `x.name`, `{ name: … }` and `name(): …` in a type name a property and touch no global. */
function isPropertyName(source: Source, start: number): boolean {
  const before = source.text.slice(0, start).trimEnd();
  if (before.endsWith(".") && !before.endsWith("globalThis.") && !before.endsWith("..."))
    return true;
  return /^\w+\??\s*[:(]/.test(source.text.slice(start)) && /[{;,]$|readonly$/.test(before);
}

function isException(path: string, name: string): boolean {
  return IMPURE_EXCEPTIONS.some((known) => known.path === path && known.names.includes(name));
}

function isCall(node: Node, object: string, property: string): boolean {
  return (
    node.type === "MemberExpression" &&
    node.object.type === "Identifier" &&
    node.object.name === object &&
    node.property.type === "Identifier" &&
    node.property.name === property
  );
}
