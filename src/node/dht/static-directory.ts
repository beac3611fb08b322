import { base64urlnopad } from "@scure/base";
import { CulvertError, isCulvertError, type Log, SILENT } from "../../base/index.ts";
import {
  Directory,
  type Discovery,
  type Lookup,
  type NodeContact,
  NodeDescriptor,
  type NodeId,
  parseNodeContact,
} from "../../identity/index.ts";
import { ChangingFile } from "../../io/changing-file.ts";
import { systemClock } from "../../io/clock.ts";

/** Longest file of nodes: as many descriptors as a directory holds. */
const FILE_BYTES_MAX = 16 * 2 ** 20;

/** How a file of nodes is used. */
export interface StaticDirectoryOptions {
  readonly log?: Log;
  readonly unixMs?: () => number;
}

interface Content {
  readonly directory: Directory;
  readonly contacts: readonly NodeContact[];
}

/**
 * The nodes of a text file, for a network of one's own: Lookup and Discovery without anybody to
 * ask. Each line is a signed descriptor in base64url, or a contact (`ID@udp://192.0.2.1:7000`) of a
 * node that has to be asked for its own; `#` begins a comment. The file is read again when it has
 * changed; one that has become unreadable leaves what was read before.
 */
export class StaticDirectory implements Lookup, Discovery {
  readonly #file: ChangingFile;
  readonly #log: Log;
  readonly #unixMs: () => number;
  #content: Content;
  #refreshing: Promise<void> | undefined;

  private constructor(file: ChangingFile, content: Content, options: StaticDirectoryOptions) {
    this.#file = file;
    this.#content = content;
    this.#log = options.log ?? SILENT;
    this.#unixMs = options.unixMs ?? systemClock.unixMs;
  }

  /**
   * Reads the file.
   *
   * @throws CulvertError `CULVERT_FILE`, `CULVERT_TOO_LARGE`, or `CULVERT_USAGE` with the number of
   *   the line that is neither
   */
  static async open(path: string, options: StaticDirectoryOptions = {}): Promise<StaticDirectory> {
    const file = new ChangingFile(path, { bytesMax: FILE_BYTES_MAX });
    const text = (await file.readIfChanged()) ?? "";
    const content = read(text, options.unixMs ?? systemClock.unixMs);
    return new StaticDirectory(file, content, options);
  }

  async lookup(id: NodeId): Promise<NodeDescriptor | undefined> {
    await this.#refresh();
    return this.#content.directory.find(id);
  }

  async discover(count: number): Promise<readonly NodeDescriptor[]> {
    await this.#refresh();
    return await this.#content.directory.discover(count);
  }

  /** The nodes of which the file has an address and no descriptor. */
  async contacts(): Promise<readonly NodeContact[]> {
    await this.#refresh();
    return this.#content.contacts;
  }

  #refresh(): Promise<void> {
    this.#refreshing ??= this.#readAgain().finally(() => {
      this.#refreshing = undefined;
    });
    return this.#refreshing;
  }

  async #readAgain(): Promise<void> {
    try {
      const text = await this.#file.readIfChanged();
      if (text !== undefined) this.#content = read(text, this.#unixMs);
    } catch (error) {
      if (!isCulvertError(error)) throw error;
      this.#log("warn", "nodes-file-unreadable", { code: error.code });
    }
  }
}

/** A line for the file: the descriptor's bytes in base64url. */
export function formatDescriptorLine(descriptor: NodeDescriptor): string {
  return base64urlnopad.encode(descriptor.toBytes());
}

function read(text: string, unixMs: () => number): Content {
  const directory = new Directory({ unixMs });
  const contacts: NodeContact[] = [];
  for (const [at, raw] of text.split("\n").entries()) {
    const line = raw.replace(/#.*/, "").trim();
    if (line === "") continue;
    const node = readLine(line, at + 1);
    if (node instanceof NodeDescriptor) directory.add(node);
    else contacts.push(node);
  }
  return { directory, contacts };
}

function readLine(line: string, number: number): NodeDescriptor | NodeContact {
  try {
    if (line.includes("://")) return parseNodeContact(line);
    return NodeDescriptor.fromBytes(base64urlnopad.decode(line));
  } catch (cause) {
    const message = `line ${number} is neither a descriptor nor a contact`;
    throw new CulvertError("CULVERT_USAGE", message, { cause, detail: { line: number } });
  }
}
