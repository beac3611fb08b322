import type { Clock, SeededRandom } from "../../base/index.ts";
import { blindPublicKey } from "../../crypto/index.ts";
import { addressKey } from "../../mapservice/index.ts";
import type { StreamOptions } from "../../stream/options.ts";
import type { Transport } from "../../transport/index.ts";
import { Pattern } from "../world/pattern.ts";
import { Violation } from "../world/violation.ts";
import { RoadStream } from "./road-stream.ts";

/** Whose frames an address carries. */
export interface FrameOwner {
  /** The number of the stream. */
  readonly stream: number;
  /** The end that reads it: 0 or 1; the other one writes it. */
  readonly reader: 0 | 1;
}

/** What both ends of a stream are made from. */
export interface RoadPairInit {
  readonly number: number;
  /** Bytes that each end writes. */
  readonly bytes: number;
  readonly transports: readonly [Transport, Transport];
  readonly clock: Clock;
  readonly random: SeededRandom;
  readonly options: Partial<StreamOptions>;
  /** Told of every address that the stream reads. */
  readonly onAddress: (key: string, owner: FrameOwner) => void;
}

const PIECES = 3;
/** Between two pieces that an end writes. */
const PAUSE_MS = 1_500;

/** A stream of a world: each end writes its text, ends, and checks the text of the other. */
export class RoadPair {
  readonly #ends: readonly [RoadStream, RoadStream];
  readonly #received: [number, number] = [0, 0];
  readonly #isEnded: [boolean, boolean] = [false, false];
  #violation: Violation | undefined;

  constructor(init: RoadPairInit) {
    const secret = init.random.bytes(32);
    const end = (side: 0 | 1): RoadStream =>
      RoadStream.begin({
        transport: noting(init.transports[side], (key) =>
          init.onAddress(key, { stream: init.number, reader: side }),
        ),
        secret,
        role: side === 0 ? "listener" : "dialer",
        clock: init.clock,
        random: init.random.fork(side),
        options: init.options,
      });
    this.#ends = [end(0), end(1)];
    for (const side of [0, 1] as const) this.#check(init, side);
  }

  /** The first rule that an end has broken. */
  get violation(): Violation | undefined {
    return this.#violation;
  }

  /** Both ends have everything. */
  get isComplete(): boolean {
    return this.#isEnded[0] && this.#isEnded[1];
  }

  /** Bytes that came at both ends. */
  get receivedBytes(): number {
    return this.#received[0] + this.#received[1];
  }

  async halt(): Promise<void> {
    await Promise.all(this.#ends.map((end) => end.halt()));
  }

  #check({ number, bytes, clock }: RoadPairInit, side: 0 | 1): void {
    const stream = this.#ends[side];
    const pattern = (writer: number): Pattern => new Pattern(2 * number + writer);
    const expected = pattern(1 - side);
    stream.on("data", (chunk: Uint8Array) => {
      const wrong = expected.mismatch(this.#received[side], chunk);
      if (wrong !== undefined) this.#fail("content", `stream ${number}: byte ${wrong} is another`);
      this.#received[side] += chunk.length;
    });
    stream.once("end", () => {
      const got = this.#received[side];
      if (got !== bytes) this.#fail("end", `stream ${number} ends at ${got} of ${bytes}`);
      this.#isEnded[side] = true;
    });
    stream.on("error", (error) => this.#fail("failure", `stream ${number}: ${error.message}`));
    this.#write(stream, pattern(side), { bytes, clock });
  }

  /** Writes in a few pieces with pauses, so that faults meet streams in every state. */
  #write(
    stream: RoadStream,
    text: Pattern,
    { bytes, clock }: Pick<RoadPairInit, "bytes" | "clock">,
  ): void {
    const piece = Math.ceil(bytes / PIECES);
    for (let i = 0; i < PIECES; i++) {
      clock.schedule(clock.now() + i * PAUSE_MS, () => {
        if (stream.writable)
          stream.write(text.bytes(i * piece, Math.min(piece, bytes - i * piece)));
        if (i === PIECES - 1) stream.end();
      });
    }
  }

  #fail(rule: "content" | "end" | "failure", why: string): void {
    this.#violation ??= new Violation(rule, why);
  }
}

/** Tells the addresses that are read. */
function noting(transport: Transport, note: (key: string) => void): Transport {
  return {
    payloadSize: transport.payloadSize,
    put: (frameId, cell, options) => transport.put(frameId, cell, options),
    get: (frameId, options) => transport.get(frameId, options),
    bind: (keys) => {
      const bound = transport.bind?.(keys) ?? transport;
      const { readRoot } = keys;
      return {
        payloadSize: bound.payloadSize,
        put: (frameId, cell, options) => bound.put(frameId, cell, options),
        get: (frameId, options) => {
          if (readRoot !== undefined) note(addressKey(blindPublicKey(readRoot, frameId)));
          return bound.get(frameId, options);
        },
      };
    },
  };
}
