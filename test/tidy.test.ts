import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import * as code from "./tidy/code-rules.ts";
import { exportsAreDocumented } from "./tidy/doc-rule.ts";
import { COMPOSERS, FACES, IMPURE_EXCEPTIONS, NODE_MODULES, ROOMS } from "./tidy/house.ts";
import * as imports from "./tidy/import-rules.ts";
import type { Rule } from "./tidy/rule.ts";
import { parseTree, ROOT, readProject, resolveImport } from "./tidy/source.ts";

type Files = Readonly<Record<string, string>>;

interface Case {
  readonly rule: Rule;
  /** Each of these trees must be complained about: a rule that sees nothing is worth nothing. */
  readonly caught: readonly Files[];
  /** None of these may be. */
  readonly fine?: readonly Files[];
}

const BASE = { "src/base/index.ts": "export const a = 1;" };
const long = (lines: number): string => "a();\n".repeat(lines);

const CASES: Readonly<Record<string, Case>> = {
  "imports go down": {
    rule: imports.importsGoDown,
    caught: [
      { ...BASE, "src/base/b.ts": 'import "../stream/index.ts";', "src/stream/index.ts": "" },
      { "src/dht/a.ts": 'import "../rpc/index.ts";', "src/rpc/index.ts": "" },
      { "src/stream/a.ts": 'import "../base/heap.ts";', "src/base/heap.ts": "" },
      { "src/stream/a.ts": 'export * from "../cli/index.ts";', "src/cli/index.ts": "" },
      { "src/stream/a.ts": 'type A = import("../cli/index.ts").A;', "src/cli/index.ts": "" },
      { "src/stream/a.ts": 'import "./gone.ts";' },
      { "src/stream/a.ts": 'import "../index.ts";', "src/index.ts": "" },
      { "src/stream/a.ts": 'import "../../test/b.ts";', "test/b.ts": "" },
    ],
    fine: [
      { ...BASE, "src/stream/a.ts": 'import { a } from "../base/index.ts";' },
      { "src/transport/a.ts": 'import "../io/clock.ts";', "src/io/clock.ts": "" },
      { "src/index.ts": 'export * from "./stream/a.ts";', "src/stream/a.ts": "" },
    ],
  },
  "folders have no circle": {
    rule: imports.foldersHaveNoCircle,
    caught: [
      { "src/dht/a/b.ts": 'import "../c/d.ts";', "src/dht/c/d.ts": 'import "../a/e.ts";' },
      {
        "src/dht/a/b.ts": 'import type { C } from "../c/d.ts";',
        "src/dht/c/d.ts": 'import "../e/f/g.ts";',
        "src/dht/e/f/g.ts": 'export * from "../../a/h.ts";',
      },
    ],
    fine: [
      { "src/dht/a/b.ts": 'import "../c/d.ts";', "src/dht/c/d.ts": 'import "./e.ts";' },
      { "src/dht/a/b.ts": 'import "../c.ts";', "src/dht/c.ts": 'import "./a/d.ts";' },
      { "src/rpc/a/b.ts": 'import "../../dht/a/b.ts";', "src/dht/a/b.ts": 'import "../c/d.ts";' },
    ],
  },
  "cores are closed": {
    rule: imports.coresAreClosed,
    caught: [{ "src/stream/a-core.ts": 'import "../io/clock.ts";' }],
  },
  "Node stays outside": {
    rule: imports.nodeStaysOutside,
    caught: [
      { "src/stream/a.ts": 'import "node:net";' },
      { "src/base/a.ts": 'const fs = await import("fs");' },
      { "src/mapservice/a.ts": 'import type { Socket } from "node:net";' },
    ],
    fine: [
      { "src/io/a.ts": 'import "node:net";' },
      { "src/stream/a.ts": 'import { Duplex } from "node:stream";' },
    ],
  },
  "packages have a room": {
    rule: imports.packagesHaveARoom,
    caught: [
      { "src/stream/a.ts": 'import "@noble/hashes/sha2.js";' },
      { "src/cli/a.ts": 'import "lodash";' },
    ],
    fine: [{ "src/crypto/a.ts": 'import "@noble/hashes/sha2.js";' }],
  },
  "examples are public": {
    rule: imports.examplesArePublic,
    caught: [
      { "examples/a.ts": 'import "../src/index.ts";' },
      { "examples/a.ts": 'import "culverted";' },
    ],
    fine: [{ "examples/a.ts": 'import "culvert/testing"; import "node:fs"; import "culvert";' }],
  },
  "nothing is unused": {
    rule: imports.nothingIsUnused,
    caught: [{ "src/index.ts": 'import "./a.ts";', "src/a.ts": "", "src/b.ts": "" }],
    fine: [
      { "src/index.ts": 'import "./a.ts";', "src/a.ts": 'export * from "./b.ts";', "src/b.ts": "" },
    ],
  },
  "files are short and narrow": {
    rule: code.filesAreShort,
    caught: [
      { "src/a.ts": long(401) },
      { "test/a.ts": long(401) },
      { "bench/a.ts": `// ${"x".repeat(98)}` },
    ],
    fine: [{ "src/a.ts": long(400) }, { "src/a.ts": `// ${"x".repeat(97)}` }],
  },
  "functions are short": {
    rule: code.functionsAreShort,
    caught: [
      { "src/a.ts": `function f() {\n${long(69)}}` },
      { "src/a.ts": `class A {\n m() {\n${long(69)}}\n}` },
      { "src/a.ts": `const f = () => {\n${long(69)}};` },
    ],
    fine: [{ "src/a.ts": `function f() {\n${long(68)}}` }],
  },
  "types are honest": {
    rule: code.typesAreHonest,
    caught: [
      { "src/a.ts": "let a: any;" },
      { "test/a.ts": "const a = b as Map<string, any>;" },
      { "src/a.ts": "const a = b!.c;" },
      { "src/a.ts": "enum A { B }" },
      { "src/a.ts": "const a = b as unknown as C;" },
      { "src/a.ts": "// @ts-ignore\nconst a = 1;" },
    ],
    fine: [{ "src/a.ts": 'const a = "any" !== b && !c;' }],
  },
  "impurity is outside": {
    rule: code.impurityIsOutside,
    caught: [
      { "src/stream/a.ts": "const a = Math.random();" },
      { "src/stream/a.ts": "const a = Date.now();" },
      { "src/stream/a.ts": "setTimeout(a, 1);" },
      { "src/stream/a.ts": "globalThis.setTimeout(a, 1);" },
      { "src/stream/a.ts": "const { env } = process;" },
      { "src/stream/a.ts": "const a = Buffer.from(b);" },
      { "src/testing/settle.ts": "setTimeout(a, 1);" },
    ],
    fine: [
      { "src/io/a.ts": "setTimeout(a, Math.random());" },
      { "src/testing/settle.ts": "setImmediate(a);" },
      { "src/a.ts": 'import { crypto } from "./b.ts"; crypto();' },
      { "src/a.ts": "socket.setTimeout(1); class A { setTimeout(ms: number) {} }" },
      { "src/a.ts": "class A { a() {} setTimeout(ms: number) {} }" },
    ],
  },
  "tests do not sleep": {
    rule: code.testsDoNotSleep,
    caught: [
      { "test/a.test.ts": "setTimeout(a, 1);" },
      { "test/a.test.ts": "const a = Date.now();" },
      { "test/a.test.ts": "const a = Math.random();" },
    ],
    fine: [{ "test/interop/a.test.ts": "setTimeout(a, 1);" }],
  },
  "nothing is put off": {
    rule: code.nothingIsPutOff,
    caught: [
      { "src/a.ts": `// ${"TO"}DO: later` },
      { "test/a.test.ts": "it.skip('a', b);" },
      { "test/a.test.ts": "describe.only('a', b);" },
    ],
  },
  "cores do not wait": {
    rule: code.coresDoNotWait,
    caught: [
      { "src/stream/a-core.ts": "await a;" },
      { "src/retx/a.ts": "async function f() {}" },
      { "src/retx/a.ts": "class A { async m() {} }" },
      { "src/retx/a.ts": "const f = async () => {};" },
    ],
    fine: [{ "src/stream/a.ts": "await a;" }],
  },
  "files are named": {
    rule: code.filesAreNamed,
    caught: [{ "src/base/utils.ts": "" }, { "test/helpers.ts": "" }],
  },
  "public names are documented": {
    rule: exportsAreDocumented,
    caught: [
      { "src/index.ts": 'export { a } from "./a.ts";', "src/a.ts": "export const a = 1;" },
      { "src/index.ts": 'export * from "./a.ts";', "src/a.ts": "// no\nexport interface A {}" },
      {
        "src/index.ts": 'import { a } from "./a.ts"; export { a };',
        "src/a.ts": "export class a {}",
      },
      { "src/index.ts": 'export { a } from "./gone.ts";' },
    ],
    fine: [
      {
        "src/index.ts": 'export { a } from "./a.ts";',
        "src/a.ts": "/** Why. */\nexport const a = 1;",
      },
      { "src/index.ts": 'export * from "./a.ts";', "src/a.ts": "/** Why. */\nexport type a = 1;" },
    ],
  },
};

