import { createHash } from "node:crypto";
import { once } from "node:events";
import type { Writable } from "node:stream";
import { CulvertError, equalBytes } from "../../base/index.ts";
import type { Checkpoint } from "../session/session-record.ts";
import { changed, readContents, type Source } from "./source.ts";

/** How many bytes are read between two notes of what they hashed to. */
const CHECKPOINT_EVERY_BYTES = 4 * 1024 * 1024;

/** What is sent, and where it goes. */
export interface Sending {
  /** Where to write: bytes below `writeOffset` have been accepted in an earlier run. */
  readonly stream: Writable & { readonly writeOffset: number };
  readonly source: Source;
  readonly header: Uint8Array;
  /** What the first bytes hashed to in an earlier run. */
  readonly checkpoint: Checkpoint | undefined;
  readonly signal: AbortSignal;
  /** Keeps a checkpoint for later runs. */
  saveCheckpoint(checkpoint: Checkpoint): Promise<void>;
}

/**
 * Writes header, contents and trailer to the stream and ends it. What was accepted before is read
 * and hashed again, but not written.
 *
 * @throws CulvertError `CULVERT_FILE` when a file is not what it was, or what ended the stream
 */
export async function writeTransfer(sending: Sending): Promise<void> {
  const { stream, checkpoint, signal } = sending;
  const hash = createHash("sha256");
  let at = 0;
  let noted = checkpoint?.length ?? 0;
  for await (const bytes of piecesOf(sending, checkpoint?.length ?? 0)) {
    hash.update(bytes);
    await writeAt(stream, { at, bytes, signal });
    at += bytes.length;
    if (at === checkpoint?.length && !equalBytes(hash.copy().digest(), checkpoint.digest)) {
      throw changed("what is sent");
    }
    if (at < noted + CHECKPOINT_EVERY_BYTES) continue;
    noted = at;
    await sending.saveCheckpoint({ length: at, digest: new Uint8Array(hash.copy().digest()) });
  }
  await writeAt(stream, { at, bytes: hash.digest(), signal });
  stream.end();
}

/** Header and contents, with a cut at position `cut` so that the hash can be looked at there. */
async function* piecesOf({ header, source }: Sending, cut: number): AsyncGenerator<Uint8Array> {
  let at = 0;
  for await (const piece of join(header, readContents(source))) {
    const before = piece.subarray(0, Math.max(cut - at, 0));
    if (before.length > 0) yield before;
    if (before.length < piece.length) yield piece.subarray(before.length);
    at += piece.length;
  }
}

async function* join(
  first: Uint8Array,
  rest: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  yield first;
  yield* rest;
}

/** Writes what of `bytes` has not been accepted yet, and waits for room. */
async function writeAt(
  stream: Sending["stream"],
  piece: { at: number; bytes: Uint8Array; signal: AbortSignal },
): Promise<void> {
  const accepted = Math.max(stream.writeOffset - piece.at, 0);
  if (accepted >= piece.bytes.length) return;
  piece.signal.throwIfAborted();
  // Nothing drains what has ended while a file was read, and its error was told by then.
  if (stream.destroyed) throw stream.errored ?? new CulvertError("CULVERT_CLOSED");
  if (stream.write(piece.bytes.subarray(accepted))) return;
  await once(stream, "drain", { signal: piece.signal });
}
