import { CulvertError, onAbort, requireObject, throwIfAborted } from "../../base/index.ts";
import {
  type CborInput,
  type CborOf,
  CborSequence,
  type CborValue,
  encodeCbor,
} from "../../codec/index.ts";
import { wholeInRange } from "../options.ts";
import type { WaitOptions } from "../saved/state-waits.ts";
import type { Stream } from "./stream.ts";
import type { UsedInParts } from "./taken-bytes.ts";

/** How a `BufferedStream` behaves; every field has a default in {@link BUFFERED_DEFAULTS}. */
export interface BufferedStreamOptions {
  /** Longest encoding of one value, in bytes, in either direction. */
  readonly maxBytes: number;
  /** Deepest nesting of one value, in either direction; of what is written 256 at most. */
  readonly maxDepth: number;
}

/** The defaults: what fits a message, not what fits a file. */
export const BUFFERED_DEFAULTS: BufferedStreamOptions = Object.freeze({
  maxBytes: 2 ** 20,
  maxDepth: 64,
});

/** What the options may be at most. */
const MAX_BYTES_CEILING = 2 ** 30;
const MAX_DEPTH_CEILING = 2 ** 16;

/**
 * Values instead of bytes: a CBOR sequence (RFC 8742) over a `Stream`.
 *
 * What is written has the one form of `encodeCbor`; what is read may have any that cbor-x gives to
 * plain values, its records included. A cbor-x decoder at the other side needs
 * `{ mapsAsObjects: true }` to make objects of maps; a cbor-x encoder needs `useRecords: false`
 * where a reader may be resumed, which knows no records that were defined to a session before.
 * Whoever sends anything else ends the stream with `CULVERT_PROTOCOL`.
 *
 * Do not read the stream by other means meanwhile. Its errors come out of `read` and `write`.
 *
 * @example
 * ```ts
 * const buffered = new BufferedStream(Stream.dial(transport, secret));
 * await buffered.write({ hello: "world", numbers: [1, 2, 3] });
 * for await (const value of buffered) console.log(value);
 * ```
 */
export class BufferedStream implements AsyncIterable<CborValue> {
  readonly stream: Stream;
  readonly #options: BufferedStreamOptions;
  readonly #sequence: CborSequence;
  readonly #taking: UsedInParts;
  /** The last piece that was read, and how many bytes of the value that comes next are told. */
  #piece: Uint8Array = new Uint8Array(0);
  #begunBytes = 0;
  #failure: CulvertError | undefined;
  /** Settles when the read before has. */
  #reading: Promise<unknown> = Promise.resolve();

  /**
   * @throws RangeError for a limit that is no whole number
   * @throws TypeError for what is no stream
   */
  constructor(stream: Stream, options: Partial<BufferedStreamOptions> = {}) {
    requireStream(stream);
    requireObject("options", options);
    this.stream = stream;
    const { maxBytes = BUFFERED_DEFAULTS.maxBytes, maxDepth = BUFFERED_DEFAULTS.maxDepth } =
      options;
    wholeInRange("maxBytes", maxBytes, 1, MAX_BYTES_CEILING);
    wholeInRange("maxDepth", maxDepth, 0, MAX_DEPTH_CEILING);
    this.#options = { maxBytes, maxDepth };
    this.#sequence = new CborSequence(this.#options);
    // Values that were not read count as bytes that were not: the next session gets them.
    this.#taking = stream.holdBack(() => this.#sequence.pendingBytes);
    // Whoever waits hears of it; nobody else has to listen.
    stream.on("error", () => undefined);
  }

  /** Starts a stream that was made with `autoStart: false`. */
  start(): this {
    this.stream.start();
    return this;
  }

