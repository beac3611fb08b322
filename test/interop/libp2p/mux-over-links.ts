import type { Stream, StreamMuxer, StreamMuxerFactory, StreamMuxerInit } from "@libp2p/interface";
import { AbstractStream } from "@libp2p/utils/abstract-stream";
import type { Uint8ArrayList } from "uint8arraylist";
import { NodeIdentity } from "../../../src/identity/index.ts";
import { systemRandom } from "../../../src/io/random.ts";
import {
  type Link,
  type LinkHost,
  type LinkStream,
  openLinkHost,
} from "../../../src/link/index.ts";
import { silent } from "./silent-log.ts";

const PROTOCOL = "test";
const LOOPBACK = { host: "127.0.0.1", port: 0 };
/** Bytes that a reader may leave lying before its stream stops. */
const UNREAD_BYTES_MAX = 65_536;

type Bytes = Uint8Array | Uint8ArrayList;
type Direction = NonNullable<StreamMuxerInit["direction"]>;

/** A stream of a link as libp2p's interface has it; `AbstractStream` is theirs. */
class MuxedStream extends AbstractStream {
  readonly #stream: LinkStream;

  constructor(stream: LinkStream, direction: Direction, onEnd: (stream: MuxedStream) => void) {
    const id = systemRandom.bytes(8).join();
    super({ id, direction, log: silent, onEnd: () => onEnd(this) });
    this.#stream = stream;
    this.protocol = PROTOCOL;
    this.source = this.#resuming(this.source);
    stream.on("data", (bytes: Uint8Array) => {
      // What comes after "read no more" is not looked at: links have no such frame.
      if (this.readStatus !== "ready") return;
      this.sourcePush(bytes as never);
      if (this.sourceReadableLength() > UNREAD_BYTES_MAX) stream.pause();
    });
    stream.on("end", () => this.remoteCloseWrite());
    stream.on("error", () => this.reset());
  }

  sendNewStream(): void {}

  sendData(data: Uint8ArrayList): Promise<void> {
    return new Promise((resolve) => {
      this.#stream.write(data.subarray(), () => resolve());
    });
  }

  sendReset(): void {
    this.#stream.reset(0);
  }

  sendCloseWrite(): void {
    this.#stream.end();
  }

  sendCloseRead(): void {
    this.#stream.resume();
  }

  #resuming(source: AsyncGenerator<Uint8ArrayList>): AsyncGenerator<Uint8ArrayList> {
    const resuming = {
      next: async () => {
        const result = await source.next();
        if (this.sourceReadableLength() <= UNREAD_BYTES_MAX) this.#stream.resume();
        return result;
      },
      return: (value?: unknown) => source.return(value),
      throw: (error?: unknown) => source.throw(error),
      [Symbol.asyncIterator]: () => resuming,
      [Symbol.asyncDispose]: async () => {},
    };
    return resuming as AsyncGenerator<Uint8ArrayList>;
  }
}

/**
 * libp2p's `StreamMuxer` over one end of a link. Bytes go over the link's own sockets: through the
 * pipe that the suite lays goes the name of the link, so that a muxer that meets the wrong other
 * one is noticed, and the end of the pipe ends the link.
 */
class LinkMuxer implements StreamMuxer {
  readonly protocol = PROTOCOL;
  readonly source: AsyncGenerator<Bytes>;
  readonly sink: (source: AsyncIterable<Bytes> | Iterable<Bytes>) => Promise<void>;
  readonly #init: StreamMuxerInit;
  readonly #end: LinkEnd;
  readonly #streams = new Set<MuxedStream>();
  #isClosed = false;
  #wake: () => void = () => {};

