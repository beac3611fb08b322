import { CulvertError, concatBytes } from "../../base/index.ts";

/** What a writer does with its pieces, and what it waits for in the end. */
export interface WriterPort {
  /** Bytes of a piece. */
  readonly size: number;
  /** Sends a piece; rejects when it is known to have failed. */
  send(piece: {
    readonly index: number;
    readonly isLast: boolean;
    readonly data: Uint8Array;
  }): Promise<void>;
  /** The reply; `undefined` when none is wanted. */
  readonly reply: Promise<Uint8Array> | undefined;
  /** Gives the message up: nobody waits for its reply any more. */
  abandon(error: Error): void;
}

/** Pieces of one message. */
const PIECES_MAX = 64;

/**
 * A message that is being written, in pieces of any size. A packet leaves as soon as it is full:
 * no more than one is held.
 */
export class MessageWriter {
  readonly #port: WriterPort;
  readonly #sent: Promise<void>[] = [];
  #held: Uint8Array = new Uint8Array(0);
  #isEnded = false;

  constructor(port: WriterPort) {
    this.#port = port;
  }

  /**
   * Takes bytes, copied.
   *
   * @throws CulvertError `CULVERT_TOO_LARGE` when the message gets longer than any may be
   */
  write(data: Uint8Array): void {
    if (this.#isEnded) throw new CulvertError("CULVERT_CLOSED", "the message has ended");
    const { size } = this.#port;
    if (this.#sent.length + (this.#held.length + data.length) / size > PIECES_MAX) {
      throw new CulvertError("CULVERT_TOO_LARGE", `a message has at most ${PIECES_MAX} packets`);
    }
    let held = concatBytes(this.#held, data);
    // A full packet waits for one byte more: only then is it known not to be the last.
    while (held.length > size) {
      this.#send(held.subarray(0, size), false);
      held = held.slice(size);
    }
    this.#held = held;
  }

  /**
   * Ends the message, and waits for its reply if one is wanted.
   *
   * @throws CulvertError `CULVERT_UNREACHABLE` when a hop has failed, with its number in the detail
   *   when that is known, `CULVERT_TIMEOUT` when nothing was heard
   */
  async end(): Promise<Uint8Array | undefined> {
    if (this.#isEnded) throw new CulvertError("CULVERT_CLOSED", "the message has ended");
    this.#isEnded = true;
    this.#send(this.#held, true);
    const { reply, abandon } = this.#port;
    const sent = Promise.all(this.#sent);
    sent.catch((error: Error) => abandon(error));
    if (reply !== undefined) return reply;
    await sent;
    return undefined;
  }

  #send(data: Uint8Array, isLast: boolean): void {
    const sent = this.#port.send({ index: this.#sent.length, isLast, data });
    // Looked at in the end; until then nobody is to be told that nobody looks.
    sent.catch(() => {});
    this.#sent.push(sent);
  }
}
