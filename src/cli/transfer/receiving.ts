import { createHash, type Hash } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";
import { dirname } from "node:path";
import type { Readable } from "node:stream";
import { assert, CulvertError, equalBytes, unreachable } from "../../base/index.ts";
import { readIfThere, syncFolder } from "../../io/durable-file.ts";
import type { Manifest } from "./manifest.ts";
import type { Staging } from "./staging.ts";
import { type TransferPart, TransferReader } from "./transfer-reader.ts";

/** Where a transfer comes from and goes to. */
export interface ReceivingOptions {
  /** What comes: from `readOffset` on; what is confirmed never comes again. */
  readonly stream: Readable & { readonly readOffset: number; confirm(offset: number): void };
  /** The file that keeps the header for later runs. */
  readonly headerPath: string;
  /** Decides whether and where to take what is announced. Its errors end this run. */
  prepare(manifest: Manifest): Promise<Staging>;
  /** Called when everything is there and durable as it was sent; gives the files their names. */
  complete(staging: Staging): Promise<void>;
}

/**
 * Takes a transfer from a stream: each byte is made durable before it is confirmed, so a run that
 * is killed at any instant is gone on with by the next one, and the sender's "acknowledged" means
 * "on the receiver's disk"; for the last byte, "checked and in its place".
 *
 * Contract: `run` once.
 */
export class Receiving {
  readonly #options: ReceivingOptions;
  readonly #reader = new TransferReader();
  readonly #hash: Hash = createHash("sha256");
  #header: FileHandle | undefined;
  #headerBytes = 0;
  #contentBytes = Number.POSITIVE_INFINITY;
  #isOver = false;
  #staging: Staging | undefined;

  constructor(options: ReceivingOptions) {
    this.#options = options;
  }

  /** @throws CulvertError `CULVERT_PROTOCOL`, `CULVERT_INTEGRITY`, `CULVERT_BAD_STATE` */
  async run(): Promise<void> {
    const { stream, headerPath } = this.#options;
    const kept = (await readIfThere(headerPath)) ?? new Uint8Array(0);
    this.#header = await open(headerPath, kept.length === 0 ? "w" : "r+", 0o600);
    try {
      if (kept.length === 0) await syncFolder(dirname(headerPath));
      await this.#goOn(kept.subarray(0, stream.readOffset));
      let offset = stream.readOffset;
      let confirmed = offset;
      const chunks: AsyncIterable<Uint8Array> = stream.iterator({ destroyOnReturn: false });
      for await (const chunk of chunks) {
        for (const part of this.#reader.push(chunk)) await this.#take(part);
        offset += chunk.length;
        await this.#makeDurable();
        const kept = this.#isOver ? offset : Math.min(offset, this.#keptMax);
        if (kept === confirmed) continue;
        stream.confirm(kept);
        confirmed = kept;
      }
      this.#reader.finish();
    } finally {
      await this.#header.close();
      await this.#staging?.close();
    }
  }

  /** Goes through what an earlier run has confirmed, as if it came now. */
  async #goOn(header: Uint8Array): Promise<void> {
    for (const part of this.#reader.push(header)) await this.#take(part);
    const keptContents = this.#options.stream.readOffset - header.length;
    if (keptContents === 0) return;
    if (this.#staging === undefined) throw lost("the list of files of this transfer is gone");
    if (keptContents > this.#contentBytes) throw lost("the end of this transfer is gone");
    for await (const bytes of this.#staging.readBack(keptContents)) this.#hash.update(bytes);
    this.#reader.skip(keptContents);
  }

  /** Of the trailer nothing is on disk: what of it has come must come again. */
  get #keptMax(): number {
    return this.#headerBytes + this.#contentBytes;
  }

  async #take(part: TransferPart): Promise<void> {
    switch (part.kind) {
      case "header":
        this.#hash.update(part.bytes);
        await this.#header?.write(part.bytes, 0, part.bytes.length, this.#headerBytes);
        this.#headerBytes += part.bytes.length;
        break;
      case "manifest":
        await this.#header?.datasync();
        this.#contentBytes = part.manifest.contentBytes;
        this.#staging = await this.#options.prepare(part.manifest);
        break;
      case "content":
        this.#hash.update(part.bytes);
        await this.#staging?.write(part.file, part.at, part.bytes);
        break;
      case "trailer":
        await this.#finish(part.digest);
        break;
      default:
        unreachable(part);
    }
  }

  async #makeDurable(): Promise<void> {
    if (this.#staging === undefined) await this.#header?.datasync();
    else await this.#staging.sync();
  }

  async #finish(digest: Uint8Array): Promise<void> {
    assert(this.#staging !== undefined, "a trailer follows contents");
    if (!equalBytes(this.#hash.digest(), digest)) {
      throw new CulvertError("CULVERT_INTEGRITY", "what arrived is not what was sent");
    }
    await this.#staging.sync();
    await this.#options.complete(this.#staging);
    this.#isOver = true;
  }
}

function lost(what: string): CulvertError {
  return new CulvertError("CULVERT_BAD_STATE", what);
}