const project = readProject();

describe.each(Object.entries(CASES))("the tree: %s", (_name, { rule, caught, fine }) => {
  it("holds", () => {
    expect(rule(project)).toEqual([]);
  });

  it("catches what is planted, and nothing else", () => {
    for (const files of caught) {
      expect(rule(parseTree(files)), JSON.stringify(files).slice(0, 200)).not.toEqual([]);
    }
    for (const files of fine ?? []) expect(rule(parseTree(files))).toEqual([]);
  });
});

describe("the house", () => {
  it("has no circle: every room imports lower rooms only", () => {
    const height = new Map(Object.keys(ROOMS).map((room, index) => [room, index]));
    for (const [room, below] of Object.entries(ROOMS)) {
      for (const other of below) {
        expect(height.get(other), `${room} imports ${other}`).toBeLessThan(height.get(room) ?? -1);
      }
    }
  });

  it("knows every folder of src, and grants no exception that nobody uses", () => {
    const rooms = [...project.keys()].flatMap((path) => imports.roomOf(path) ?? []);
    expect(rooms.filter((room) => ROOMS[room] === undefined)).toEqual([]);
    const tops = [...project.keys()].filter((path) => /^src\/[^/]+$/.test(path));
    expect(tops.filter((path) => !COMPOSERS.includes(path))).toEqual([]);
    for (const { path, modules } of NODE_MODULES) {
      const users = [...project.values()].filter((source) => path.test(source.path));
      const used = users.flatMap((source) => source.imports.map((found) => found.specifier));
      expect(modules.filter((name) => !used.includes(name))).toEqual([]);
    }
    for (const { path, names } of IMPURE_EXCEPTIONS) {
      const text = project.get(path)?.text ?? "";
      expect(names.filter((name) => !text.includes(name))).toEqual([]);
    }
    const all = [...project.values()];
    for (const { from, to } of FACES) {
      const users = all.filter(({ path }) => from.test(path) && !to.test(path));
      const used = users.flatMap((source) =>
        source.imports.map(({ specifier }) => resolveImport(source, specifier)),
      );
      expect(used.some((path) => to.test(path) && !path.endsWith("/index.ts"))).toBe(true);
    }
  });

  it("has a lockfile that names no registry", () => {
    const lock = readFileSync(join(ROOT, "package-lock.json"), "utf8");
    expect(lock).not.toMatch(/"resolved": "http/);
  });
});
