import { Writable } from "node:stream";
import { CulvertError, requireObject } from "../../base/index.ts";
import type { ReadCapability, WriteCapability } from "../../crypto/index.ts";
import { withChecksum, withoutChecksum } from "../../io/checksum.ts";
import { afterReactions } from "../../io/defer.ts";
import { destroyOnAbort } from "../../io/destroy-on-abort.ts";
import { destroyOnError } from "../../io/destroy-on-error.ts";
import type { Hear } from "../../io/typed-events.ts";
import type { Transport } from "../../transport/index.ts";
import { CoreSession, LINGER_MS } from "../duplex/core-session.ts";
import type { StreamEvent } from "../duplex/engine.ts";
import { type Callback, HeldCallback } from "../duplex/held-callback.ts";
import { HeldWrite } from "../duplex/held-write.ts";
import { failureOf } from "../exchange/failure.ts";
import { payloadBytesMax } from "../frame/frame.ts";
import { requireSameGeometry } from "../frame/geometry.ts";
import { requireTransport } from "../openable.ts";
import { handOver } from "../saved/journalling.ts";
import type { WaitOptions } from "../saved/state-waits.ts";
import { streamIdOf } from "../secret.ts";
import type { BroadcastInput, BroadcastProgress } from "./broadcast-core.ts";
import {
  type BroadcastOpenOptions,
  type BroadcastParts,
  type BroadcastStoreOptions,
  bindForWriting,
  broadcastFromState,
  broadcastFromStore,
  newBroadcast,
} from "./broadcast-parts.ts";
import { decodeWholeBroadcast, encodeWholeBroadcast } from "./broadcast-state.ts";
import {
  type GivenCapability,
  parseReadCapability,
  parseWriteCapability,
} from "./capability-text.ts";
import type { BroadcastEvents } from "./events.ts";
import { RepairDesk } from "./repair-desk.ts";

/**
 * The one writer of a stream that any number of readers can follow: a Node Writable. Readers hold a
 * capability that it hands out, write nothing where it writes, and cannot hold it up.
 *
 * `finish` says that everything is in the Map. The broadcast then goes on to keep its frames alive
 * in the background, without keeping the process alive, until their retention is over and it closes
 * by itself; `destroy` or `halt` end that. Events besides those of a Writable: `stored` (everything
 * written is), `warning` (a {@link CulvertError} that does not end the broadcast).
 *
 * @example
 * ```ts
 * const broadcast = new Broadcast(transport);
 * const subscription = new Subscription(transport, broadcast.capability());
 * broadcast.end("hello, everybody");
 * for await (const chunk of subscription) console.log(chunk.toString());
 * ```
 */
export class Broadcast extends Writable {
  declare on: Hear<BroadcastEvents, this>;
  declare once: Hear<BroadcastEvents, this>;
  declare addListener: Hear<BroadcastEvents, this>;
  readonly #parts: BroadcastParts;
  readonly #session: CoreSession<BroadcastInput, StreamEvent>;
  readonly #desk: RepairDesk;
  readonly #heldWrite: HeldWrite;
  readonly #heldFinal = new HeldCallback();

