import { type ErrorCode, SeededRandom, utf8 } from "../../src/base/index.ts";
import { Chain, sealCell } from "../../src/crypto/index.ts";
import { StreamCore } from "../../src/stream/core/stream-core.ts";
import { assembleLoaded, capabilitiesOf } from "../../src/stream/duplex/assemble.ts";
import {
  decodeFrame,
  encodeFrame,
  type Frame,
  NO_ACKNOWLEDGEMENT,
  NO_MARK,
  payloadBytesMax,
} from "../../src/stream/frame/frame.ts";
import { DATA_CONTEXT, keysFrom } from "../../src/stream/frame/frame-keys.ts";
import { secretToText } from "../../src/stream/index.ts";
import { problemOf } from "../../src/stream/multicast/broadcast-frame.ts";
import {
  decodeBroadcastState,
  decodeWholeBroadcast,
  encodeBroadcastState,
  encodeWholeBroadcast,
} from "../../src/stream/multicast/broadcast-state.ts";
import {
  decodeSubscriptionState,
  encodeSubscriptionState,
} from "../../src/stream/multicast/subscription-state.ts";
import { resolveOptions } from "../../src/stream/options.ts";
import {
  decodeState,
  decodeWholeState,
  encodeWholeState,
} from "../../src/stream/saved/state-codec.ts";
import { secretFromText } from "../../src/stream/secret.ts";
import { VirtualClock } from "../../src/testing/index.ts";
import { changed, type FuzzTarget, refusedOr, roundTrip } from "./fuzz.ts";

const CELL_BYTES = 128;
const PLAIN_BYTES = payloadBytesMax(CELL_BYTES) + 32;
const random = new SeededRandom(12);
const SECRET = random.bytes(32);
const KEYS = { a: capabilitiesOf(SECRET, "listener"), b: capabilitiesOf(SECRET, "dialer") };
const BAD_STATE: readonly ErrorCode[] = ["CULVERT_BAD_STATE"];

const FRAMES: readonly Frame[] = [
  { type: "start", payload: Uint8Array.of(0, 1, 2) },
  { type: "data", payload: random.bytes(payloadBytesMax(CELL_BYTES)) },
  { type: "end", payload: Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 2) },
  { type: "ack", payload: new Uint8Array(0) },
  { type: "probe", payload: new Uint8Array(0) },
  { type: "reset", payload: new Uint8Array(0) },
].map((some, index) => ({
  ...(some as Pick<Frame, "type" | "payload">),
  previous: NO_MARK,
  acknowledgement: { ...NO_ACKNOWLEDGEMENT, credit: 9 * index },
  flags: index,
}));
const PLAIN_FRAMES = FRAMES.map((frame) => encodeFrame(frame, new Uint8Array(PLAIN_BYTES)));

/** A core that has something of everything in its state. */
function startedCore(seed: number): StreamCore {
  const options = resolveOptions({ durable: true });
  const dice = new SeededRandom(seed);
  const core = new StreamCore({ ...KEYS.a, cellBytes: CELL_BYTES, random: dice, options });
  core.handle({ kind: "start", unixMs: 1e12 }, 0);
  core.handle({ kind: "write", bytes: dice.bytes(300) }, 1);
  return core;
}

/** A core whose gets are answered, with anything. */
class Questions {
  readonly core: StreamCore;
  /** In the order of their indexes: frame 0 is asked for first. */
  readonly gets: number[] = [];
  now = 2;

  constructor(seed: number) {
    this.core = startedCore(seed);
    this.#drain();
  }

  get isOver(): boolean {
    return this.core.deadline() === Number.POSITIVE_INFINITY;
  }

  got(request: number, cell: Uint8Array): void {
    this.now += 1;
    this.core.handle({ kind: "got", request, cell: cell.slice() }, this.now);
    this.#drain();
    this.core.timeout(this.core.deadline());
    this.#drain();
  }

  #drain(): void {
    for (let effect = this.core.poll(); effect !== undefined; effect = this.core.poll()) {
      if (effect.kind === "get") this.gets.push(effect.request);
      if (effect.kind === "turn") this.core.handle(effect, this.now);
      if (effect.kind !== "journal") continue;
      this.core.handle({ kind: "journaled", commit: effect.commit }, this.now);
    }
  }
}

let questions = new Questions(1);
const peerKeys = keysFrom(Chain.fromBytes(KEYS.b.write.chain.toBytes()), DATA_CONTEXT);

/** A peer that has the keys seals whatever it likes; the Map answers with whatever it likes. */
function runPeer(bytes: Uint8Array, dice: SeededRandom): void {
  const plain = new Uint8Array(PLAIN_BYTES);
  plain.set(bytes.subarray(0, PLAIN_BYTES));
  const cell = new Uint8Array(CELL_BYTES);
  const { key } = peerKeys.at(dice.below(2));
  sealCell(key, dice.bytes(24), plain, cell);
  const request = questions.gets[dice.below(Math.min(2, questions.gets.length))] ?? 0;
  questions.got(request, dice.below(8) === 0 ? changed(dice, cell) : cell);
  if (questions.isOver || questions.now > 500) questions = new Questions(dice.uint32());
}

function wholeState(): Uint8Array {
  const core = startedCore(3);
  const frames = new Map<string, Uint8Array>();
  for (let effect = core.poll(); effect !== undefined; effect = core.poll()) {
    if (effect.kind !== "journal") continue;
    for (const { name, bytes } of effect.changes.put) frames.set(name, bytes);
    core.handle({ kind: "journaled", commit: effect.commit }, 3);
  }
  for (const [name, bytes] of core.residentFrames()) frames.set(name, bytes);
  return encodeWholeState({ state: core.state(), frames });
}

