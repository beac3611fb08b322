/**
 * A byte stream both ways, as far as requests need it. Every Node Duplex is one: a link's stream, a
 * socket, one end of a pair in memory.
 */
export interface ByteDuplex {
  readonly destroyed: boolean;
  /** Whether all that was written, and the end, has left; `finish` tells. */
  readonly writableFinished: boolean;
  /** Hands bytes over; false asks to wait for `drain`. */
  write(bytes: Uint8Array): boolean;
  /** Ends this side; the other one may go on. */
  end(): unknown;
  /** Ends both sides at once; the other end learns that it was not a proper end. */
  destroy(error?: Error): unknown;
  /** Puts bytes back in front of those that were not read yet. */
  unshift(bytes: Uint8Array): unknown;
  pause(): unknown;
  resume(): unknown;
  on(event: "data", listener: (bytes: Uint8Array) => void): unknown;
  on(event: "end" | "finish" | "close" | "drain", listener: () => void): unknown;
  on(event: "error", listener: (error: Error) => void): unknown;
  off(event: "data", listener: (bytes: Uint8Array) => void): unknown;
  off(event: "end" | "finish" | "close" | "drain", listener: () => void): unknown;
  off(event: "error", listener: (error: Error) => void): unknown;
}
