import { Readable } from "node:stream";
import { type CulvertError, type JournalStore, requireObject } from "../../base/index.ts";
import { withChecksum, withoutChecksum } from "../../io/checksum.ts";
import { afterReactions } from "../../io/defer.ts";
import { destroyOnAbort } from "../../io/destroy-on-abort.ts";
import { destroyOnError } from "../../io/destroy-on-error.ts";
import type { Given, Hear } from "../../io/typed-events.ts";
import type { Transport } from "../../transport/index.ts";
import { CoreSession } from "../duplex/core-session.ts";
import type { StreamEvent } from "../duplex/engine.ts";
import type { Callback } from "../duplex/held-callback.ts";
import { TakenBytes } from "../duplex/taken-bytes.ts";
import { WaitingBytes } from "../duplex/waiting-bytes.ts";
import { failureOf } from "../exchange/failure.ts";
import { payloadBytesMax } from "../frame/frame.ts";
import { requireSameGeometry } from "../frame/geometry.ts";
import { requireTransport } from "../openable.ts";
import { handOver } from "../saved/journalling.ts";
import { streamIdOf } from "../secret.ts";
import type { GivenCapability } from "./capability-text.ts";
import type { SubscriptionEvents } from "./events.ts";
import type { SubscriptionInput } from "./subscription-core.ts";
import {
  bindForReading,
  newSubscription,
  type SubscriptionOpenOptions,
  type SubscriptionParts,
  subscriptionFromState,
  subscriptionFromStore,
} from "./subscription-parts.ts";
import type { SubscriptionProgress } from "./subscription-progress.ts";
import { decodeWholeSubscription, encodeWholeSubscription } from "./subscription-state.ts";

/** What `Subscription.open` needs: a subscription that survives the process. */
export interface SubscriptionStoreOptions extends SubscriptionOpenOptions {
  /** The way to the Map; borrowed, and the owner's to close when the subscription is closed. */
  readonly transport: Transport;
  /** Where the state lives: `LevelJournalStore` of `culvert/journal`, or one of your own. */
  readonly store: JournalStore;
  /** The right to read; where it begins is part of the subscription's name in the store. */
  readonly capability: GivenCapability;
}

/**
 * One reader of a `Broadcast`: a Node Readable. It ends with the broadcast.
 *
 * Events besides those of a Readable: `lag` (with how many frames were lost, and behind how many of
 * all bytes that are read; some of those may still wait to be; with `onLag: "skip"`), `warning` (a
 * {@link CulvertError} that does not end the subscription). Errors are
 * {@link CulvertError}s: `CULVERT_LAGGED` when frames are gone for good, `CULVERT_PEER_ABORTED`
 * when the writer gave up.
 */
export class Subscription extends Readable {
  declare on: Hear<SubscriptionEvents, this>;
  declare once: Hear<SubscriptionEvents, this>;
  declare addListener: Hear<SubscriptionEvents, this>;
  readonly #parts: SubscriptionParts;
  readonly #session: CoreSession<SubscriptionInput, StreamEvent>;
  readonly #taken: TakenBytes;
  readonly #waiting = new WaitingBytes(this);

