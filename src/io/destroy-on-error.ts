import { errorMonitor } from "node:events";
import type { Readable, Writable } from "node:stream";

/**
 * Has an error that Node's own streams find (a write behind the end, bytes put back behind it) end
 * the stream, as it does any socket: Node neither reads nor finishes it any more. `autoDestroy`
 * does that, too, but also destroys a stream as soon as its sides have ended, while it is at work.
 */
export function destroyOnError(stream: Readable | Writable): void {
  // Not `error`: somebody who listens there is somebody who handles it. One that a library merely
  // emits is no error of the stream.
  stream.on(errorMonitor, (error: Error) => {
    if (error === stream.errored) stream.destroy(error);
  });
}
