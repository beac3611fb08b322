import { FrameBuffer } from "../codec/index.ts";
import { type NodeId, nodeIdText } from "../identity/index.ts";
import type { Link, LinkHost, LinkStream } from "../link/index.ts";
import type { CarrierEvents, RequestCarrier } from "../rpc/index.ts";

/** The protocol of the streams that carry requests and replies. */
export const REQUEST_PROTOCOL = "rpc";

/** The longest message, as the receiver accepts it. */
const MESSAGE_BYTES_MAX = 1_114_112;

/** Unsent bytes for one peer; a message beyond them is lost, and the peer counts as disturbed. */
const UNSENT_BYTES_MAX = 8 * 2 ** 20;

/**
 * Requests over links: each end opens one stream for what it sends, its messages as frames (length
 * u32, bytes). The link vouches for who sent them.
 */
export class RequestsOverLinks implements RequestCarrier {
  /** A stream loses nothing without ending. */
  readonly isReliable = true;
  readonly #host: LinkHost;
  readonly #linkTo: (id: NodeId) => Promise<Link>;
  readonly #streams = new Map<string, Promise<LinkStream>>();
  readonly #incoming = new Set<LinkStream>();
  #events: CarrierEvents | undefined;

  /** @param linkTo an open link to a node, or a failure for a cause on this machine */
  constructor(host: LinkHost, linkTo: (id: NodeId) => Promise<Link>) {
    this.#host = host;
    this.#linkTo = linkTo;
  }

  start(events: CarrierEvents): void {
    this.#events = events;
    this.#host.handle(REQUEST_PROTOCOL, (stream, { peer }) => this.#listen(stream, peer));
  }

  send(peer: NodeId, bytes: Uint8Array, unsent: () => void): void {
    this.#streamTo(peer).then((stream) => {
      if (stream.writableLength > UNSENT_BYTES_MAX) {
        this.#events?.disturbed(peer);
        return;
      }
      const frame = new Uint8Array(4 + bytes.length);
      new DataView(frame.buffer).setUint32(0, bytes.length);
      frame.set(bytes, 4);
      stream.write(frame);
    }, unsent);
  }

  async close(): Promise<void> {
    this.#events = undefined;
    for (const opening of this.#streams.values()) {
      opening.then(
        (stream) => stream.destroy(),
        () => {},
      );
    }
    this.#streams.clear();
    for (const stream of this.#incoming) stream.destroy();
  }

  #listen(stream: LinkStream, peer: NodeId): void {
    const frames = new FrameBuffer(MESSAGE_BYTES_MAX);
    this.#incoming.add(stream);
    stream.on("error", () => {});
    stream.on("data", (chunk: Uint8Array) => {
      try {
        frames.push(chunk);
        for (let frame = frames.take(); frame !== undefined; frame = frames.take()) {
          this.#events?.received(peer, frame.slice());
        }
      } catch {
        stream.destroy(); // a length that no message has
      }
    });
    stream.once("end", () => stream.end());
    stream.once("close", () => {
      this.#incoming.delete(stream);
      this.#events?.disturbed(peer);
    });
  }

  #streamTo(peer: NodeId): Promise<LinkStream> {
    const key = nodeIdText(peer);
    const known = this.#streams.get(key);
    if (known !== undefined) return known;
    const forget = (): void => {
      if (this.#streams.get(key) === opening) this.#streams.delete(key);
    };
    const opening = this.#linkTo(peer)
      .then((link) => link.openStream(REQUEST_PROTOCOL, { priority: "urgent" }))
      .then((stream) => {
        stream.on("error", () => {});
        stream.resume();
        stream.once("close", () => {
          forget();
          this.#events?.disturbed(peer);
        });
        return stream;
      });
    opening.catch(forget);
    this.#streams.set(key, opening);
    return opening;
  }
}
