import { type CulvertError, requireObject } from "../../base/index.ts";
import { withChecksum, withoutChecksum } from "../../io/checksum.ts";
import { systemClock } from "../../io/clock.ts";
import { systemRandom } from "../../io/random.ts";
import type { SocketEvents } from "../../io/socket-duplex.ts";
import type { Hear } from "../../io/typed-events.ts";
import type { Transport } from "../../transport/index.ts";
import { payloadBytesMax } from "../frame/frame.ts";
import { requireSameGeometry } from "../frame/geometry.ts";
import { requireOpenable, requireTransport, requireYesOrNo } from "../openable.ts";
import { handOver } from "../saved/journalling.ts";
import { decodeWholeState, encodeWholeState } from "../saved/state-codec.ts";
import type { WaitOptions } from "../saved/state-waits.ts";
import { streamIdOf } from "../secret.ts";
import {
  type AssemblyContext,
  assembleFromStore,
  assembleLoaded,
  assembleNew,
  bindTransport,
  capabilitiesOf,
  exchanged,
  type StreamCapabilities,
  type StreamParts,
} from "./assemble.ts";
import { CoreDuplex } from "./core-duplex.ts";
import type { StreamOpenOptions, StreamStoreOptions } from "./open-options.ts";
import type { UsedInParts } from "./taken-bytes.ts";

/** What a stream tells: the name of each event, and what comes with it. */
export interface StreamEvents extends SocketEvents {
  /** The peer's application has everything that was written. */
  acknowledged: [];
  /** What the stream mends by itself, or waits for. */
  warning: [warning: CulvertError];
}

/**
 * A reliable, ordered, end-to-end encrypted byte stream between two peers who share a secret, over
 * a Map that may lose what it is given. A Node Duplex that can stand in for a socket.
 *
 * Events besides those of a Duplex: `acknowledged` (everything written is), `warning` (a
 * {@link CulvertError} that does not end the stream), `timeout`, `connect`. Errors are
 * {@link CulvertError}s. `finish` says that everything written is in the Map (but see
 * `endsAsSocket`), `close` that nothing more will happen here.
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
export class Stream extends CoreDuplex {
  declare on: Hear<StreamEvents, this>;
  declare once: Hear<StreamEvents, this>;
  declare addListener: Hear<StreamEvents, this>;
  /** Its keys are in them: private in both classes, so that nobody finds them in a stream. */
  readonly #parts: StreamParts;

  /** Use the static methods. */
  private constructor(parts: StreamParts, options: StreamOpenOptions) {
    super(parts, options);
    this.#parts = parts;
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

  /**
   * A stream between two peers who exchanged capabilities instead of sharing a secret: each has
   * given the other the `readCapability()` of what it writes with.
   *
   * @throws CulvertError `CULVERT_BAD_CAPABILITY`, `CULVERT_GEOMETRY_CHANGED`
   */
  static fromCapabilities(
    transport: Transport,
    keys: StreamCapabilities,
    options: StreamOpenOptions = {},
  ): Stream {
    return new Stream(assembleNew(exchanged(keys), contextOf(transport, options)), options);
  }

  /**
   * A stream whose state survives in `store`: it begins, or goes on where an earlier process with
   * the same secret and role stopped.
   *
   * @throws CulvertError `CULVERT_STATE_IN_USE`, `CULVERT_BAD_STATE`, `CULVERT_GEOMETRY_CHANGED`,
   *   `CULVERT_JOURNAL`, `CULVERT_BAD_TICKET`
   */
  static async open(given: StreamStoreOptions): Promise<Stream> {
    requireObject("options", given);
    const { transport, store, secret, role, ...options } = given;
    const keys = capabilitiesOf(secret, role);
    const parts = await assembleFromStore(keys, contextOf(transport, options), store);
    return handOver(parts.journal, options.signal, () => new Stream(parts, options));
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
    const whole = decodeWholeState(withoutChecksum(state));
    const parts = await assembleLoaded(whole, contextOf(transport, options));
    return new Stream(parts, options);
  }

  /** Position in the peer's bytes of the first one that this session delivers. */
  get readOffset(): number {
    return this.#parts.past.readOffset;
  }

  /** How many bytes earlier sessions have written for good: go on from there. */
  get writeOffset(): number {
    return this.#parts.past.writeOffset;
  }

  /** Bytes that one cell carries at most. */
  get payloadSize(): number {
    return payloadBytesMax(this.#parts.transport.payloadSize);
  }

  get localAddress(): string {
    return streamIdOf(this.#parts.roots.own);
  }

  get remoteAddress(): string {
    return streamIdOf(this.#parts.roots.peer);
  }

  /** Goes on over another transport of the same cell size, for instance after a reconnection. */
  setTransport(transport: Transport): void {
    requireTransport(transport);
    requireSameGeometry(this.#parts.transport.payloadSize, transport);
    this.engine.setTransport(bindTransport(transport, this.#parts.roots));
  }

  /** In manual mode: the application has made all bytes below `offset` its own. */
  confirm(offset: number): void {
    this.taken.confirm(offset);
  }

  /**
   * Resolves when everything written so far, and the end if it was written, is acknowledged.
   *
   * @throws CulvertError of whatever ends the stream first, `CULVERT_HALTED`, `CULVERT_CLOSED`
   */
  async sync(options: WaitOptions = {}): Promise<void> {
    requireObject("options", options);
    const written = this.bytesWritten;
    const isEnded = this.writableEnded;
    await this.session.until(() => {
      const { acknowledgedBytes, isEndTaken } = this.progress();
      return isEnded ? isEndTaken : acknowledgedBytes >= written;
    }, options.signal);
  }

  /**
   * Ends our side and resolves when everything is in the Map. Acknowledgements are still waited for
   * in the background; `sync` waits for them.
   *
   * @throws CulvertError as `sync`
   */
  async close(options: WaitOptions = {}): Promise<void> {
    requireObject("options", options);
    if (this.writable) this.end();
    // One that is destroyed after its end goes on in the background, and never finishes for Node.
    const isSaid = (): boolean => this.writableFinished || (this.destroyed && this.hasEnded);
    const isThrough = (): boolean => {
      const { isAllStored, isAllAcknowledged } = this.progress();
      return isSaid() && (isAllStored || isAllAcknowledged);
    };
    await this.session.until(isThrough, options.signal);
  }

  /**
   * The whole state as CBOR and its checksum, after `halt` (which it calls if need be). It holds
   * the stream's keys: keep it secret, and use it once.
   *
   * @throws CulvertError of what ended the stream; `CULVERT_STATE_IN_USE` when its state lives in a
   *   store, and was opened again; `CULVERT_TOO_LARGE` beyond 1 GiB
   */
  async save(): Promise<Uint8Array> {
    await this.halt();
    const frames = await this.session.frames();
    return withChecksum(encodeWholeState({ state: this.#parts.core.state(), frames }));
  }

  /**
   * Says of what was read how many bytes wait to be used, and more about that by the result.
   *
   * @internal
   */
  holdBack(bytes: () => number): UsedInParts {
    return this.taken.holdBack(bytes);
  }

  setNoDelay(noDelay = true): this {
    this.#parts.core.noDelay = noDelay;
    return this;
  }
}

function contextOf(transport: Transport, options: StreamOpenOptions): AssemblyContext {
  requireOpenable(transport, options);
  const { allowHalfOpen, endsAsSocket } = options;
  requireYesOrNo({ allowHalfOpen, endsAsSocket });
  return { transport, options, clock: options.clock ?? systemClock, random: systemRandom };
}
