import { Canceller, type Clock, CulvertError, type Instant, onAbort } from "../../base/index.ts";
import type { NodeId } from "../../identity/index.ts";
import type { ByteDuplex } from "../byte-duplex.ts";
import type { CallOptions, ItemSource } from "../call/handlers.ts";
import type { StreamCarrier } from "../carrier.ts";
import type { MessageCodec } from "../message/message-codec.ts";
import { encodeMeta } from "../message/meta.ts";
import { readFailure } from "../request/failure.ts";
import { CALL_FRAME, type CallFrame, encodeOpening, type StreamingKind } from "./call-frame.ts";
import { CallGuard } from "./call-guard.ts";
import { EndableItems, requireItems } from "./endable-items.ts";
import { FrameStream } from "./frame-stream.ts";
import type { StreamCallLimits } from "./stream-limits.ts";

/** What a streaming call is made to. */
export interface StreamTarget {
  readonly peer: NodeId;
  readonly method: string;
  readonly kind: StreamingKind;
}

interface OpenCall {
  readonly frames: FrameStream;
  readonly guard: CallGuard;
  readonly options: CallOptions;
  /** What is sent, where the call has items to send. */
  source?: EndableItems<unknown>;
}

/** A call whose stream is not there yet. */
interface Opening {
  readonly canceller: Canceller;
  /** Why it was given up, when that was not the caller's wish. */
  failure: CulvertError | undefined;
}

const NO_REQUEST = new Uint8Array(0);

/** Makes streaming calls, each over a stream of its own. */
export class StreamCaller {
  readonly #carrier: StreamCarrier;
  readonly #clock: Clock;
  readonly #limits: StreamCallLimits;
  readonly #opening = new Set<Opening>();
  readonly #open = new Set<FrameStream>();
  #isClosed = false;
  #onIdle: () => void = () => {};

  constructor(carrier: StreamCarrier, clock: Clock, limits: StreamCallLimits) {
    this.#carrier = carrier;
    this.#clock = clock;
    this.#limits = limits;
  }

  /** Calls that are open. */
  get openCount(): number {
    return this.#opening.size + this.#open.size;
  }

  /** Makes no more calls; resolves when those that are open are over. */
  async drain(): Promise<void> {
    this.#isClosed = true;
    if (this.openCount === 0) return;
    await new Promise<void>((resolve) => {
      this.#onIdle = resolve;
    });
  }

