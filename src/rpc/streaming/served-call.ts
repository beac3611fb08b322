import { type Cancel, type Clock, CulvertError } from "../../base/index.ts";
import type { NodeId } from "../../identity/index.ts";
import type { ByteDuplex } from "../byte-duplex.ts";
import { Deadline } from "../call/deadline.ts";
import type { CallContext } from "../call/handlers.ts";
import type { Service } from "../call/service.ts";
import type { Method } from "../message/manifest.ts";
import type { MessageCodec } from "../message/message-codec.ts";
import { decodeMeta } from "../message/meta.ts";
import { encodeFailure, failureOf } from "../request/failure.ts";
import { CALL_FRAME, readOpening, STREAMING_KINDS } from "./call-frame.ts";
import { FrameStream } from "./frame-stream.ts";
import type { StreamCallLimits } from "./stream-limits.ts";

/** What serving a call needs. */
export interface ServedCallParts {
  readonly service: Service;
  readonly clock: Clock;
  readonly limits: StreamCallLimits;
}

const NO_BODY = new Uint8Array(0);

/**
 * One streaming call at the serving end, from the first frame to the end of its stream. It is over
 * when its handler is and all that was said has left, for which a slow reader has the rest of the
 * call's life; or `cutOffMs` after the handler was told to stop, whatever that does.
 */
export class ServedCall {
  readonly #parts: ServedCallParts;
  readonly #peer: NodeId;
  readonly #stream: ByteDuplex;
  readonly #frames: FrameStream;
  readonly #controller = new AbortController();
  readonly #cancels: Cancel[] = [];
  #cut: () => void = () => {};
  #isRaw = false;
  /** Whether the life of the call is bounded: not before it is known what is called. */
  #isTimed = false;
  /** Whether the handler is done. */
  #isServed = false;
  #isEnding = false;
  #isOver = false;

  constructor(parts: ServedCallParts, peer: NodeId, stream: ByteDuplex) {
    this.#parts = parts;
    this.#peer = peer;
    this.#stream = stream;
    this.#frames = new FrameStream(stream, parts.limits);
  }

