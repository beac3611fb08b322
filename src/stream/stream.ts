import type { DuplexOptions } from "node:stream";
import {
  type Clock,
  CulvertError,
  type ErrorCode,
  type Instant,
  type JournalStore,
  onAbort,
} from "../base/index.ts";
import type { StreamRole } from "../crypto/index.ts";
import { systemClock } from "../io/clock.ts";
import { systemRandom } from "../io/random.ts";
import type { Transport } from "../transport/index.ts";
import {
  type AssemblyContext,
  assembleFromStore,
  assembleNew,
  assembleSaved,
  bindTransport,
  capabilitiesOf,
  type StreamCapabilities,
  type StreamParts,
} from "./assemble.ts";
import { StreamEngine, type StreamEvent } from "./engine.ts";
import { MemoryJournalStore } from "./memory-journal.ts";
import type { StreamOptions } from "./options.ts";
import { payloadBytesMax } from "./frame.ts";
import { streamIdOf } from "./secret.ts";
import { SocketDuplex } from "./socket-duplex.ts";
import { decodeWholeState, encodeState, encodeWholeState } from "./state-codec.ts";
import type { StreamProgress } from "./stream-core.ts";
import { Takings } from "./takings.ts";

/** How a `Stream` is opened; protocol options have the defaults of `DEFAULTS`. */
export interface StreamOpenOptions extends Partial<Omit<StreamOptions, "durable">> {
  /** `manual`: bytes count as taken when `confirm` says so, for an application that is exact. */
  readonly confirm?: "auto" | "manual";
  /** False: nothing happens until `start` is called. */
  readonly autoStart?: boolean;
  /** How long a destroyed stream goes on in the background to get its last frames through, in ms. */
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

const LINGER_MS = 60_000;

/**
 * A reliable, ordered, end-to-end encrypted byte stream between two peers who share a secret, over a
 * Map that may lose what it is given. A Node Duplex that can stand in for a socket.
 *
 * Events besides those of a Duplex: `acknowledged` (everything written is), `warning` (a
 * {@link CulvertError} that does not end the stream), `timeout`, `connect`. Errors are
 * {@link CulvertError}s.
 *
 * @example
 * ```ts
 * const secret = generateSecret();
 * const transport = new MemoryTransport();
 * const a = Stream.listen(transport, secret);
 * const b = Stream.dial(transport, secret);
 * a.end("hello");
 * for await (const chunk of b) console.log(chunk.toString());
 * ```
 */
export class Stream extends SocketDuplex {
  readonly #parts: StreamParts;
  readonly #engine: StreamEngine;
  readonly #takings: Takings;
  readonly #lingerMs: number;
  #transport: Transport;
  #heldWrite: ((error?: Error | null) => void) | undefined;
  #heldFinal: ((error?: Error | null) => void) | undefined;
  #isAborted = false;
  #isOver = false;
  #isHalted = false;
  #failure: CulvertError | undefined;
  #background = false;

