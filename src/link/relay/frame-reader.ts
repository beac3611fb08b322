import { type Cancel, type Clock, CulvertError, onAbort } from "../../base/index.ts";
import type { LinkStream } from "../contract.ts";
import { type RelayFrame, RelayFrameBuffer } from "./frames.ts";

/**
 * Reads the first frame of a stream; what comes behind it stays on the stream.
 *
 * @throws CulvertError `CULVERT_TIMEOUT` when it does not come in time, `CULVERT_PROTOCOL` when it
 *   is none, `CULVERT_UNREACHABLE` when the stream ends before
 * @throws Error `AbortError`
 */
export function readFirstFrame(
  stream: LinkStream,
  options: {
    readonly clock: Clock;
    readonly limitMs: number;
    readonly signal?: AbortSignal | undefined;
  },
): Promise<RelayFrame> {
  const { clock, limitMs, signal } = options;
  const buffer = new RelayFrameBuffer();
  return new Promise((resolve, reject) => {
    let forget: Cancel = () => {};
    const settle = (): void => {
      stream.pause();
      stream.off("data", take);
      stream.off("close", ended);
      stream.off("end", ended);
      stopWaiting();
      forget();
    };
    const fail = (error: Error): void => {
      settle();
      reject(error);
    };
    const ended = (): void => fail(new CulvertError("CULVERT_UNREACHABLE", "the stream ended"));
    const take = (chunk: Uint8Array): void => {
      try {
        buffer.push(chunk);
        const frame = buffer.next();
        if (frame === undefined) return;
        settle();
        const rest = buffer.takeRest();
        if (rest.length > 0) stream.unshift(rest);
        resolve(frame);
      } catch (error) {
        fail(error instanceof Error ? error : new CulvertError("CULVERT_INTERNAL"));
      }
    };
    const stopWaiting = clock.schedule(
      clock.now() + limitMs,
      () => fail(new CulvertError("CULVERT_TIMEOUT", "no answer came through the relay")),
      { background: true },
    );
    stream.on("error", () => {});
    stream.on("close", ended);
    stream.on("end", ended);
    stream.on("data", take);
    forget = onAbort(signal, fail);
  });
}
