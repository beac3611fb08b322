import { execFile } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { ROOT } from "./tidy/source.ts";

const FOLDER = join(ROOT, ".reports/examples");

const NODES = 'Pick<import("culvert/testing").RpcFixture, "a" | "b">';

/** What examples take as given, beside the names that the subpaths export. */
const GIVEN: Readonly<Record<string, string>> = {
  addresses: 'readonly import("culvert/identity").NodeAddress[]',
  bootstrap: 'readonly import("culvert/dht").Contact[]',
  broadcast: 'import("culvert").Broadcast',
  bytes: "Uint8Array",
  carrier: 'import("culvert/mapservice").RecordCarrier',
  cell: "Uint8Array",
  clock: 'import("culvert").Clock',
  descriptor: 'import("culvert/identity").NodeDescriptor',
  frameId: "Uint8Array",
  id: 'import("culvert/identity").NodeId',
  identity: 'import("culvert/identity").NodeIdentity',
  key: "Uint8Array",
  network: 'import("culvert/dht").DhtNetwork',
  node: 'import("culvert/rpc").RpcNode',
  peer: 'import("culvert/identity").NodeId',
  publicKey: "Uint8Array",
  random: 'import("culvert").Random',
  readRoot: "Uint8Array",
  recordRule: 'import("culvert/dht").RecordRule',
  saved: "Uint8Array",
  secret: "Uint8Array",
  seed: "Uint8Array",
  signal: "AbortSignal",
  test: 'import("culvert/testing").RegisterTest',
  text: "string",
  transport: 'import("culvert/transport").Transport',
  twoNodes: `() => Promise<${NODES} & { close(): Promise<void> }>`,
  writeSeed: "Uint8Array",
};

/** Subpaths whose names an example on a page or in a comment need not import. */
const SUBPATHS = [
  ...["culvert", "culvert/transport", "culvert/mapservice", "culvert/identity", "culvert/link"],
  ...["culvert/rpc", "culvert/dht", "culvert/voidphone", "culvert/testing"],
];

/** An example as a file of its own. */
interface Example {
  /** The file and the line where it begins, as `docs-MAP.md-12.ts`. */
  readonly name: string;
  readonly code: string;
}

/** Every TypeScript block of a page, or of the doc comments of a source. */
function examplesOf(path: string, text: string): Example[] {
  return [...text.matchAll(/^( *\* )?```ts\n(.*?)^( *\* )?```$/gms)].map((match) => {
    const line = text.slice(0, match.index).split("\n").length;
    const code = (match[2] ?? "").replaceAll(/^ *\* ?/gm, match[1] === undefined ? "$&" : "");
    return { name: `${path.replaceAll("/", "-")}-${line}.ts`, code };
  });
}

function filesUnder(folder: string, ending: string): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(ending))
    .map((path) => `${folder}/${path.replaceAll("\\", "/")}`);
}

/**
 * The example with an import of each exported name that it uses and does not introduce; one that
 * shows its imports has to show all of them.
 */
function whole({ code }: Example, exported: ReadonlyMap<string, string>): string {
  const own = [...code.matchAll(/\b(?:const|let|class|function) (\w+)/g)].map(([, name]) => name);
  const showsImports = /^import /m.test(code);
  const words = new Set(code.match(/(?<!(?<!\.\.)\.|\w)\w+/g));
  const imports = [...words].flatMap((word) => {
    const from = showsImports || own.includes(word) ? undefined : exported.get(word);
    return from === undefined ? [] : [`import { ${word} } from "${from}";`];
  });
  // An example is no script, whose names would be those of all others.
  return [imports.join(" "), code, "export {};", ""].join("\n");
}

/** What the compiler says about all examples, as one program. */
async function compile(examples: readonly Example[]): Promise<string[]> {
  const modules = await Promise.all(SUBPATHS.map((path) => import(path)));
  const exported = new Map(
    modules.flatMap((module, i) => Object.keys(module).map((name) => [name, SUBPATHS[i] ?? ""])),
  );
  await rm(FOLDER, { recursive: true, force: true });
  await mkdir(FOLDER, { recursive: true });
  const given = Object.entries(GIVEN).map(([name, type]) => `declare const ${name}: ${type};\n`);
  await writeFile(join(FOLDER, "given.d.ts"), given.join(""));
  for (const example of examples) {
    await writeFile(join(FOLDER, example.name), whole(example, exported));
  }
  const include = ["*.ts", "../../test/interop/hypercore.d.ts"];
  const config = { extends: "../../tsconfig.json", include };
  await writeFile(join(FOLDER, "tsconfig.json"), JSON.stringify(config));
  const tsc = join(ROOT, "node_modules/.bin/tsc");
  const { stdout } = await promisify(execFile)(tsc, ["--pretty", "false", "-p", "."], {
    cwd: FOLDER,
  }).catch((error: { stdout: string }) => error);
  return stdout.split("\n").filter((line) => line !== "");
}

describe("the examples on the pages and in the sources", () => {
  it("compile; one with a mistake does not", async () => {
    const pages = ["README.md", "SECURITY.md", ...filesUnder("docs", ".md")];
    const sources = filesUnder("src", ".ts");
    const examples = [...pages, ...sources].flatMap((path) =>
      examplesOf(path, readFileSync(join(ROOT, path), "utf8")),
    );
    const mistake = " * ```ts\n * const stream = Stream.dial(transport);\n * ```";
    const said = await compile([...examples, ...examplesOf("a-mistake", mistake)]);
    expect(said.filter((line) => !line.startsWith("a-mistake"))).toEqual([]);
    expect(said).toEqual([expect.stringContaining("a-mistake-1.ts(2,23): error TS2554")]);
    expect(examples.length).toBeGreaterThan(30);
  });
});