  /** Use the static methods. */
  private constructor(parts: StreamParts, options: StreamOpenOptions) {
    super(duplexOptions(options));
    this.#parts = parts;
    this.#transport = parts.transport;
    this.#lingerMs = options.lingerMs ?? LINGER_MS;
    this.#engine = new StreamEngine({
      ...parts,
      onEvent: (event) => this.#onEvent(event),
      onBroken: (error) => this.#fail(error),
    });
    this.#takings = new Takings({
      isManual: options.confirm === "manual",
      offset: parts.readOffset,
      waiting: () => this.readableLength,
      take: (offset) => this.#engine.handle({ kind: "taken", offset }),
    });
    if (options.autoStart !== false) queueMicrotask(() => this.start());
  }

  /** The listening end of the stream that `secret` carries. */
  static listen(
    transport: Transport,
    secret: Uint8Array | string,
    options: StreamOpenOptions = {},
  ): Stream {
    return Stream.fromCapabilities(transport, capabilitiesOf(secret, "listener"), options);
  }

  /** The dialling end of the stream that `secret` carries. */
  static dial(
    transport: Transport,
    secret: Uint8Array | string,
    options: StreamOpenOptions = {},
  ): Stream {
    return Stream.fromCapabilities(transport, capabilitiesOf(secret, "dialer"), options);
  }

  /** A stream between two peers who exchanged capabilities instead of sharing a secret. */
  static fromCapabilities(
    transport: Transport,
    keys: StreamCapabilities,
    options: StreamOpenOptions = {},
  ): Stream {
    return new Stream(assembleNew(keys, contextOf(transport, options)), options);
  }

  /**
   * A stream whose state survives in `store`: it begins, or goes on where an earlier process with
   * the same secret and role stopped.
   *
   * @throws CulvertError `CULVERT_STATE_IN_USE`, `CULVERT_BAD_STATE`, `CULVERT_GEOMETRY_CHANGED`,
   *   `CULVERT_JOURNAL`, `CULVERT_BAD_TICKET`
   */
  static async open({
    transport,
    store,
    secret,
    role,
    ...options
  }: StreamStoreOptions): Promise<Stream> {
    const keys = capabilitiesOf(secret, role);
    const parts = await assembleFromStore(keys, contextOf(transport, options), store);
    return new Stream(parts, options);
  }

  /**
   * A stream from what `save` gave. The state is used once: a copy that is loaded again later is an
   * old backup, and is found out.
   *
   * @throws CulvertError `CULVERT_BAD_STATE`, `CULVERT_GEOMETRY_CHANGED`
   */
  static async load(
    transport: Transport,
    state: Uint8Array,
    options: StreamOpenOptions = {},
  ): Promise<Stream> {
    const whole = decodeWholeState(state);
    const journal = await new MemoryJournalStore().open("loaded");
    const put = [...whole.frames].map(([name, bytes]) => ({ name, bytes }));
    await journal.commit({ head: encodeState(whole.state), put, remove: [] });
    return new Stream(assembleSaved(whole.state, contextOf(transport, options), journal), options);
  }

  /** Position in the peer's bytes of the first one that this session delivers. */
  get readOffset(): number {
    return this.#parts.readOffset;
  }

  /** How many bytes earlier sessions have written for good: go on from there. */
  get writeOffset(): number {
    return this.#parts.writeOffset;
  }

  /** Bytes that one cell carries at most. */
  get payloadSize(): number {
    return payloadBytesMax(this.#transport.payloadSize);
  }

  get localAddress(): string {
    return streamIdOf(this.#parts.keys.write.root);
  }

  get remoteAddress(): string {
    return streamIdOf(this.#parts.keys.read.root);
  }

  get bytesRead(): number {
    return this.#parts.core.progress.deliveredBytes;
  }

  get bytesWritten(): number {
    return this.#parts.core.progress.writtenBytes;
  }

  protected get clock(): Clock {
    return this.#parts.clock;
  }

  /** What has become of the bytes; see docs/STREAM.md for the meaning of each step. */
  progress(): StreamProgress {
    return this.#parts.core.progress;
  }

  /** Starts the reader and the writer, after `autoStart: false`. Later calls do nothing. */
  start(): this {
    if (!this.destroyed) this.#engine.start();
    return this;
  }

  /** Goes on over another transport of the same cell size, for instance after a reconnection. */
  setTransport(transport: Transport): void {
    if (transport.payloadSize !== this.#transport.payloadSize) {
      throw new CulvertError("CULVERT_GEOMETRY_CHANGED");
    }
    this.#transport = bindTransport(transport, this.#parts.keys);
    this.#engine.setTransport(this.#transport);
  }

  /** In manual mode: the application has made all bytes below `offset` its own. */
  confirm(offset: number): void {
    this.#takings.confirm(offset);
  }

  /**
   * Resolves when everything written so far, and the end if it was written, is acknowledged.
   *
   * @throws CulvertError of whatever ends the stream first, `CULVERT_HALTED`, `CULVERT_CLOSED`
   */
  async sync(options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    await new Promise<void>((resolve) => setImmediate(resolve));
    await this.#until("acknowledged", () => this.progress().isAllAcknowledged, options.signal);
  }

  /**
   * Ends our side and resolves when everything is in the Map. Acknowledgements are still waited for
   * in the background, for the linger time; `sync` waits for them.
   */
  async close(options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    if (this.writable) this.end();
    await this.#until("finish", () => this.writableFinished || this.#isHalted, options.signal);
  }

  /** Stops reading and writing at once; what was accepted is kept for `save`, or in the store. */
  async halt(): Promise<void> {
    if (this.#isHalted) return;
    this.#isHalted = true;
    await this.#engine.stop();
    const { core, journal } = this.#parts;
    if (journal !== undefined && !this.#isOver && this.#failure === undefined) {
      const put = [...core.residentFrames()].map(([name, bytes]) => ({ name, bytes }));
      await journal.commit({ head: encodeState(core.state()), put, remove: [] });
    }
    this.destroy();
  }

  /**
   * The whole state as CBOR, after `halt` (which it calls if need be). It holds the stream's keys:
   * keep it secret, and use it once.
   */
  async save(): Promise<Uint8Array> {
    await this.halt();
    const { core, journal } = this.#parts;
    const frames = new Map(core.residentFrames());
    for (const name of (await journal?.names()) ?? []) {
      const bytes = frames.has(name) ? undefined : await journal?.read(name);
      if (bytes !== undefined) frames.set(name, bytes);
    }
    await journal?.close();
    return encodeWholeState({ state: core.state(), frames });
  }

  setNoDelay(noDelay = true): this {
    this.#parts.core.noDelay = noDelay;
    return this;
  }

  protected setBackground(background: boolean): void {
    this.#background = background;
    this.#engine.setBackground(background);
  }

  override _write(
    chunk: Uint8Array,
    _encoding: BufferEncoding,
    callback: (error?: Error | null) => void,
  ): void {
    this.noteActivity();
    // Copied: the caller may reuse its buffer as soon as it is called back.
    this.#engine.handle({ kind: "write", bytes: Uint8Array.from(chunk) });
    if (this.#parts.core.isFull && !this.#isOver) this.#heldWrite = callback;
    else callback();
  }

  override _final(callback: (error?: Error | null) => void): void {
    this.#heldFinal = callback;
    this.#engine.handle({ kind: "end" });
    this.#settleFinal();
  }

  override _read(): void {
    this.#takings.note();
  }

  override read(size?: number): unknown {
    const chunk: unknown = super.read(size);
    this.#takings.note();
    return chunk;
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.stopIdleTimer();
    const reason = error ?? this.#closedError();
    this.#releaseHeld(reason);
    if (this.#isOver || this.#isHalted || this.#failure !== undefined) {
      this.#shutDown().then(() => callback(error), callback);
      return;
    }
    if (error !== null || !this.writableFinished) {
      this.#isAborted = true;
      this.#engine.handle({ kind: "abort" });
    }
    this.#linger();
    callback(error);
  }

  #onEvent(event: StreamEvent): void {
    switch (event.kind) {
      case "deliver":
        this.#deliver(event.bytes);
        break;
      case "delivered-end":
        if (!this.destroyed) this.push(null);
        break;
      case "drain":
        this.#releaseWrite();
        break;
      case "all-stored":
        this.#settleFinal();
        break;
      case "all-acknowledged":
        this.#settleFinal();
        this.emit("acknowledged");
        break;
      case "warning":
        this.emit("warning", new CulvertError(event.code, event.message));
        break;
      case "fail":
        this.#fail(failureOf(event.code, event.message));
        break;
      case "done":
        this.#finish();
        break;
    }
  }

  #deliver(bytes: Uint8Array): void {
    this.noteActivity();
    this.#takings.delivered(bytes.length);
    // A destroyed stream still lets the peer finish; nobody is there to read.
    if (!this.destroyed) this.push(bytes);
    this.#takings.note(this.destroyed);
  }

  /** The stream is complete, or its abort has been told. */
  #finish(): void {
    this.#isOver = true;
    this.#settleFinal();
    if (this.destroyed) this.#shutDown().catch(() => undefined);
    else if (this.readableEnded || this.#isAborted) this.destroy();
    else this.once("end", () => this.destroy());
  }

  #fail(error: CulvertError): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    this.#releaseHeld(error);
    if (this.destroyed) this.#shutDown().catch(() => undefined);
    else this.destroy(error);
  }

  #settleFinal(): void {
    if (this.#heldFinal === undefined) return;
    const { isAllStored, isAllAcknowledged } = this.progress();
    if (!isAllStored && !isAllAcknowledged) return;
    const callback = this.#heldFinal;
    this.#heldFinal = undefined;
    callback();
  }

  #releaseWrite(error?: Error): void {
    const callback = this.#heldWrite;
    this.#heldWrite = undefined;
    callback?.(error);
  }

  #releaseHeld(error: Error): void {
    this.#releaseWrite(error);
    const callback = this.#heldFinal;
    this.#heldFinal = undefined;
    callback?.(error);
  }

  /** Lets the core get its last frames through, for a while. */
  #linger(): void {
    const { clock } = this.#parts;
    const until: Instant = clock.now() + this.#lingerMs;
    const leave = (): void => {
      this.#shutDown().catch(() => undefined);
    };
    clock.schedule(until, leave, { background: true });
  }

  async #shutDown(): Promise<void> {
    await this.#engine.stop();
    await this.#parts.journal?.close();
  }

  #closedError(): CulvertError {
    return this.#failure ?? new CulvertError(this.#isHalted ? "CULVERT_HALTED" : "CULVERT_CLOSED");
  }

  #until(event: string, isTrue: () => boolean, signal?: AbortSignal): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    if (isTrue()) return Promise.resolve();
    if (this.#isHalted || this.#isOver) return Promise.reject(this.#closedError());
    return new Promise((resolve, reject) => {
      const settle = (error?: Error): void => {
        this.off(event, check);
        this.off("error", settle);
        this.off("close", check);
        forget();
        if (error === undefined) resolve();
        else reject(error);
      };
      const check = (): void => {
        if (isTrue()) settle();
        else if (this.#isHalted || this.#isAborted || this.#isOver) settle(this.#closedError());
      };
      const forget = onAbort(signal, (error) => settle(error));
      this.on(event, check);
      this.on("error", settle);
      this.on("close", check);
    });
  }
}

function contextOf(transport: Transport, options: StreamOpenOptions): AssemblyContext {
  return { transport, options, clock: options.clock ?? systemClock, random: systemRandom };
}

function duplexOptions(options: StreamOpenOptions): DuplexOptions {
  const { readableHighWaterMark, writableHighWaterMark } = options;
  return {
    autoDestroy: false,
    decodeStrings: true,
    allowHalfOpen: options.allowHalfOpen ?? true,
    ...(readableHighWaterMark === undefined ? {} : { readableHighWaterMark }),
    ...(writableHighWaterMark === undefined ? {} : { writableHighWaterMark }),
  };
}

function failureOf(code: ErrorCode, message: string): CulvertError {
  return new CulvertError(code, message, { remote: code === "CULVERT_PEER_ABORTED" });
}