  /** Serves it; resolves when it is over, and never rejects. */
  async run(): Promise<void> {
    const isCut = new Promise<boolean>((resolve) => {
      this.#cut = () => resolve(true);
    });
    this.#frames.onOver = () => this.stop(new CulvertError("CULVERT_PEER_ABORTED"));
    const wasCut = await Promise.race([this.#serve(), isCut]);
    this.#isOver = true;
    if (wasCut && !this.#isServed) this.#fail(this.#controller.signal.reason);
    for (const cancel of this.#cancels) cancel();
    this.#endStream();
  }

  /** Tells the handler to stop, and cuts it off soon after. */
  stop(error: CulvertError): void {
    if (this.#isOver || this.#controller.signal.aborted) return;
    if (this.#isServed) {
      this.#cut();
      return;
    }
    this.#tell(error);
    this.#later(this.#parts.limits.cutOffMs, () => this.#cut());
  }

  /** Tells the handler to stop and does not wait for it. */
  abandon(error: CulvertError): void {
    this.#tell(error);
    this.#cut();
  }

  /** Answers that this call is not served. */
  refuse(error: CulvertError): void {
    this.#fail(error);
    this.#endStream();
  }

  /** Most handlers look at nothing but their items, and may wait for one, or for room. */
  #tell(error: CulvertError): void {
    this.#controller.abort(error);
    this.#frames.interrupt(error);
  }

  async #serve(): Promise<boolean> {
    try {
      await this.#handle();
    } catch (error) {
      this.#fail(error);
    }
    this.#isServed = true;
    if (this.#isTimed) await this.#allSent();
    return false;
  }

  async #handle(): Promise<void> {
    const { clock, limits, service } = this.#parts;
    const cancelOpen = this.#later(limits.openMs, () => {
      this.#frames.destroy(new CulvertError("CULVERT_TIMEOUT", "nothing was asked"));
    });
    const frame = await this.#frames.next();
    cancelOpen();
    if (frame === undefined) return;
    if (frame.type !== CALL_FRAME.open) {
      throw new CulvertError("CULVERT_PROTOCOL", "a call begins with what is called");
    }
    const opening = readOpening(frame.body);
    const method = service.method(opening.method, STREAMING_KINDS);
    if (method.kind !== opening.kind) {
      throw new CulvertError("CULVERT_UNKNOWN_METHOD", "the method is of another kind");
    }
    const lifeMs = Math.min(opening.totalMs, limits.totalMs);
    this.#later(lifeMs, () => this.stop(new CulvertError("CULVERT_TIMEOUT")));
    this.#isTimed = true;
    const context: CallContext = {
      peer: this.#peer,
      method: opening.method,
      deadline: new Deadline(clock, clock.now() + lifeMs),
      signal: this.#controller.signal,
      meta: decodeMeta(opening.meta),
    };
    await this.#runKind(method, context, opening.request);
  }

  async #runKind(method: Method, context: CallContext, request: Uint8Array): Promise<void> {
    const { service } = this.#parts;
    switch (method.kind) {
      case "serverStream": {
        const asked = method.request.decode(request);
        await service.run(method, context, [asked], this.#sendAll(method.down));
        await this.#frames.send(CALL_FRAME.end, NO_BODY);
        break;
      }
      case "clientStream": {
        const items = this.#items(method.up);
        const reply = await service.run(method, context, [items]);
        await this.#frames.send(CALL_FRAME.reply, method.reply.encode(reply));
        break;
      }
      case "duplex": {
        const items = this.#items(method.up);
        await service.run(method, context, [items], this.#sendAll(method.down));
        await this.#frames.send(CALL_FRAME.end, NO_BODY);
        break;
      }
      case "raw": {
        const asked = method.request.decode(request);
        await service.run(method, context, [asked, () => this.#handOver()]);
        if (!this.#isRaw) throw new CulvertError("CULVERT_REFUSED", "the call was not accepted");
        break;
      }
      default:
        throw new CulvertError("CULVERT_UNKNOWN_METHOD");
    }
  }

  #sendAll(codec: MessageCodec<unknown>): (items: unknown) => Promise<void> {
    return async (items) => {
      const { signal } = this.#controller;
      for await (const item of items as AsyncIterable<unknown>) {
        signal.throwIfAborted();
        await this.#frames.send(CALL_FRAME.item, codec.encode(item));
      }
    };
  }

  async *#items(codec: MessageCodec<unknown>): AsyncGenerator<unknown, void, undefined> {
    for (;;) {
      const frame = await this.#frames.next();
      if (frame?.type === CALL_FRAME.end) return;
      if (frame?.type !== CALL_FRAME.item) {
        throw new CulvertError("CULVERT_PROTOCOL", "items end with a word of their own");
      }
      yield codec.decode(frame.body);
    }
  }

  async #handOver(): Promise<ByteDuplex> {
    await this.#frames.send(CALL_FRAME.accepted, NO_BODY);
    const stream = this.#frames.release();
    this.#isRaw = true;
    stream.on("close", () => this.stop(new CulvertError("CULVERT_PEER_ABORTED")));
    return stream;
  }

  /** Tells the caller why, if there still is one. */
  #fail(error: unknown): void {
    // There are no words on a raw stream, and its end would say that all was said.
    if (this.#isRaw) this.#stream.destroy();
    // Not awaited: the caller may be the reason why there is no room.
    else this.#frames.post(CALL_FRAME.failed, encodeFailure(failureOf(error)));
  }

  /** Ends our half; resolves when nothing of it waits here any more, or the stream is gone. */
  #allSent(): Promise<void> {
    return new Promise((resolve) => {
      this.#stream.on("finish", resolve);
      this.#stream.on("close", resolve);
      if (this.#stream.destroyed || this.#stream.writableFinished) resolve();
      this.#endHalf();
    });
  }

  #endHalf(): void {
    if (this.#isEnding) return;
    this.#isEnding = true;
    if (this.#isRaw) this.#stream.end();
    else {
      this.#frames.ignoreRest();
      // Through the frames: what a handler that was cut off still answers is not written behind it.
      this.#frames.end();
    }
  }

  /** Ends our half; a peer that does not end its own loses it after a while. */
  #endStream(): void {
    if (this.#stream.destroyed) return;
    this.#endHalf();
    const { clock, limits } = this.#parts;
    const at = clock.now() + limits.lingerMs;
    const cancel = clock.schedule(at, () => this.#stream.destroy(), { background: true });
    this.#stream.on("close", cancel);
  }

  #later(ms: number, run: () => void): Cancel {
    const { clock } = this.#parts;
    const cancel = clock.schedule(clock.now() + ms, run, { background: true });
    this.#cancels.push(cancel);
    return cancel;
  }
}
