import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { HelperProcess } from "./helper-process.ts";
import type { PartyConfig, PartyOrder, PartySample } from "./party.ts";

/** What the parties of one run share. */
export interface PartiesOptions {
  readonly cellBytes: number;
  readonly isWatched?: boolean;
  /** Whether the Map keeps its records on disk. */
  readonly isDurable?: boolean;
  /** The value of `CULVERT_CRYPTO`; what a process chooses by itself without it. */
  readonly provider?: string;
}

/** A party in a process of its own. */
class Party {
  readonly #process: HelperProcess;

  constructor(config: PartyConfig, provider: string | undefined) {
    const chosen = provider === undefined ? {} : { CULVERT_CRYPTO: provider };
    this.#process = new HelperProcess("party", [JSON.stringify(config)], {
      env: { ...process.env, ...chosen },
      execArgv: ["--expose-gc"],
    });
  }

  async ready(): Promise<void> {
    await this.#process.next();
  }

  /** One order at a time. */
  async ask(kind: PartyOrder["kind"], bytes = 0): Promise<PartySample> {
    return (await this.#process.ask({ kind, bytes } satisfies PartyOrder)) as PartySample;
  }

  /** Gives an order whose answer nobody waits for. */
  order(kind: PartyOrder["kind"], bytes: number): void {
    this.#process.order({ kind, bytes } satisfies PartyOrder);
  }

  async stop(): Promise<void> {
    await this.#process.stop();
  }
}

/** A Map, a writer and a reader, in three processes. */
export interface Parties {
  readonly map: Party;
  readonly writer: Party;
  readonly reader: Party;
}

/** Has so many bytes written, and read at the other end. */
export async function carry({ writer, reader }: Parties, bytes: number): Promise<void> {
  await Promise.all([writer.ask("write", bytes), reader.ask("read", bytes)]);
}

/** Runs `work` with three parties and ends them. */
export async function withParties<T>(
  options: PartiesOptions,
  work: (parties: Parties) => Promise<T>,
): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), "culvert-parties-"));
  const common = {
    socket: join(folder, "map.sock"),
    cellBytes: options.cellBytes,
    secret: randomBytes(32).toString("base64"),
    isWatched: options.isWatched ?? false,
    ...(options.isDurable === true ? { directory: join(folder, "records") } : {}),
  };
  const started: Party[] = [];
  const start = async (role: PartyConfig["role"]): Promise<Party> => {
    const party = new Party({ ...common, role }, options.provider);
    started.push(party);
    await party.ready();
    return party;
  };
  try {
    const map = await start("map");
    const [writer, reader] = [await start("writer"), await start("reader")];
    return await work({ map, writer, reader });
  } finally {
    for (const party of started.reverse()) await party.stop();
    rmSync(folder, { recursive: true });
  }
}
