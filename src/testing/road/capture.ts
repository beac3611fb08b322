import type { Clock, Instant } from "../../base/index.ts";
import { nodeIdText } from "../../identity/index.ts";
import type { Link, LinkHost, LinkStream, StreamHandler } from "../../link/index.ts";

/** Some bytes of one stream of a link, as one of its two ends sees them in the clear. */
export interface Sight {
  readonly atMs: Instant;
  readonly isSent: boolean;
  readonly bytes: Uint8Array;
}

/** One end of one stream of a link, and all that passed it there. */
export interface StreamEnd {
  /** Whose end it is, and who has the other one: node ids in hexadecimal. */
  readonly node: string;
  readonly peer: string;
  readonly protocol: string;
  /** Whether this end opened the stream. */
  readonly isOpener: boolean;
  readonly sights: Sight[];
}

/** Makes a node do to what it sends on a stream what an honest one does not; `undefined`: drops. */
export type Misdeed = (protocol: string, bytes: Uint8Array) => Uint8Array | undefined;

/**
 * Everything that the nodes and clients of a world say to each other, in the clear: what all of
 * them would know if they told each other everything. The judge of what each one alone can see.
 */
export class Capture {
  readonly ends: StreamEnd[] = [];
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Watches the streams of a host from now on; what it sends passes `misdeed` first. */
  watch(host: LinkHost, options: { keeps: boolean; misdeed?: Misdeed | undefined }): LinkHost {
    const node = nodeIdText(host.id);
    const watched = (stream: LinkStream, link: Link, isOpener: boolean): LinkStream => {
      const peer = nodeIdText(link.peer);
      const end: StreamEnd = { node, peer, protocol: stream.protocol, isOpener, sights: [] };
      if (options.keeps) this.ends.push(end);
      return this.#tap(stream, options.keeps ? end : undefined, options.misdeed);
    };
    host.onLink((link) => {
      const openStream = link.openStream.bind(link);
      link.openStream = async (protocol, how) =>
        watched(await openStream(protocol, how), link, true);
    });
    const handle = host.handle.bind(host);
    host.handle = (protocol: string, onStream: StreamHandler) =>
      handle(protocol, (stream, link) => onStream(watched(stream, link, false), link));
    return host;
  }

  /** Keeps what passes a stream, by standing in for the two methods through which it does. */
  #tap(stream: LinkStream, end: StreamEnd | undefined, misdeed: Misdeed | undefined): LinkStream {
    const note = (isSent: boolean, chunk: unknown): void => {
      if (end === undefined || !(chunk instanceof Uint8Array)) return;
      end.sights.push({ atMs: this.#clock.now(), isSent, bytes: chunk.slice() });
    };
    const { protocol } = stream;
    const push = stream.push.bind(stream);
    stream.push = (chunk: unknown, encoding?: BufferEncoding) => {
      note(false, chunk);
      return push(chunk, encoding);
    };
    const write = stream.write.bind(stream);
    const send = (bytes: Uint8Array, written?: (error?: Error | null) => void): boolean => {
      const said = misdeed === undefined ? bytes : misdeed(protocol, bytes);
      if (said === undefined) return true;
      note(true, said);
      return write(said, written);
    };
    return Object.assign(stream, { write: send });
  }
}