  constructor(init: StreamMuxerInit, end: LinkEnd) {
    this.#init = init;
    this.#end = end;
    this.source = this.#name();
    this.sink = (source) => this.#expectName(source);
    end.take((stream) => init.onIncomingStream?.(this.#add(stream, "inbound")));
  }

  get streams(): Stream[] {
    return [...this.#streams];
  }

  async newStream(): Promise<Stream> {
    if (this.#isClosed) throw new Error("the muxer is closed");
    return this.#add(await this.#end.link.openStream(PROTOCOL), "outbound");
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await Promise.all([...this.#streams].map((stream) => stream.close()));
    this.#wake();
  }

  abort(error: Error): void {
    this.#isClosed = true;
    for (const stream of this.#streams) stream.abort(error);
    this.#wake();
  }

  #add(stream: LinkStream, direction: Direction): MuxedStream {
    const added = new MuxedStream(stream, direction, (ended) => {
      this.#streams.delete(ended);
      this.#init.onStreamEnd?.(ended);
    });
    this.#streams.add(added);
    return added;
  }

  /** Lasts as long as the muxer. */
  async *#name(): AsyncGenerator<Uint8Array> {
    yield this.#end.name;
    while (!this.#isClosed) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  async #expectName(source: AsyncIterable<Bytes> | Iterable<Bytes>): Promise<void> {
    for await (const name of source) {
      if (name.subarray().join() === this.#end.name.join()) continue;
      throw new Error("two ends of different links were piped");
    }
    this.#isClosed = true;
    for (const stream of this.#streams) stream.destroy();
    await this.#end.link.close();
    this.#wake();
  }
}

/** One end of a link, with the streams that come before somebody takes it. */
class LinkEnd {
  readonly link: Link;
  readonly name: Uint8Array;
  readonly #early: LinkStream[] = [];
  #onStream: ((stream: LinkStream) => void) | undefined;

  constructor(link: Link, name: Uint8Array) {
    this.link = link;
    this.name = name;
    link.handle(PROTOCOL, (stream) => {
      if (this.#onStream === undefined) this.#early.push(stream);
      else this.#onStream(stream);
    });
  }

  get isTaken(): boolean {
    return this.#onStream !== undefined;
  }

  take(onStream: (stream: LinkStream) => void): void {
    this.#onStream = onStream;
    for (const stream of this.#early.splice(0)) onStream(stream);
  }
}

type LinkEnds = Readonly<Record<Direction, LinkEnd>>;

/** Links between hosts of their own, over sockets of the loopback, two muxers on each. */
export class LinkedMuxers {
  readonly #carrier: "udp" | "tcp";
  readonly #hosts: LinkHost[] = [];
  #current: LinkEnds | undefined;
  #next: LinkEnds | undefined;

  constructor(carrier: "udp" | "tcp") {
    this.#carrier = carrier;
  }

  /** For the suite, which asks for each of two muxers. A link is ready whichever comes first. */
  async setup(): Promise<StreamMuxerFactory> {
    this.#next ??= await this.#linkUp();
    return { protocol: PROTOCOL, createStreamMuxer: (init = {}) => this.#muxer(init) };
  }

  async close(): Promise<void> {
    await Promise.all(this.#hosts.map((host) => host.close()));
  }

  #muxer(init: StreamMuxerInit): StreamMuxer {
    const direction = init.direction ?? "outbound";
    if (this.#current?.[direction].isTaken !== false) {
      this.#current = this.#next;
      this.#next = undefined;
    }
    if (this.#current === undefined) throw new Error("nothing is set up");
    return new LinkMuxer(init, this.#current[direction]);
  }

  async #linkUp(): Promise<LinkEnds> {
    const [dialler, listener] = [await this.#host(), await this.#host()];
    const accepted = new Promise<Link>((resolve) => listener.onLink(resolve));
    const link = await dialler.dial({ id: listener.id, addresses: listener.addresses });
    const name = systemRandom.bytes(16);
    return { outbound: new LinkEnd(link, name), inbound: new LinkEnd(await accepted, name) };
  }

  async #host(): Promise<LinkHost> {
    const identity = new NodeIdentity(systemRandom.bytes(32));
    const at = { [this.#carrier]: LOOPBACK };
    const host = await openLinkHost({ identity, network: "test", ...at });
    this.#hosts.push(host);
    return host;
  }
}
