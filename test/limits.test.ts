import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { TRANSFER_LIMITS } from "../src/cli/transfer/manifest.ts";
import { DHT_LIMITS, PLACEMENT_LIMITS, VALUE_LIMITS } from "../src/dht/index.ts";
import { LINK_LIMITS, PUNCH_LIMITS, RELAY_LIMITS, RENDEZVOUS_LIMITS } from "../src/link/index.ts";
import {
  MAP_LIMITS,
  MAP_SERVER_DEFAULTS,
  SERVICE_CARRIER_LIMITS,
  SESSION_LIMITS,
} from "../src/mapservice/index.ts";
import {
  CIRCUIT_LIMITS,
  ONION_CARRIER_DEFAULTS,
  ONION_GEOMETRY,
  ONION_RELAY_LIMITS,
  PACKET_LIMITS,
  PATH_DEFAULTS,
  ROUTE_DEFAULTS,
} from "../src/onion/index.ts";
import { ASSEMBLY_LIMITS } from "../src/onion/message/assembly.ts";
import { RTO_DEFAULTS } from "../src/retx/index.ts";
import { CONNECTION_LIMITS, REQUEST_LIMITS, STREAM_CALL_LIMITS } from "../src/rpc/index.ts";
import { BUFFERED_DEFAULTS } from "../src/stream/duplex/buffered-stream.ts";
import { BROADCAST_DEFAULTS, SUBSCRIPTION_DEFAULTS } from "../src/stream/multicast/options.ts";
import { DEFAULTS } from "../src/stream/options.ts";
import { MEMORY_TRANSPORT_DEFAULTS } from "../src/transport/index.ts";
import {
  VOIDPHONE_API_LIMITS,
  VOIDPHONE_NETWORK_LIMITS,
  VOIDPHONE_ONION_LIMITS,
  VOIDPHONE_PEER_LIMITS,
  VOIDPHONE_STORE_LIMITS,
} from "../src/voidphone/index.ts";
import { ROOT } from "./tidy/source.ts";

const read = (path: string): string => readFileSync(join(ROOT, path), "utf8");

/** Every defaults object that docs/LIMITS.md has a table of, by the name in its heading. */
const DOCUMENTED_DEFAULTS: Readonly<Record<string, object>> = {
  DEFAULTS,
  BROADCAST_DEFAULTS,
  SUBSCRIPTION_DEFAULTS,
  BUFFERED_DEFAULTS,
  RTO_DEFAULTS,
  MEMORY_TRANSPORT_DEFAULTS,
  MAP_LIMITS,
  SESSION_LIMITS,
  SERVICE_CARRIER_LIMITS,
  MAP_SERVER_DEFAULTS,
  LINK_LIMITS,
  REQUEST_LIMITS,
  PUNCH_LIMITS,
  RENDEZVOUS_LIMITS,
  DHT_LIMITS,
  PLACEMENT_LIMITS,
  VALUE_LIMITS,
  VOIDPHONE_API_LIMITS,
  VOIDPHONE_PEER_LIMITS,
  VOIDPHONE_ONION_LIMITS,
  VOIDPHONE_NETWORK_LIMITS,
  VOIDPHONE_STORE_LIMITS,
  RELAY_LIMITS,
  CONNECTION_LIMITS,
  STREAM_CALL_LIMITS,
  ONION_GEOMETRY,
  CIRCUIT_LIMITS,
  ONION_RELAY_LIMITS,
  PACKET_LIMITS,
  ASSEMBLY_LIMITS,
  ROUTE_DEFAULTS,
  PATH_DEFAULTS,
  ONION_CARRIER_DEFAULTS,
  TRANSFER_LIMITS,
};

/** The parts that the limits are of, in the order of the page. */
const PARTS: Readonly<Record<string, string>> = {
  cli: "the command",
  stream: "streams, and one writer with many readers",
  transport: "a Map in memory",
  mapservice: "a node of the Map, and its clients",
  dht: "the DHT",
  onion: "packets, circuits, routes",
  link: "connections between nodes, relays, punching",
  rpc: "requests and calls",
  voidphone: "VoidPhone's gateways",
  node: "how a node and a client are put together",
  identity: "ids and descriptors",
  retx: "repetitions",
  crypto: "keys and arithmetic",
  codec: "bytes and CBOR",
  io: "sockets, files, journals",
  base: "what all of them use",
  testing: "virtual worlds",
};

/** The file of src in which each exported object of defaults is. */
const HOMES: ReadonlyMap<string, string> = new Map(
  readdirSync(join(ROOT, "src"), { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".ts"))
    .map((path) => `src/${path.replaceAll("\\", "/")}`)
    .flatMap((path) =>
      [...read(path).matchAll(/^export const (\w+)/gm)].map(
        ([, name = ""]) => [name, path] as const,
      ),
    ),
);

function partOf(path: string): string {
  return path.split("/")[1] ?? "";
}

