import { addAbortSignal, type Readable, type Writable } from "node:stream";
import { CulvertError, onAbort } from "../../base/index.ts";
import type { Context } from "../context.ts";
import { CommandError } from "../failure.ts";
import { isClosedPipe } from "./output.ts";

/**
 * Writes stdin to `sink`, never more of it than the sink has accepted, and then ends the sink. When
 * the sink closes before, this returns: who waits for the sink hears why.
 */
export async function pumpInput({ stdin, stop }: Context, sink: Writable): Promise<void> {
  addAbortSignal(stop, stdin);
  sink.once("close", () => stdin.destroy());
  try {
    for await (const chunk of stdin) await accept(sink, chunk);
  } catch (error) {
    if (sink.destroyed) return;
    throw error;
  }
  sink.end();
}

/** What can be read, and told what of it is safe. */
type Source = Readable & { readonly readOffset: number; confirm(offset: number): void };

/**
 * Gives every chunk of `source` to `take`, and confirms it when that has settled, up to its end.
 *
 * @throws CulvertError `CULVERT_HALTED` when it was stopped before, or what ended it
 */
export async function drain(
  source: Source,
  take: (chunk: Uint8Array) => Promise<void> = async () => {},
): Promise<void> {
  let offset = source.readOffset;
  const chunks: AsyncIterable<Uint8Array> = source.iterator({ destroyOnReturn: false });
  for await (const chunk of chunks) {
    await take(chunk);
    offset += chunk.length;
    source.confirm(offset);
  }
  // To begin with what is about to close ends at once, and is no error to Node.
  if (!source.readableEnded) throw source.errored ?? new CulvertError("CULVERT_HALTED");
}

/**
 * Writes to stdout and waits until it has left this process.
 *
 * @throws AbortError when it is asked to stop before: whoever reads may never go on
 */
export async function print(
  { stdout, stop }: Pick<Context, "stdout" | "stop">,
  chunk: Uint8Array,
): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const forget = onAbort(stop, reject);
    stdout.write(chunk, (cause) => {
      forget();
      if (!cause) return resolve();
      if (!isClosedPipe(cause)) return reject(cause);
      const hint = "type the same command again to go on with another reader";
      reject(new CommandError("CULVERT_FILE", "nobody reads stdout any more", hint, cause));
    });
  });
}

async function accept(sink: Writable, chunk: string | Uint8Array): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    sink.write(chunk, (error) => (error ? reject(error) : resolve()));
  });
}
