import type { DuplexOptions } from "node:stream";
import type { Clock, JournalStore } from "../base/index.ts";
import type { StreamRole } from "../crypto/index.ts";
import type { Transport } from "../transport/index.ts";
import type { StreamOptions } from "./options.ts";

/** How a `Stream` is opened; protocol options have the defaults of `DEFAULTS`. */
export interface StreamOpenOptions extends Partial<Omit<StreamOptions, "durable">> {
  /** `manual`: bytes count as taken when `confirm` says so, for an application that is exact. */
  readonly confirm?: "auto" | "manual";
  /** False: nothing happens until `start` is called. */
  readonly autoStart?: boolean;
  /** How long a destroyed stream goes on in the background to get its frames through, in ms. */
  readonly lingerMs?: number;
  /** As for any Duplex: false ends our side when the peer ends its own. True if absent. */
  readonly allowHalfOpen?: boolean;
  readonly readableHighWaterMark?: number;
  readonly writableHighWaterMark?: number;
  readonly clock?: Clock;
}

/** What `Stream.open` needs: a stream that survives the process. */
export interface StreamStoreOptions extends StreamOpenOptions {
  readonly transport: Transport;
  readonly store: JournalStore;
  /** The shared secret, as bytes or text. */
  readonly secret: Uint8Array | string;
  readonly role: StreamRole;
}

/** What Duplex is told. It does not destroy itself: a half-closed stream is still at work. */
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
