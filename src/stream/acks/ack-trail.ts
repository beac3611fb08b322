import type { Instant } from "../../base/index.ts";
import { Reader, Writer } from "../../codec/index.ts";
import type { Frame } from "../frame/frame.ts";
import type { AckReader } from "./ack-reader.ts";
import { ACK_PLACES, type AckWriter } from "./ack-writer.ts";

/** Two indexes of 48 bits. */
const TRAIL_BYTES = 12;

/**
 * What a probe says of the ack chains: where its sender looks for the next ack of the peer, and
 * where its own newest one is. Acks that expired before they were read, when a peer was away for
 * long, leave a gap that is wider than the places which a reader of acks watches; nobody would ever
 * find the next one behind it.
 */
export class AckTrail {
  readonly #writer: AckWriter;
  readonly #reader: AckReader;

  constructor(writer: AckWriter, reader: AckReader) {
    this.#writer = writer;
    this.#reader = reader;
  }

  /** The payload of a probe that is put now. A quiet chain is asked for the answer to it soon. */
  tell(now: Instant): Uint8Array {
    this.#reader.expect(now);
    const newest = Math.max(this.#writer.next - 1, 0);
    return new Writer(TRAIL_BYTES).u48(this.#reader.next).u48(newest).finish();
  }

  /** Takes up the trail that a frame of the peer tells of; true when the peer has lost ours. */
  follow({ type, payload }: Frame, now: Instant): boolean {
    if (type !== "probe" || payload.length !== TRAIL_BYTES) return false;
    const reader = new Reader(payload);
    const looksAt = reader.u48("next ack");
    this.#reader.passTo(reader.u48("newest ack"), now);
    return this.#writer.next >= looksAt + ACK_PLACES;
  }
}