const clock = new VirtualClock();
const transport = {
  payloadSize: CELL_BYTES,
  put: () => Promise.reject(new Error("not asked")),
  get: () => Promise.reject(new Error("not asked")),
};

/** A stream that goes on from a state: refused, or a core that keeps its contract. */
async function runResumed(bytes: Uint8Array): Promise<void> {
  const whole = refusedOr(BAD_STATE, () => decodeWholeState(bytes));
  // The number of frames is bounded, but a million of them take their time.
  if (whole === undefined || whole.state.sender.next - whole.state.sender.base > 1_000) return;
  const context = { transport, clock, random: new SeededRandom(1), options: {} };
  const codes: readonly ErrorCode[] = [...BAD_STATE, "CULVERT_GEOMETRY_CHANGED"];
  let core: StreamCore;
  try {
    ({ core } = await assembleLoaded(whole, context));
  } catch (error) {
    refusedOr(codes, () => {
      throw error;
    });
    return;
  }
  core.handle({ kind: "start", unixMs: 1e12 }, 0);
  for (let now = 1; now < 4; now++) {
    for (let effect = core.poll(); effect !== undefined; effect = core.poll()) {
      if (effect.kind === "journal") {
        core.handle({ kind: "journaled", commit: effect.commit }, now);
      } else if (effect.kind === "recall") {
        const found = whole.frames.get(effect.name);
        core.handle({ kind: "recalled", name: effect.name, bytes: found }, now);
      } else if (effect.kind === "turn") core.handle(effect, now);
    }
    core.timeout(now);
  }
}

const BROADCAST = {
  cellBytes: CELL_BYTES,
  writeSeed: random.bytes(32),
  base: 3,
  storedBelow: 4,
  next: 5,
  storedBytes: 60,
  framer: { framedBytes: 99, endAsked: true, isEndFramed: false, waitingBytes: 3 },
  generations: [{ from: 3, bornUnixMs: 7 }],
  grantedSeconds: 600,
  mark: 77,
  oldestChain: KEYS.a.write.chain.toBytes(),
  chain: KEYS.a.write.chain.next().next().toBytes(),
  readers: [{ root: KEYS.b.write.root, next: 1, chain: KEYS.b.write.chain.toBytes() }],
  resetIndex: undefined,
  isDone: false,
};

const SUBSCRIPTION = {
  cellBytes: CELL_BYTES,
  root: KEYS.b.write.root,
  position: { next: 4, nextOffset: 100, takenOffset: 120, mark: 77 },
  chain: KEYS.a.write.chain.toBytes(),
  isWhole: true,
  skippedFrames: 0,
  repair: {
    seed: random.bytes(32),
    next: 3,
    stored: 1,
    pending: [2],
    chain: KEYS.b.write.chain.toBytes(),
  },
  isDone: false,
};

// What is changed below must be whole before.
decodeWholeState(wholeState());
decodeBroadcastState(encodeBroadcastState(BROADCAST));
decodeSubscriptionState(encodeSubscriptionState(SUBSCRIPTION));

/** Every parser of the stream that reads what a peer, a Map or a disk made. */
export const STREAM_TARGETS: readonly FuzzTarget[] = [
  {
    name: "frame",
    seeds: PLAIN_FRAMES,
    run: (bytes) =>
      roundTrip(bytes, [], () => {
        const decoded = decodeFrame(bytes);
        if (decoded.kind !== "frame") return undefined;
        return encodeFrame(decoded.frame, new Uint8Array(bytes.length));
      }),
  },
  {
    name: "frame of a broadcast",
    seeds: PLAIN_FRAMES,
    run: (bytes, dice) => {
      const decoded = decodeFrame(bytes);
      if (decoded.kind === "frame") problemOf(decoded.frame, dice.below(2) === 0);
    },
  },
  { name: "frames that a peer has sealed", seeds: PLAIN_FRAMES, run: runPeer },
  {
    name: "state, and going on from it",
    seeds: [wholeState()],
    run: (bytes, dice) => {
      refusedOr(BAD_STATE, () => decodeState(bytes));
      // A whole core for each would take hours.
      if (dice.below(16) > 0) return;
      return runResumed(bytes);
    },
  },
  {
    name: "state of a broadcast",
    seeds: [
      encodeBroadcastState(BROADCAST),
      encodeWholeBroadcast({ state: BROADCAST, frames: new Map([["d3", random.bytes(9)]]) }),
    ],
    run: (bytes) => {
      refusedOr(BAD_STATE, () => decodeBroadcastState(bytes));
      refusedOr(BAD_STATE, () => decodeWholeBroadcast(bytes));
    },
  },
  {
    name: "state of a subscription",
    seeds: [encodeSubscriptionState(SUBSCRIPTION)],
    run: (bytes) => {
      refusedOr(BAD_STATE, () => decodeSubscriptionState(bytes));
    },
  },
  {
    name: "secret as text",
    seeds: [utf8(secretToText(SECRET))],
    run: (bytes) => {
      const text = String.fromCharCode(...bytes);
      const secret = refusedOr(["CULVERT_BAD_TICKET"], () => secretFromText(text));
      if (secret === undefined) return;
      const again = secretToText(secret);
      if (again !== text.trim().toLowerCase()) throw new Error(`${text} is taken for ${again}`);
    },
  },
];
