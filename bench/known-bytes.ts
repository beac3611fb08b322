import { once } from "node:events";
import type { Duplex } from "node:stream";
import { SeededRandom } from "../src/base/index.ts";
import { check } from "./harness.ts";

/** What the ends of every stream write and expect, again and again. */
const SOURCE = new SeededRandom(1).bytes(2 ** 20);
const CHUNK_BYTES = 64 * 1_024;

/** Writes so many bytes from an offset on, and waits where the stream says so. */
export async function writeKnown(stream: Duplex, from: number, bytes: number): Promise<void> {
  for (let at = from; at < from + bytes; ) {
    const begin = at % SOURCE.length;
    const length = Math.min(CHUNK_BYTES, SOURCE.length - begin, from + bytes - at);
    at += length;
    if (!stream.write(SOURCE.subarray(begin, begin + length))) await once(stream, "drain");
  }
}

/** Reads so many bytes, comparing each with what was written there. */
export async function readKnown(stream: Duplex, from: number, bytes: number): Promise<void> {
  for (let at = from; at < from + bytes; ) {
    const wanted = Math.min(stream.readableLength, from + bytes - at);
    const chunk: unknown = wanted > 0 ? stream.read(wanted) : null;
    if (!(chunk instanceof Uint8Array)) {
      stream.read(0);
      if (stream.readableLength === 0) await once(stream, "readable");
      continue;
    }
    for (let done = 0; done < chunk.length; ) {
      const begin = (at + done) % SOURCE.length;
      const length = Math.min(SOURCE.length - begin, chunk.length - done);
      const expected = SOURCE.subarray(begin, begin + length);
      check(Buffer.compare(chunk.subarray(done, done + length), expected) === 0, "bytes differ");
      done += length;
    }
    at += chunk.length;
  }
}
