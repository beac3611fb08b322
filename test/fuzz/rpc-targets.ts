import { Duplex } from "node:stream";
import { concatBytes, equalBytes, isCulvertError, SeededRandom } from "../../src/base/index.ts";
import { encodeCbor, Writer } from "../../src/codec/index.ts";
import { DIAL_BACK_ANSWER, DIAL_BACK_QUESTION } from "../../src/node/reach/dial-back.ts";
import { MessageLane } from "../../src/rpc/connection/message-lane.ts";
import type { ByteDuplex, PeerLink } from "../../src/rpc/index.ts";
import { decodeEnvelope, type Envelope, encodeEnvelope } from "../../src/rpc/message/envelope.ts";
import { decodeMeta, encodeMeta } from "../../src/rpc/message/meta.ts";
import { encodeFailure, readFailure } from "../../src/rpc/request/failure.ts";
import {
  CALL_FRAME,
  encodeCallFrame,
  encodeOpening,
  readOpening,
} from "../../src/rpc/streaming/call-frame.ts";
import { FrameStream } from "../../src/rpc/streaming/frame-stream.ts";
import { resolveStreamCallLimits } from "../../src/rpc/streaming/stream-limits.ts";
import { type FuzzTarget, roundTrip } from "./fuzz.ts";
import { ADDRESSES } from "./identity-targets.ts";
import { RequestLife } from "./request-life.ts";

const random = new SeededRandom(38);
const BODY_BYTES_MAX = 600;
const PROTOCOL = ["CULVERT_PROTOCOL"] as const;

const nonce = random.bytes(32);
const reference = random.bytes(32);
const session = random.bytes(16);
const meta = encodeMeta({ trace: "7", tenant: "a" });
const body = random.bytes(30);
const REQUEST = { kind: "request", nonce, session, type: "test.ask", meta, body } as const;
const ENVELOPES: readonly Envelope[] = [
  { kind: "hello", nonce },
  { kind: "session", nonce, reference, session },
  { ...REQUEST, number: 1, floor: 0, hardMs: 1_000 },
  { ...REQUEST, number: 2 ** 40, floor: 2 ** 32, hardMs: 2 ** 32 - 1, meta: new Uint8Array(0) },
  { kind: "reply", nonce, reference, type: "test.ask", isFailure: false, body },
  { kind: "lost", nonce, reference },
  { kind: "settled", nonce, session, floor: 3, numbers: [3, 200, 2 ** 33] },
];
const ENVELOPE_SEEDS = ENVELOPES.map((envelope) => encodeEnvelope(envelope).slice());

const METAS = [meta, encodeCbor({ a: "", "1": "b", é: "ü" }), encodeCbor({ a: 1 })];
const OPENING = {
  method: "test.talk",
  kind: "duplex",
  totalMs: 9_000,
  meta,
  request: body,
} as const;
const OPENINGS = (["serverStream", "raw"] as const).map((kind) => {
  return encodeOpening({ ...OPENING, kind });
});
const FAILURES = [undefined, "no room"].map((message) => {
  return encodeFailure({ code: "CULVERT_FULL", ...(message !== undefined && { message }) });
});
const CALL_FRAMES = [
  encodeCallFrame(CALL_FRAME.open, OPENINGS[0] ?? body),
  encodeCallFrame(CALL_FRAME.item, body),
  encodeCallFrame(CALL_FRAME.end, new Uint8Array(0)),
  encodeCallFrame(CALL_FRAME.failed, FAILURES[0] ?? body),
  encodeCallFrame(CALL_FRAME.accepted, new Uint8Array(0)),
];
const framed = (bytes: Uint8Array): Uint8Array =>
  concatBytes(new Writer(4).u32(bytes.length).finish(), bytes);

/** A stream that the peer writes to. */
function streamOf(): Duplex {
  return new Duplex({ read: () => {}, write: (_chunk, _encoding, done) => done() });
}

/** Gives a stream these bytes in two pieces. */
function pour(stream: Duplex, bytes: Uint8Array, dice: SeededRandom): void {
  const cut = dice.below(bytes.length + 1);
  for (const piece of [bytes.slice(0, cut), bytes.slice(cut)]) {
    if (piece.length > 0 && !stream.destroyed) stream.push(piece);
    stream.read();
  }
}

/** Messages whose lengths were put before them, as far as they are whole and short enough. */
function wholeFrames(bytes: Uint8Array, bytesMax: number): { all: Uint8Array; isGood: boolean } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let at = 0;
  while (bytes.length - at >= 4) {
    const length = view.getUint32(at);
    if (length === 0 || length > bytesMax) return { all: bytes.subarray(0, at), isGood: false };
    if (bytes.length - at - 4 < length) break;
    at += 4 + length;
  }
  return { all: bytes.subarray(0, at), isGood: true };
}

