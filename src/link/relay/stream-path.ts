import type { PathConnection, PathEvents } from "../carrier/carrier.ts";
import type { LinkStream } from "../contract.ts";

/** A stream of a link as a path for another link: what a circuit through a relay is at its ends. */
export class StreamPath implements PathConnection {
  readonly #stream: LinkStream;
  readonly #passed: (bytes: number) => void;
  #events: PathEvents | undefined;
  #error: Error | undefined;

  /** @param passed is told of every byte that comes or goes, to check what the relay charges */
  constructor(stream: LinkStream, passed: (bytes: number) => void = () => {}) {
    this.#stream = stream;
    this.#passed = passed;
    stream.on("error", (error) => {
      this.#error = error;
    });
    stream.on("drain", () => this.#events?.drained());
    // The end of one direction is the end of a path.
    stream.on("end", () => stream.end());
    stream.on("close", () => this.#events?.closed(this.#error));
  }

  get unsentBytes(): number {
    return this.#stream.writableLength;
  }

  start(events: PathEvents): void {
    this.#events = events;
    this.#stream.on("data", (chunk: Uint8Array) => {
      this.#passed(chunk.length);
      events.receive(new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength));
    });
    if (this.#stream.closed) events.closed(this.#error);
    else this.#stream.resume();
  }

  write(bytes: Uint8Array): void {
    if (!this.#stream.writable) return;
    this.#passed(bytes.length);
    this.#stream.write(bytes);
  }

  setReading(isReading: boolean): void {
    if (isReading) this.#stream.resume();
    else this.#stream.pause();
  }

  close(isAbrupt: boolean): void {
    if (isAbrupt) this.#stream.destroy();
    else this.#stream.destroySoon();
  }
}
