import type { Readable, Writable } from "node:stream";
import { onAbort } from "../base/index.ts";

/** Has an aborted signal end the stream, as the option of that name does for any of Node's own. */
export function destroyOnAbort(stream: Readable | Writable, signal: AbortSignal | undefined): void {
  if (signal === undefined) return;
  const forget = onAbort(signal, (error) => void stream.destroy(error));
  stream.once("close", forget);
}
