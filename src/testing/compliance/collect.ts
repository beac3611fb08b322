import { joinBytes } from "../../base/index.ts";
import type { LinkStream } from "../../link/index.ts";
import type { Stream } from "../../stream/index.ts";

/** Everything up to the end, taken as it comes: the stream is not destroyed by it. */
export function collect(stream: LinkStream | Stream): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const pieces: Uint8Array[] = [];
    stream.on("data", (piece: Uint8Array) => pieces.push(piece));
    stream.once("error", reject);
    stream.once("end", () => resolve(joinBytes(pieces)));
  });
}
