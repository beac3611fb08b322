import type { Stream, StreamMuxer, StreamMuxerFactory, StreamMuxerInit } from "@libp2p/interface";
import { AbstractStream } from "@libp2p/utils/abstract-stream";
import type { Uint8ArrayList } from "uint8arraylist";
import { RECORD_PAYLOAD_BYTES_MAX } from "../../../src/link/channel/record-cipher.ts";
import { LINK_LIMITS } from "../../../src/link/index.ts";
import { MuxCore } from "../../../src/link/mux/mux-core.ts";
import type { StreamId } from "../../../src/link/mux/mux-frames.ts";
import type { MuxEffect, MuxInput } from "../../../src/link/mux/mux-protocol.ts";
import { creditCost } from "../../../src/link/mux/mux-stream.ts";
import { effectsOf } from "../../effects-of.ts";
import { silent } from "./silent-log.ts";

const PROTOCOL = "test";
const PEER = { streams: LINK_LIMITS.streamsInMax, streamWindow: LINK_LIMITS.streamWindowBytes };
type Bytes = Uint8Array | Uint8ArrayList;

/** What a stream wants of its muxer. */
interface Port {
  give(input: MuxInput): void;
  ended(stream: CoreStream): void;
}

/** A stream of a mux core as libp2p's interface has it; `AbstractStream` is theirs. */
class CoreStream extends AbstractStream {
  readonly number: StreamId;
  readonly #port: Port;
  #written: (() => void) | undefined;
  #isPeerOver = false;

  constructor(number: StreamId, direction: "inbound" | "outbound", port: Port) {
    super({ id: `${number}`, direction, log: silent, onEnd: () => port.ended(this) });
    this.number = number;
    this.#port = port;
    this.protocol = PROTOCOL;
    this.source = this.#counted(this.source);
  }

  sendNewStream(): void {}

  sendData(data: Uint8ArrayList): Promise<void> | undefined {
    const chunks = [...data].filter(({ length }) => length > 0);
    if (chunks.length === 0) return undefined;
    const sent = new Promise<void>((resolve) => {
      this.#written = resolve;
    });
    this.#port.give({ kind: "write", id: this.number, chunks });
    return sent;
  }

  sendReset(): void {
    this.#port.give({ kind: "reset", id: this.number, code: 0 });
    this.written();
  }

  sendCloseWrite(): void {
    this.#port.give({ kind: "end", id: this.number });
  }

  /** The core has no such frame: what still comes is not looked at. */
  sendCloseRead(): void {
    this.written();
  }

  written(): void {
    const done = this.#written;
    this.#written = undefined;
    done?.();
  }

  received(bytes: Uint8Array): void {
    if (this.readStatus === "ready") this.sourcePush(bytes as never);
    else this.#port.give({ kind: "consumed", id: this.number, credit: creditCost(bytes.length) });
  }

  peerEnded(): void {
    this.#isPeerOver = true;
    this.remoteCloseWrite();
  }

  peerReset(): void {
    this.#isPeerOver = true;
    this.written();
    this.reset();
  }

  /** Credit goes back when the reader has taken the bytes, not before. */
  #counted(source: AsyncGenerator<Uint8ArrayList>): AsyncGenerator<Uint8ArrayList> {
    const pass = (result: IteratorResult<Uint8ArrayList>): IteratorResult<Uint8ArrayList> => {
      const { done, value } = result;
      if (done !== true && !this.#isPeerOver) {
        const credit = creditCost((value as unknown as Uint8Array).length);
        this.#port.give({ kind: "consumed", id: this.number, credit });
      }
      return result;
    };
    const counted = {
      next: async () => pass(await source.next()),
      return: (value?: unknown) => source.return(value),
      throw: (error?: unknown) => source.throw(error),
      [Symbol.asyncIterator]: () => counted,
      [Symbol.asyncDispose]: async () => {},
    };
    return counted as AsyncGenerator<Uint8ArrayList>;
  }
}

