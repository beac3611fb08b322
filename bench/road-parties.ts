import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { HelperProcess } from "./helper-process.ts";
import type { RoadAnswer, RoadOrder, RoadPartyConfig } from "./road-party.ts";

/** A node or a client in a process of its own. */
export class RoadParty {
  readonly #process: HelperProcess;

  private constructor(config: RoadPartyConfig) {
    this.#process = new HelperProcess("road-party", [JSON.stringify(config)]);
  }

  /** Resolves when it has joined the network, with what it says of itself. */
  static async start(config: RoadPartyConfig): Promise<readonly [RoadParty, RoadAnswer]> {
    const party = new RoadParty(config);
    return [party, answerIn(await party.#process.next())];
  }

  /** One order at a time. */
  async ask(order: RoadOrder): Promise<RoadAnswer> {
    return answerIn(await this.#process.ask(order));
  }

  async stop(): Promise<void> {
    await this.#process.stop();
  }
}

function answerIn(message: unknown): RoadAnswer {
  const answer = message as RoadAnswer;
  if (answer.error !== undefined) throw new Error(`benchmark: ${answer.error}`);
  return answer;
}

/** Two clients who are connected in one way, and a stream between them. */
export interface RoadPair {
  readonly writer: RoadParty;
  readonly reader: RoadParty;
}

/** A network of node processes on this machine, and those who use it. */
export class RoadParties {
  readonly nodes: RoadParty[] = [];
  readonly #all: RoadParty[] = [];
  readonly #contacts: string[] = [];
  readonly #folder = mkdtempSync(join(tmpdir(), "culvert-road-"));

  /** Starts so many nodes, has `work` done, and ends everything. */
  static async with<T>(nodes: number, work: (road: RoadParties) => Promise<T>): Promise<T> {
    const road = new RoadParties();
    try {
      for (let i = 0; i < nodes; i++) road.nodes.push(await road.#startNode(i));
      return await work(road);
    } finally {
      for (const party of road.#all.reverse()) await party.stop();
      rmSync(road.#folder, { recursive: true });
    }
  }

  /** Everything that runs. */
  get all(): readonly RoadParty[] {
    return this.#all;
  }

  /** Two clients. */
  async pair(via: "onion" | "direct"): Promise<RoadPair> {
    return { writer: await this.#startClient(via), reader: await this.#startClient(via) };
  }

  async #startNode(i: number): Promise<RoadParty> {
    const directory = join(this.#folder, `node${i}`);
    const nodes = this.#contacts.slice(0, 2);
    const [party, { contact = "" }] = await RoadParty.start({ role: "node", nodes, directory });
    this.#all.push(party);
    this.#contacts.push(contact);
    return party;
  }

  async #startClient(via: "onion" | "direct"): Promise<RoadParty> {
    const nodes = this.#contacts.slice(0, 2);
    const [party] = await RoadParty.start({ role: "client", nodes, via });
    this.#all.push(party);
    return party;
  }
}

/** A new stream between the two; it has carried nothing yet. */
export async function openStream({ writer, reader }: RoadPair): Promise<void> {
  const secret = randomBytes(32).toString("base64");
  await reader.ask({ kind: "open", secret, role: "dial" });
  await writer.ask({ kind: "open", secret, role: "listen" });
}

/** Carries so many bytes, and tells how long it took from the first write to the last byte. */
export async function carry({ writer, reader }: RoadPair, bytes: number): Promise<number> {
  const read = reader.ask({ kind: "read", bytes });
  const [written, received] = await Promise.all([writer.ask({ kind: "write", bytes }), read]);
  return received.toMs - written.fromMs;
}

/** Ends the stream between the two, so that it takes nobody's time any more. */
export async function closeStream({ writer, reader }: RoadPair): Promise<void> {
  await Promise.all([writer.ask({ kind: "close" }), reader.ask({ kind: "close" })]);
}