  /**
   * A subscription that lives as long as this process.
   *
   * @throws CulvertError `CULVERT_BAD_CAPABILITY`, `CULVERT_BAD_TICKET`, `CULVERT_GEOMETRY_CHANGED`
   */
  constructor(transport: Transport, capability: GivenCapability, options?: SubscriptionOpenOptions);
  /** @internal `open` and `load` bring the parts. */
  constructor(
    transport: Transport,
    capability: GivenCapability,
    options: SubscriptionOpenOptions,
    parts: SubscriptionParts,
  );
  constructor(
    transport: Transport,
    capability: GivenCapability,
    options: SubscriptionOpenOptions = {},
    parts: SubscriptionParts = newSubscription(transport, capability, options),
  ) {
    const { readableHighWaterMark: highWaterMark } = options;
    super({ autoDestroy: false, ...(highWaterMark === undefined ? {} : { highWaterMark }) });
    this.#parts = parts;
    this.#session = new CoreSession(parts, {
      event: (event) => this.#onEvent(event),
      broken: (error) => this.#fail(error),
    });
    this.#taken = new TakenBytes({
      confirm: options.confirm,
      offset: parts.readOffset,
      waiting: () => this.#waiting.count,
      take: (offset) => this.#session.engine.handle({ kind: "taken", offset }),
    });
    destroyOnError(this);
    if (options.autoStart !== false) afterReactions(() => this.start());
    destroyOnAbort(this, options.signal);
  }

  /**
   * A subscription whose position survives in `store`: it begins, or goes on where an earlier
   * process with the same capability stopped.
   *
   * @throws CulvertError `CULVERT_STATE_IN_USE`, `CULVERT_BAD_STATE`, `CULVERT_GEOMETRY_CHANGED`,
   *   `CULVERT_JOURNAL`, `CULVERT_BAD_CAPABILITY`, `CULVERT_BAD_TICKET`
   */
  static async open(options: SubscriptionStoreOptions): Promise<Subscription> {
    requireObject("options", options);
    const { transport, capability, ...rest } = options;
    const parts = await subscriptionFromStore(transport, capability, rest);
    return handOver(
      parts.journal,
      rest.signal,
      () => new Subscription(transport, capability, rest, parts),
    );
  }

  /**
   * A subscription from what `save` gave. It only reads: a copy may be used as often as one likes.
   *
   * @throws CulvertError `CULVERT_BAD_STATE`, `CULVERT_GEOMETRY_CHANGED`
   */
  static async load(
    transport: Transport,
    state: Uint8Array,
    options: SubscriptionOpenOptions = {},
  ): Promise<Subscription> {
    const whole = decodeWholeSubscription(withoutChecksum(state));
    const parts = await subscriptionFromState(transport, whole, options);
    return new Subscription(transport, whole.state.root, options, parts);
  }

  /** A public name of the broadcast; it reveals nothing that its readers know. */
  get address(): string {
    return streamIdOf(this.#parts.roots.read);
  }

  /** How many bytes earlier sessions have taken. */
  get readOffset(): number {
    return this.#parts.readOffset;
  }

  /** Bytes that one cell carries at most. */
  get payloadSize(): number {
    return payloadBytesMax(this.#parts.transport.payloadSize);
  }

  progress(): SubscriptionProgress {
    return this.#parts.core.progress;
  }

  /** Starts the reader, after `autoStart: false`. Later calls do nothing. */
  start(): this {
    if (this.destroyed || this.#session.engine.isStarted) return this;
    this.#session.engine.start();
    if (!this.#parts.isDone) return this;
    this.push(null);
    this.#finish();
    return this;
  }

  /** Goes on over another transport of the same cell size, for instance after a reconnection. */
  setTransport(transport: Transport): void {
    requireTransport(transport);
    requireSameGeometry(this.#parts.transport.payloadSize, transport);
    this.#session.engine.setTransport(bindForReading(transport, this.#parts.roots));
  }

  /** Lets the process live while the broadcast has not ended; the state at the start. */
  ref(): this {
    this.#session.engine.setBackground(false);
    return this;
  }

  /** Lets the process exit although more may come. */
  unref(): this {
    this.#session.engine.setBackground(true);
    return this;
  }

  /** In manual mode: the application has made all bytes below `offset` its own. */
  confirm(offset: number): void {
    this.#taken.confirm(offset);
  }

  /** Stops reading for good; nobody else notices. Resolves when nothing is left running. */
  async close(): Promise<void> {
    this.destroy();
    await this.#session.shutDown();
  }

  /** Stops at once; the position is kept for `save`, or in the store. */
  async halt(): Promise<void> {
    this.#taken.look();
    this.#session.enter("halted");
    this.destroy();
    await this.#session.shutDown();
  }

  /**
   * The position and the right to read on as CBOR and its checksum, after `halt` (which it calls if
   * need be). Keep it secret.
   *
   * @throws CulvertError of what ended the subscription; `CULVERT_STATE_IN_USE` when its state
   *   lives in a store, and was opened again
   */
  async save(): Promise<Uint8Array> {
    await this.halt();
    const frames = await this.#session.frames();
    return withChecksum(encodeWholeSubscription({ state: this.#parts.core.state(), frames }));
  }

  override _read(): void {
    this.#taken.note();
  }

  override read(size?: number): Given {
    // Node goes on to give what is there; it is kept for the next session.
    const chunk: unknown = this.#session.phase === "halted" ? null : super.read(size);
    this.#taken.note();
    return chunk;
  }

  override _destroy(error: Error | null, callback: Callback): void {
    this.#session.enter("over");
    this.#session.settle(error, callback);
  }

  #onEvent(event: StreamEvent): void {
    switch (event.kind) {
      case "deliver":
        this.#taken.delivered(event.bytes.length);
        if (!this.destroyed) this.#waiting.push(event.bytes);
        this.#taken.note();
        break;
      case "delivered-end":
        if (!this.destroyed) this.push(null);
        break;
      case "warning":
        this.#warn(event);
        break;
      case "fail":
        this.#fail(failureOf(event));
        break;
      case "done":
        this.#finish();
        break;
      default:
        throw new TypeError(`a subscription does not ${event.kind}`);
    }
  }

  #warn(event: Extract<StreamEvent, { kind: "warning" }>): void {
    const { code, detail } = event;
    if (code === "CULVERT_LAGGED") this.emit("lag", detail?.frames, detail?.offset);
    else this.emit("warning", failureOf(event));
  }

  #finish(): void {
    if (this.readableEnded) this.destroy();
    else this.once("end", () => this.destroy());
  }

  #fail(error: CulvertError): void {
    if (this.#session.fail(error)) this.destroy(error);
  }
}
