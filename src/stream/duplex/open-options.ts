import type { DuplexOptions } from "node:stream";
import type { Clock, JournalStore } from "../../base/index.ts";
import type { StreamRole } from "../../crypto/index.ts";
import type { Transport } from "../../transport/index.ts";
import type { StreamOptions } from "../options.ts";

/** How a `Stream` is opened; protocol options have the defaults of `DEFAULTS`. */
export interface StreamOpenOptions extends Partial<Omit<StreamOptions, "durable">> {
  /** `manual`: bytes count as taken when `confirm` says so, for an application that is exact. */
  readonly confirm?: "auto" | "manual";
  /** False: nothing happens until `start` is called, or `destroy`, which tells the peer. */
  readonly autoStart?: boolean;
  /**
   * How long a destroyed stream goes on in the background to get its frames through, in ms. What is
   * left of them then is kept in the store, if there is one, as by `halt`.
   */
  readonly lingerMs?: number;
  /** As for any Duplex: false ends our side when the peer ends its own. True if absent. */
  readonly allowHalfOpen?: boolean;
  /**
   * True: both ways to end are a socket's. `finish` comes when the stream has taken over all that
   * was written, not when it is in the Map; and `destroy` ends first, so that the peer gets what
   * was written and an end. `reset` gives up. False if absent.
   */
  readonly endsAsSocket?: boolean;
  /** As for any Duplex: bytes that Node itself buffers, beside what the protocol holds. */
  readonly readableHighWaterMark?: number;
  /** As for any Duplex: bytes that Node itself buffers, beside what the protocol holds. */
  readonly writableHighWaterMark?: number;
  /** Aborted, it gives the stream up as `destroy` does, with an error named `AbortError`. */
  readonly signal?: AbortSignal | undefined;
  /** The machine's own time, unless a test brings another one. */
  readonly clock?: Clock;
}

/** What `Stream.open` needs: a stream that survives the process. */
export interface StreamStoreOptions extends StreamOpenOptions {
  /** The way to the Map; borrowed, and the owner's to close when the stream is closed. */
  readonly transport: Transport;
  /** Where the state lives: `LevelJournalStore` of `culvert/journal`, or one of your own. */
  readonly store: JournalStore;
  /** The shared secret, as bytes or text. */
  readonly secret: Uint8Array | string;
  /** Which end this is: one listens, the other dials. */
  readonly role: StreamRole;
}

/**
 * What Duplex is told. It does not destroy itself: a half-closed stream is still at work.
 */
export function duplexOptions(options: StreamOpenOptions): DuplexOptions {
  const { readableHighWaterMark, writableHighWaterMark } = options;
  return {
    autoDestroy: false,
    decodeStrings: true,
    allowHalfOpen: options.allowHalfOpen ?? true,
    ...(readableHighWaterMark === undefined ? {} : { readableHighWaterMark }),
    ...(writableHighWaterMark === undefined ? {} : { writableHighWaterMark }),
  };
}