  /** Makes no more calls, and ends those that are open. */
  abandonAll(): void {
    this.#isClosed = true;
    const error = new CulvertError("CULVERT_CLOSED");
    for (const opening of this.#opening) giveUp(opening, error);
    for (const frames of this.#open) frames.destroy(error);
  }

  /** One request, many items. Leaving the loop gives the call up. */
  async *receive<Item>(
    target: StreamTarget,
    given: { readonly request: Uint8Array; readonly down: MessageCodec<Item> },
    options: CallOptions,
  ): AsyncGenerator<Item, void, undefined> {
    const call = await this.#begin(target, given.request, options);
    yield* this.#items(call, given.down);
  }

  /** Many items, one reply, which may come before the last item. */
  async send<Item, Reply>(
    target: StreamTarget,
    given: {
      readonly items: ItemSource<Item>;
      readonly up: MessageCodec<Item>;
      readonly reply: MessageCodec<Reply>;
    },
    options: CallOptions,
  ): Promise<Reply> {
    requireItems(given.items);
    const call = await this.#begin(target, NO_REQUEST, options);
    void this.#pump(call, given.items, given.up);
    try {
      const frame = await this.#next(call, undefined);
      if (frame?.type !== CALL_FRAME.reply) throw notExpected();
      return given.reply.decode(frame.body);
    } finally {
      this.#finish(call);
    }
  }

  /** Items both ways. */
  async *exchange<Up, Down>(
    target: StreamTarget,
    given: {
      readonly items: ItemSource<Up>;
      readonly up: MessageCodec<Up>;
      readonly down: MessageCodec<Down>;
    },
    options: CallOptions,
  ): AsyncGenerator<Down, void, undefined> {
    requireItems(given.items);
    const call = await this.#begin(target, NO_REQUEST, options);
    void this.#pump(call, given.items, given.up);
    yield* this.#items(call, given.down);
  }

  /** The byte stream behind a request that was accepted. */
  async connect(
    target: StreamTarget,
    request: Uint8Array,
    options: CallOptions,
  ): Promise<ByteDuplex> {
    const call = await this.#begin(target, request, options);
    try {
      const frame = await this.#next(call, options.firstMs ?? this.#limits.firstMs);
      if (frame?.type !== CALL_FRAME.accepted) throw notExpected();
      const stream = call.frames.release();
      call.guard.release();
      this.#leave(call.frames);
      return stream;
    } catch (error) {
      this.#finish(call);
      throw error;
    }
  }

  async #begin(
    { peer, method, kind }: StreamTarget,
    request: Uint8Array,
    options: CallOptions,
  ): Promise<OpenCall> {
    if (this.#isClosed) throw new CulvertError("CULVERT_CLOSED");
    const { signal, meta = {} } = options;
    const totalMs = Math.min(options.totalMs ?? this.#limits.totalMs, this.#limits.totalMs);
    const totalAt = this.#clock.now() + totalMs;
    const encoded = encodeMeta(meta);
    const frames = await this.#openFrames(peer, totalAt, signal);
    const guard = new CallGuard(this.#clock, frames, { totalAt, signal });
    const call: OpenCall = { frames, guard, options };
    try {
      const opening = encodeOpening({ method, kind, totalMs, meta: encoded, request });
      await frames.send(CALL_FRAME.open, opening);
    } catch (error) {
      this.#finish(call);
      throw error;
    }
    return call;
  }

  /** The stream of a call, whose coming may take all of the call's time and no more. */
  async #openFrames(
    peer: NodeId,
    totalAt: Instant,
    signal: AbortSignal | undefined,
  ): Promise<FrameStream> {
    const opening: Opening = { canceller: new Canceller(), failure: undefined };
    this.#opening.add(opening);
    const cancel = this.#clock.schedule(totalAt, () => {
      giveUp(opening, new CulvertError("CULVERT_TIMEOUT", "the call took too long"));
    });
    const forget = onAbort(signal, ({ cause }) => opening.canceller.abort(cause));
    try {
      const stream = await this.#carrier.openStream(peer, { signal: opening.canceller.signal });
      const frames = new FrameStream(stream, this.#limits);
      if (opening.failure !== undefined) frames.destroy(opening.failure);
      this.#open.add(frames);
      frames.onOver = () => this.#leave(frames);
      return frames;
    } catch (error) {
      throw opening.failure ?? error;
    } finally {
      forget();
      cancel();
      this.#opening.delete(opening);
      this.#settleIdle();
    }
  }

  async *#items<Item>(
    call: OpenCall,
    codec: MessageCodec<Item>,
  ): AsyncGenerator<Item, void, undefined> {
    let patienceMs: number | undefined = call.options.firstMs ?? this.#limits.firstMs;
    try {
      for (;;) {
        const frame = await this.#next(call, patienceMs);
        if (frame?.type === CALL_FRAME.end) return;
        if (frame?.type !== CALL_FRAME.item) throw notExpected();
        yield codec.decode(frame.body);
        patienceMs = call.options.betweenMs;
      }
    } finally {
      this.#finish(call);
    }
  }

  /** The next frame that is no failure. */
  async #next(call: OpenCall, patienceMs: number | undefined): Promise<CallFrame | undefined> {
    const frame = await call.guard.within(patienceMs, call.frames.next());
    if (frame?.type === CALL_FRAME.failed) throw readFailure(frame.body);
    return frame;
  }

  /** Sends items as fast as they are taken. What fails is told by the other direction. */
  async #pump<Item>(
    call: OpenCall,
    items: ItemSource<Item>,
    codec: MessageCodec<Item>,
  ): Promise<void> {
    const { frames } = call;
    try {
      const source = new EndableItems(items);
      call.source = source;
      for await (const item of source) await frames.send(CALL_FRAME.item, codec.encode(item));
      await frames.send(CALL_FRAME.end, NO_REQUEST);
    } catch (error) {
      const cause = error instanceof Error ? error : new Error(String(error));
      frames.destroy(cause);
    }
  }

  /** Nothing more is wanted: a call that has not ended by itself is given up. */
  #finish({ frames, guard, source }: OpenCall): void {
    guard.release();
    this.#leave(frames);
    frames.destroy(new CulvertError("CULVERT_CLOSED", "the call is over"));
    // Who gives the items may fail at it: the call has its outcome.
    source?.return().catch(() => {});
  }

  #leave(frames: FrameStream): void {
    this.#open.delete(frames);
    this.#settleIdle();
  }

  #settleIdle(): void {
    if (this.openCount === 0) this.#onIdle();
  }
}

function giveUp(opening: Opening, error: CulvertError): void {
  opening.failure ??= error;
  opening.canceller.abort(error);
}

function notExpected(): CulvertError {
  return new CulvertError("CULVERT_PROTOCOL", "the peer answered with another kind of message");
}