  /**
   * Resolves when the stream has accepted the value. One that is aborted may be sent all the same.
   *
   * @throws TypeError for what CBOR cannot express, or what is nested too deeply
   * @throws CulvertError `CULVERT_TOO_LARGE`, and of whatever ends the stream
   */
  async write<T>(value: T & CborOf<T>, options: WaitOptions = {}): Promise<void> {
    throwIfAborted(options.signal);
    const { maxBytes, maxDepth } = this.#options;
    const bytes = encodeCbor(value as CborInput, { maxDepth });
    if (bytes.length > maxBytes) {
      throw new CulvertError("CULVERT_TOO_LARGE", `a value of ${bytes.length} bytes`, {
        detail: { limit: maxBytes, length: bytes.length },
      });
    }
    if (this.stream.destroyed) throw this.#ending();
    // Node would end the stream for it, and with it what the peer still sends.
    if (this.stream.writableEnded) throw new CulvertError("CULVERT_CLOSED", "our side has ended");
    await new Promise<void>((resolve, reject) => {
      const forget = onAbort(options.signal, reject);
      this.stream.write(bytes, (error) => {
        forget();
        if (error) reject(isDestroyed(error) ? this.#ending() : error);
        else resolve();
      });
    });
  }

  /**
   * The next value, or `undefined` at the end of the stream. Several reads may wait; they are
   * answered in order. An aborted one takes nothing.
   *
   * @throws CulvertError `CULVERT_PROTOCOL`, `CULVERT_TOO_LARGE`, and of whatever ends the stream
   */
  read({ signal }: WaitOptions = {}): Promise<CborValue | undefined> {
    return new Promise((resolve, reject) => {
      // One that waits for its turn is aborted at once, and takes nothing when it comes.
      const forget = onAbort(signal, reject);
      const turn = this.#reading.then(() => this.#read(resolve, signal));
      this.#reading = turn.catch(reject).finally(forget);
    });
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<CborValue, void, undefined> {
    for (let value = await this.read(); value !== undefined; value = await this.read()) yield value;
  }

  /** Ends our side and resolves when everything is in the Map. */
  async close(options: WaitOptions = {}): Promise<void> {
    await this.stream.close(options);
  }

  /** Answers in the moment in which a value is taken: no abort can come between and lose it. */
  async #read(
    answer: (value: CborValue | undefined) => void,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    for (;;) {
      throwIfAborted(signal);
      if (this.#failure !== undefined) throw this.#failure;
      const value = this.#next();
      if (value !== undefined) {
        this.#begunBytes = 0;
        answer(value);
        this.#taking.used();
        return;
      }
      this.#begin();
      const piece: unknown = this.stream.read();
      if (piece instanceof Uint8Array) this.#push(piece);
      else if (this.stream.readableEnded) return answer(this.#end());
      else await this.#more(signal);
    }
  }

  #push(piece: Uint8Array): void {
    this.#sequence.push(piece);
    this.#piece = piece;
  }

  /**
   * A peer that may write only so far ahead would wait for us, as we for the rest of its value: so
   * what is there of that is taken, and kept for the next session.
   */
  #begin(): void {
    const { pendingBytes } = this.#sequence;
    const fresh = pendingBytes - this.#begunBytes;
    if (fresh === 0) return;
    this.#taking.begin(this.#piece.subarray(this.#piece.length - fresh));
    this.#begunBytes = pendingBytes;
  }

  #next(): CborValue | undefined {
    try {
      return this.#sequence.next();
    } catch (error) {
      throw this.#fail(error as CulvertError);
    }
  }

  #end(): undefined {
    if (this.#sequence.isBetween) return undefined;
    throw this.#fail(new CulvertError("CULVERT_PROTOCOL", "the stream ends within a value"));
  }

  /** Nothing that the peer sends after that can be understood. */
  #fail(error: CulvertError): CulvertError {
    this.#failure = error;
    this.stream.destroy(error);
    return error;
  }

  /** What has ended the stream, of one that is destroyed. */
  #ending(): Error {
    return this.stream.errored ?? this.stream.ending;
  }

  /** Resolves when there may be more to read, or the end. */
  #more(signal: AbortSignal | undefined): Promise<void> {
    const { stream } = this;
    if (stream.destroyed) return Promise.reject(this.#ending());
    return new Promise((resolve, reject) => {
      const settle = (error?: Error | null): void => {
        for (const event of EVENTS) stream.off(event, look);
        stream.off("error", settle);
        stream.off("close", close);
        forget();
        if (error) reject(error);
        else resolve();
      };
      const look = (): void => settle();
      const close = (): void => settle(this.#ending());
      const forget = onAbort(signal, settle);
      for (const event of EVENTS) stream.on(event, look);
      stream.on("error", settle);
      stream.on("close", close);
    });
  }
}

const EVENTS = ["readable", "end"] as const;

/** By what it has, since two versions of the package may meet in a program. */
function requireStream(stream: unknown): void {
  if (typeof Object(stream).holdBack === "function") return;
  throw new TypeError("stream must be a Stream");
}

/** Node's word for a write that came too late; it does not say what has ended the stream. */
function isDestroyed(error: NodeJS.ErrnoException): boolean {
  return error.code === "ERR_STREAM_DESTROYED";
}