  /**
   * A broadcast that lives as long as this process.
   *
   * @throws CulvertError `CULVERT_GEOMETRY_CHANGED` when the transport's cells cannot carry frames
   */
  constructor(
    transport: Transport,
    options?: BroadcastOpenOptions & { readonly capability?: WriteCapability | Uint8Array },
  );
  /** @internal `open` and `load` bring the parts. */
  constructor(transport: Transport, options: BroadcastOpenOptions, parts: BroadcastParts);
  constructor(
    transport: Transport,
    options: BroadcastOpenOptions & { readonly capability?: WriteCapability | Uint8Array } = {},
    parts: BroadcastParts = newBroadcast(transport, options),
  ) {
    const { writableHighWaterMark: highWaterMark } = options;
    super({
      autoDestroy: false,
      decodeStrings: true,
      ...(highWaterMark === undefined ? {} : { highWaterMark }),
    });
    this.#parts = parts;
    this.#heldWrite = new HeldWrite(this, parts.core);
    this.#session = new CoreSession(parts, {
      event: (event) => this.#onEvent(event),
      broken: (error) => this.#fail(error),
    });
    const tell = (input: BroadcastInput): void => this.#session.engine.handle(input);
    this.#desk = new RepairDesk({ ...parts, transport, tell });
    destroyOnError(this);
    // What an earlier session has done is told at once, as of a stream.
    if (parts.isEnded) this.end();
    if (options.autoStart !== false) afterReactions(() => this.start());
    destroyOnAbort(this, options.signal);
  }

  /**
   * A broadcast whose state survives in `store`: it begins, or goes on where an earlier process
   * with the same capability stopped.
   *
   * @throws CulvertError `CULVERT_STATE_IN_USE`, `CULVERT_BAD_STATE`, `CULVERT_GEOMETRY_CHANGED`,
   *   `CULVERT_JOURNAL`, `CULVERT_BAD_CAPABILITY`
   */
  static async open(options: BroadcastStoreOptions): Promise<Broadcast> {
    requireObject("options", options);
    const { transport, capability, ...rest } = options;
    const write = parseWriteCapability(capability);
    const parts = await broadcastFromStore(transport, write, rest);
    return handOver(parts.journal, rest.signal, () => new Broadcast(transport, rest, parts));
  }

  /**
   * A broadcast from what `save` gave. The state is used once: a copy that is written with again
   * later is an old backup, and is found out.
   *
   * @throws CulvertError `CULVERT_BAD_STATE`, `CULVERT_GEOMETRY_CHANGED`
   */
  static async load(
    transport: Transport,
    state: Uint8Array,
    options: BroadcastOpenOptions = {},
  ): Promise<Broadcast> {
    const whole = decodeWholeBroadcast(withoutChecksum(state));
    return new Broadcast(transport, options, await broadcastFromState(transport, whole, options));
  }

  /** A public name of the broadcast; it reveals nothing that its readers know. */
  get address(): string {
    return streamIdOf(this.#parts.root);
  }

  /** How many bytes earlier sessions have written for good: go on from there. */
  get writeOffset(): number {
    return this.#parts.writeOffset;
  }

  /** Bytes that one cell carries at most. */
  get payloadSize(): number {
    return payloadBytesMax(this.#parts.transport.payloadSize);
  }

  /** What has become of the bytes, and who asks for repairs. */
  progress(): BroadcastProgress {
    return this.#parts.core.progress;
  }

  /**
   * The right to read from now on: the next frame and all later ones, and none before it. Bytes
   * that were written just before and still wait for a frame are in the next one. After the end it
   * is the right to read the last frame, which says so.
   */
  capability(): ReadCapability {
    return this.#parts.core.capability("next");
  }

  /** The right to read all that is kept: from the beginning, until a frame is given up. */
  capabilityAtStart(): ReadCapability {
    return this.#parts.core.capability("oldest");
  }

  /**
   * Follows the repair chain of a reader: what it says it lacks is put again, within its budget.
   * The capability is `readCapability()` of the one that the reader's `Subscription` writes with.
   * The reader is remembered in the saved state.
   *
   * @returns a name to remove it by
   * @throws CulvertError `CULVERT_BUSY` beyond `repairReadersMax`, `CULVERT_BAD_CAPABILITY`; what
   *   ended the broadcast, when it is over
   */
  addReader(repair: GivenCapability): string {
    if (this.destroyed) throw this.#session.ending;
    return this.#desk.add(parseReadCapability(repair));
  }

  /** Stops following a reader's repair chain; false when it was not followed. */
  removeReader(id: string): boolean {
    return this.#desk.remove(id);
  }

  /** Starts the writer, after `autoStart: false`. Later calls do nothing. */
  start(): this {
    if (this.destroyed || this.#session.engine.isStarted) return this;
    this.#session.engine.start();
    this.#desk.start();
    if (this.#parts.isAborted) this.destroy(new CulvertError("CULVERT_CLOSED"));
    else if (this.#parts.core.isOver) this.#finish();
    return this;
  }

  /** Goes on over another transport of the same cell size, for instance after a reconnection. */
  setTransport(transport: Transport): void {
    requireTransport(transport);
    requireSameGeometry(this.#parts.transport.payloadSize, transport);
    this.#desk.setTransport(transport);
    this.#session.engine.setTransport(bindForWriting(transport, this.#parts.writeSeed));
  }

  /** Lets the process live while there is something to do; the state until `finish`. */
  ref(): this {
    this.#session.engine.setBackground(false);
    return this;
  }

  /** Lets the process exit although there is something to do. */
  unref(): this {
    this.#session.engine.setBackground(true);
    return this;
  }

  /**
   * Resolves when everything written so far, and the end if it was written, is in the Map.
   *
   * @throws CulvertError of whatever ends the broadcast first, `CULVERT_HALTED`, `CULVERT_CLOSED`
   */
  async sync(options: WaitOptions = {}): Promise<void> {
    requireObject("options", options);
    const written = this.#heldWrite.writtenBytes;
    const isEnded = this.writableEnded;
    await this.#session.until(() => {
      // Not when the core has stored all that it has: more of this may wait on Node's side.
      return isEnded ? this.writableFinished : this.progress().storedBytes >= written;
    }, options.signal);
  }

  /**
   * Ends the broadcast and resolves when everything is in the Map.
   *
   * @throws CulvertError as `sync`
   */
  async close(options: WaitOptions = {}): Promise<void> {
    requireObject("options", options);
    if (this.writable) this.end();
    await this.#session.until(() => this.writableFinished, options.signal);
  }

  /** Stops at once; what was written is kept for `save`, or in the store. */
  async halt(): Promise<void> {
    if (!this.destroyed) {
      this.#heldWrite.takeOver();
      if (this.writableEnded) this.#session.engine.handle({ kind: "end" });
    }
    this.#session.enter("halted");
    this.destroy();
    await this.#shutDown();
  }

  /**
   * The whole state as CBOR and its checksum, after `halt` (which it calls if need be). It holds
   * the right to write: keep it secret, and use it once.
   *
   * @throws CulvertError of what ended the broadcast; `CULVERT_STATE_IN_USE` when its state lives
   *   in a store, and was opened again; `CULVERT_TOO_LARGE` beyond 1 GiB of frames that are kept
   */
  async save(): Promise<Uint8Array> {
    await this.halt();
    const frames = await this.#session.frames();
    return withChecksum(encodeWholeBroadcast({ state: this.#parts.core.state(), frames }));
  }

  override _write(chunk: Uint8Array, _encoding: BufferEncoding, callback: Callback): void {
    if (this.#parts.isEnded) {
      callback(new CulvertError("CULVERT_CLOSED", "an earlier session has ended this broadcast"));
      return;
    }
    // The chunk is the caller's until it is called back; a core that is at work takes it later.
    const { engine } = this.#session;
    engine.handle({ kind: "write", bytes: engine.isBusy ? new Uint8Array(chunk) : chunk });
    this.#heldWrite.hold(callback, chunk.length);
    if (!this.#parts.core.isFull || !this.#session.isWorking) this.#heldWrite.release();
  }

  override _final(callback: Callback): void {
    this.#heldFinal.hold(callback);
    this.#session.engine.handle({ kind: "end" });
    this.#settleFinal();
  }

  /** Ends the broadcast; before its `finish` that is an abort, and its readers are told. */
  override destroy(error?: Error): this {
    // A core that has not started tells nobody.
    if (this.#session.phase === "running" && !this.destroyed) this.#session.engine.start();
    return super.destroy(error);
  }

  override _destroy(error: Error | null, callback: Callback): void {
    const reason = error ?? this.#session.ending;
    this.#heldWrite.release(reason);
    this.#heldFinal.release(reason);
    if (this.#session.phase === "running") this.#leave(error);
    this.#session.settle(error, callback, () => this.#shutDown());
  }

  #onEvent(event: StreamEvent): void {
    switch (event.kind) {
      case "drain":
        this.#heldWrite.release();
        break;
      case "all-stored":
        this.#settleFinal();
        this.emit("stored");
        break;
      case "warning":
        this.emit("warning", failureOf(event));
        break;
      case "fail":
        this.#fail(failureOf(event));
        break;
      case "done":
        this.#finish();
        break;
      default:
        throw new TypeError(`a broadcast does not ${event.kind}`);
    }
  }

  #settleFinal(): void {
    if (!this.#heldFinal.isHeld || !this.progress().isAllStored) return;
    // What is left to do is upkeep, which should not hold a program up that has said everything.
    this.unref();
    this.once("finish", () => this.#session.check());
    this.#heldFinal.release();
  }

  /** No frame is kept any more, or the abort has been told. */
  #finish(): void {
    this.#settleFinal();
    if (this.destroyed) {
      this.#session.enter("over");
      this.#stopInBackground();
    } else if (this.writableFinished) this.destroy();
    // Those who wait for Node's `finish`, which comes in a moment, wait for no failure.
    else this.once("finish", () => this.destroy());
  }

  #fail(error: CulvertError): void {
    if (!this.#session.fail(error)) return;
    if (this.destroyed) this.#stopInBackground();
    else this.destroy(error);
  }

  /** Destroyed while the core is at work: its frames stay, and readers learn of an abort. */
  #leave(error: Error | null): void {
    if (this.#parts.core.isOver || (error === null && this.writableFinished)) {
      this.#session.enter("over");
      return;
    }
    this.#session.abort();
    this.#session.engine.handle({ kind: "abort" });
    if (this.#session.isWorking) this.#session.linger(LINGER_MS, () => this.#stopInBackground());
  }

  #stopInBackground(): void {
    this.#shutDown().catch((error: unknown) => this.emit("warning", error));
  }

  async #shutDown(): Promise<void> {
    await this.#desk.stop();
    await this.#session.shutDown();
  }
}