/** The cells of a row of a table. */
function cellsOf(row: string): string[] {
  return row
    .split("|")
    .slice(1, -1)
    .map((cell) => cell.trim());
}

/** The rows of a section without those of its head. */
function rowsOf(section: string): string[] {
  return section.split("\n").filter((line) => line.startsWith("| `"));
}

/** The cells of the table below the heading that holds `title`. */
function tableUnder(page: string, title: string): string[][] {
  const section = page.split(/^## /m).find((text) => text.split("\n")[0]?.includes(title)) ?? "";
  return rowsOf(section).map(cellsOf);
}

function anchor(heading: string): string {
  const words = heading.toLowerCase().replaceAll(/[^\w\- ]/g, "");
  return `#${words.replaceAll(" ", "-")}`;
}

/** What is at the end of the page: the limits that nobody can set, by part and file. */
function fixedSections(rows: readonly string[]): Map<string, string> {
  const fileOf = (row: string): string => cellsOf(row)[2] ?? "";
  const sorted = rows
    .map((row, at) => ({ row, at, file: fileOf(row) }))
    .sort((a, b) => (a.file === b.file ? a.at - b.at : a.file < b.file ? -1 : 1))
    .map(({ row }) => row);
  const sections = new Map<string, string>();
  for (const part of Object.keys(PARTS)) {
    const own = sorted.filter((row) => partOf(fileOf(row)) === part);
    if (own.length === 0) continue;
    const head = ["| limit | value | in | why |", "| --- | --- | --- | --- |"];
    sections.set(part, [`## Fixed: ${part}`, "", ...head, ...own, ""].join("\n"));
  }
  return sections;
}

/** The table at the beginning: for each part where its limits are told. */
function contents(headings: readonly string[], fixed: ReadonlyMap<string, string>): string {
  const rows = Object.entries(PARTS).flatMap(([part, words]) => {
    const links = headings
      .map((heading) => ({ heading, name: /`(\w+)`/.exec(heading)?.[1] ?? "" }))
      .filter(({ name }) => partOf(HOMES.get(name) ?? "") === part)
      .map(({ heading, name }) => `[\`${name}\`](${anchor(heading)})`);
    if (fixed.has(part)) links.push(`[fixed](${anchor(`Fixed: ${part}`)})`);
    return links.length === 0 ? [] : [`| ${part} | ${words} | ${links.join(", ")} |`];
  });
  const head = ["| part | | limits |", "| --- | --- | --- |"];
  return ["## By part", "", ...head, ...rows, "", ""].join("\n");
}

/** The page in its order, with its contents: a row of a fixed limit may be put below any other. */
function ordered(page: string): string {
  const [intro = "", ...sections] = page.split(/^(?=## )/m);
  const named = (title: string): string[] => sections.filter((text) => text.startsWith(title));
  const fixed = fixedSections(named("## Fixed").flatMap(rowsOf));
  const rest = sections.filter((text) => !/^## (By part|Fixed)/.test(text));
  const headings = rest.map((text) => text.slice(3, text.indexOf("\n")));
  return [intro, contents(headings, fixed), ...rest, [...fixed.values()].join("\n")].join("");
}

describe("docs/LIMITS.md", () => {
  const page = read("docs/LIMITS.md");

  it("is ordered by part and file, and begins with where to find which", async () => {
    expect(ordered(ordered(page))).toBe(ordered(page));
    await expect(ordered(page)).toMatchFileSnapshot(join(ROOT, "docs/LIMITS.md"));
  });

  it("has every fixed limit below its part, and every default in its contents", () => {
    const rows = page.split(/^(?=## )/m).filter((text) => text.startsWith("## Fixed"));
    const all = rows.flatMap(rowsOf);
    const known = Object.keys(PARTS);
    expect(all.filter((row) => !known.includes(partOf(cellsOf(row)[2] ?? "")))).toEqual([]);
    const told = page.split(/^(?=## )/m)[1] ?? "";
    expect(
      Object.keys(DOCUMENTED_DEFAULTS).filter((name) => !told.includes(`[\`${name}\`]`)),
    ).toEqual([]);
  });

  it.each(Object.entries(DOCUMENTED_DEFAULTS))("tells the values of %s", (name, defaults) => {
    const told = tableUnder(page, `\`${name}\``).map(([option, value]) => [option, value]);
    const held = Object.entries(defaults).map(([option, value]) => {
      return [`\`${option}\``, value.toLocaleString("en-US")];
    });
    expect(told).toEqual(held);
  });

  it("tells the values of the fixed limits", () => {
    const sections = page.split(/^(?=## )/m).filter((text) => text.startsWith("## Fixed"));
    const rows = sections.flatMap(rowsOf).map(cellsOf);
    expect(rows.length).toBeGreaterThan(150);
    for (const [name = "", value = "", path = ""] of rows) {
      const constant = name.replaceAll("`", "");
      const found = new RegExp(`const ${constant}(: number)? = (.+);`).exec(read(path));
      expect(found?.[2], `${constant} in ${path}`).toBe(value);
    }
  });
});