/** libp2p's `StreamMuxer` over a {@link MuxCore}: each piece that is passed on is one record. */
class CoreMuxer implements StreamMuxer {
  readonly protocol = PROTOCOL;
  readonly source: AsyncGenerator<Bytes>;
  readonly sink: (source: AsyncIterable<Bytes> | Iterable<Bytes>) => Promise<void>;
  readonly #init: StreamMuxerInit;
  readonly #core: MuxCore;
  readonly #streams = new Map<StreamId, CoreStream>();
  readonly #openings = new Map<number, (stream: CoreStream) => void>();
  readonly #port: Port;
  #tickets = 0;
  #isClosed = false;
  #wake: () => void = () => {};

  constructor(init: StreamMuxerInit) {
    this.#init = init;
    const isInitiator = init.direction !== "inbound";
    this.#core = new MuxCore({ limits: LINK_LIMITS, isInitiator, peer: PEER });
    this.#port = {
      give: (input) => this.#give(input),
      ended: (stream) => this.#forget(stream),
    };
    this.source = this.#records();
    this.sink = (source) => this.#receive(source);
  }

  get streams(): Stream[] {
    return [...this.#streams.values()];
  }

  newStream(): Promise<Stream> {
    if (this.#isClosed) throw new Error("the muxer is closed");
    this.#tickets += 1;
    const ticket = this.#tickets;
    return new Promise((resolve) => {
      this.#openings.set(ticket, (stream) => resolve(stream));
      this.#give({ kind: "open", ticket, protocol: PROTOCOL, priority: "normal" });
    });
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await Promise.all([...this.#streams.values()].map((stream) => stream.close()));
    this.#wake();
  }

  abort(error: Error): void {
    this.#isClosed = true;
    for (const stream of this.#streams.values()) stream.abort(error);
    this.#wake();
  }

  #give(input: MuxInput): void {
    this.#core.handle(input, 0);
    this.#perform();
    this.#wake();
  }

  #perform(): void {
    for (const effect of effectsOf(this.#core)) {
      this.#performOne(effect);
    }
  }

  #performOne(effect: MuxEffect): void {
    switch (effect.kind) {
      case "opened":
        this.#openings.get(effect.ticket)?.(this.#add(effect.id, "outbound"));
        this.#openings.delete(effect.ticket);
        break;
      case "accept":
        this.#init.onIncomingStream?.(this.#add(effect.id, "inbound"));
        break;
      case "data":
        this.#streams.get(effect.id)?.received(effect.bytes);
        break;
      case "ended":
        this.#streams.get(effect.id)?.peerEnded();
        break;
      case "written":
        this.#streams.get(effect.id)?.written();
        break;
      case "reset":
        this.#streams.get(effect.id)?.peerReset();
        break;
      case "fail":
        this.abort(effect.error);
        break;
    }
  }

  #add(id: StreamId, direction: "inbound" | "outbound"): CoreStream {
    const stream = new CoreStream(id, direction, this.#port);
    this.#streams.set(id, stream);
    return stream;
  }

  #forget(stream: CoreStream): void {
    this.#streams.delete(stream.number);
    this.#init.onStreamEnd?.(stream);
  }

  /** Fills the next record when somebody asks for one. */
  async *#records(): AsyncGenerator<Uint8Array> {
    for (;;) {
      const record = this.#core.fill(RECORD_PAYLOAD_BYTES_MAX);
      this.#perform();
      if (record !== undefined) yield record;
      else if (this.#isClosed) return;
      else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    }
  }

  async #receive(source: AsyncIterable<Bytes> | Iterable<Bytes>): Promise<void> {
    for await (const record of source) this.#give({ kind: "receive", payload: record.slice() });
    this.#isClosed = true;
    for (const stream of this.#streams.values()) stream.destroy();
    this.#wake();
  }
}

/** Makes muxers for the suite of libp2p. */
export const coreMuxerFactory: StreamMuxerFactory = {
  protocol: PROTOCOL,
  createStreamMuxer: (init = {}) => new CoreMuxer(init),
};