/** A lane that lives through the whole run; each case is a stream of the peer. */
class LaneLife {
  readonly #lane: MessageLane;
  #received: Uint8Array[] = [];
  #take: (stream: ByteDuplex) => void = () => {};

  constructor() {
    const link: PeerLink = {
      peer: new Uint8Array(32),
      isOpen: true,
      openStream: () => Promise.reject(new Error("nothing is said to the peer here")),
      handle: (_protocol, onStream) => {
        this.#take = onStream;
        return () => {};
      },
      onClose: () => () => {},
    };
    const received = (bytes: Uint8Array): void => void this.#received.push(framed(bytes));
    const nothing = (): void => {};
    const events = { received, full: nothing, disturbed: nothing, closed: nothing };
    this.#lane = new MessageLane(link, events, BODY_BYTES_MAX);
  }

  async next(given: Uint8Array, dice: SeededRandom): Promise<void> {
    const bytes = given.slice();
    this.#received = [];
    const stream = streamOf();
    const closed = new Promise((resolve) => stream.once("close", resolve));
    this.#take(stream);
    pour(stream, bytes, dice);
    const { all, isGood } = wholeFrames(bytes, BODY_BYTES_MAX);
    if (stream.destroyed === isGood) throw new Error("cut, or not, for no reason");
    if (!equalBytes(concatBytes(...this.#received), all)) throw new Error("not as they were sent");
    this.#lane.setReading(true);
    stream.destroy();
    await closed;
  }
}

const LIMITS = resolveStreamCallLimits({ itemBytesMax: 600, queuedBytesHigh: 900 });

/** The frames of one call, read until it has no more of them, or the next is none. */
async function runCall(given: Uint8Array, dice: SeededRandom): Promise<void> {
  const bytes = given.slice();
  const stream = streamOf();
  const frames = new FrameStream(stream, LIMITS);
  const taken: Uint8Array[] = [];
  const reading = readAll(frames, taken);
  pour(stream, bytes, dice);
  if (!stream.destroyed) stream.push(null);
  const failure = await reading;
  const { all, isGood } = wholeFrames(bytes, LIMITS.itemBytesMax + 2_048);
  if (!equalBytes(concatBytes(...taken), all)) throw new Error("not as they were sent");
  const isWhole = isGood && all.length === bytes.length;
  if (isWhole !== (failure === undefined)) throw new Error("failed, or not, for no reason");
  stream.destroy();
}

async function readAll(frames: FrameStream, taken: Uint8Array[]): Promise<Error | undefined> {
  try {
    for (let frame = await frames.next(); frame !== undefined; frame = await frames.next()) {
      taken.push(encodeCallFrame(frame.type, frame.body));
    }
    return undefined;
  } catch (error) {
    if (isCulvertError(error, "CULVERT_PROTOCOL")) return error;
    throw error;
  }
}

const lane = new LaneLife();
const requests = new RequestLife();

/** Messages, calls and what is in them; and questions for the own addresses. */
export const RPC_TARGETS: readonly FuzzTarget[] = [
  {
    name: "message",
    seeds: ENVELOPE_SEEDS,
    run: (bytes) =>
      roundTrip(bytes, PROTOCOL, () => encodeEnvelope(decodeEnvelope(bytes, BODY_BYTES_MAX))),
  },
  {
    name: "meta",
    seeds: METAS,
    run: (bytes) => roundTrip(bytes, PROTOCOL, () => encodeMeta(decodeMeta(bytes))),
  },
  {
    name: "opening of a call",
    seeds: OPENINGS,
    run: (bytes) => roundTrip(bytes, PROTOCOL, () => encodeOpening(readOpening(bytes))),
  },
  {
    name: "failure",
    seeds: FAILURES,
    run: (bytes) => {
      const error = readFailure(bytes);
      if (error.message.length > 256) throw new Error("a long message");
    },
  },
  {
    name: "lane of messages",
    seeds: ENVELOPE_SEEDS.map(framed),
    run: (bytes, dice) => lane.next(bytes, dice),
  },
  { name: "frames of a call", seeds: CALL_FRAMES, run: runCall },
  { name: "core", seeds: ENVELOPE_SEEDS, run: (bytes, dice) => requests.next(bytes, dice) },
  {
    name: "question to be dialled back",
    seeds: [DIAL_BACK_QUESTION.encode(ADDRESSES), DIAL_BACK_QUESTION.encode([])],
    run: (bytes) =>
      roundTrip(bytes, PROTOCOL, () => DIAL_BACK_QUESTION.encode(DIAL_BACK_QUESTION.decode(bytes))),
  },
  {
    name: "answer of who dialled back",
    seeds: [DIAL_BACK_ANSWER.encode(["met", "missed", "untried", "met"])],
    run: (bytes) =>
      roundTrip(bytes, PROTOCOL, () => DIAL_BACK_ANSWER.encode(DIAL_BACK_ANSWER.decode(bytes))),
  },
];
