import type { PathConnection, PathEvents } from "./carrier.ts";

/** What a dial wants to know of its stream. */
export interface StreamWatch {
  /** Something has come, for the first time. */
  readonly heard: () => void;
  /** It is over, or is being ended. */
  readonly closed: () => void;
}

const NOBODY: PathEvents = { receive: () => {}, drained: () => {}, closed: () => {} };

/**
 * A stream with its first sign of life and its end told on the way. A class: an object literal with
 * a getter is a dictionary, and each record asks for what is unsent.
 */
export class WatchedStream implements PathConnection {
  readonly remote: PathConnection["remote"];
  readonly sendDatagram: PathConnection["sendDatagram"];
  readonly #stream: PathConnection;
  readonly #told: StreamWatch & { readonly ended: () => void };
  #isHeard = false;
  #isStarted = false;

  constructor(stream: PathConnection, told: StreamWatch & { readonly ended: () => void }) {
    this.remote = stream.remote;
    this.sendDatagram = stream.sendDatagram && ((bytes) => stream.sendDatagram?.(bytes));
    this.#stream = stream;
    this.#told = told;
  }

  get unsentBytes(): number {
    return this.#stream.unsentBytes;
  }

  get unsentBytesMax(): number | undefined {
    return this.#stream.unsentBytesMax;
  }

  get progress(): PathConnection["progress"] {
    return this.#stream.progress;
  }

  start(events: PathEvents): void {
    this.#isStarted = true;
    this.#stream.start({
      receive: (bytes) => {
        if (!this.#isHeard) this.#told.heard();
        this.#isHeard = true;
        events.receive(bytes);
      },
      missingBytes: () => events.missingBytes?.() ?? 1,
      drained: () => events.drained(),
      datagram: (bytes) => events.datagram?.(bytes),
      closed: (error) => {
        this.#told.ended();
        events.closed(error);
      },
    });
  }

  write(bytes: Uint8Array, done?: () => void): void {
    this.#stream.write(bytes, done);
  }

  setReading(isReading: boolean): void {
    this.#stream.setReading(isReading);
  }

  close(isAbrupt: boolean): void {
    this.#told.closed();
    // Of one that nobody reads the end has to be heard, too.
    if (!this.#isStarted) this.start(NOBODY);
    this.#stream.close(isAbrupt);
  }
}
