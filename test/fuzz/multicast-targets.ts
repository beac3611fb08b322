import { assert, SeededRandom, toHex } from "../../src/base/index.ts";
import { Chain, sealCell, WriteCapability } from "../../src/crypto/index.ts";
import type { StreamEffect } from "../../src/stream/exchange/protocol.ts";
import {
  decodeFrame,
  encodeFrame,
  type Frame,
  markOf,
  NO_ACKNOWLEDGEMENT,
  NO_MARK,
  payloadBytesMax,
} from "../../src/stream/frame/frame.ts";
import {
  ACK_CONTEXT,
  DATA_CONTEXT,
  type FrameKey,
  keysFrom,
} from "../../src/stream/frame/frame-keys.ts";
import { Mode } from "../../src/stream/mode.ts";
import {
  resolveBroadcastOptions,
  resolveSubscriptionOptions,
} from "../../src/stream/multicast/options.ts";
import { RepairCore, type RepairEffect } from "../../src/stream/multicast/repair-core.ts";
import { SubscriptionCore } from "../../src/stream/multicast/subscription-core.ts";
import { effectsOf } from "../effects-of.ts";
import { changed, type FuzzTarget } from "./fuzz.ts";

const CELL_BYTES = 128;
const PLAIN_BYTES = payloadBytesMax(CELL_BYTES) + 32;
const random = new SeededRandom(14);
const WRITER = WriteCapability.generate(random);
const REPAIR = WriteCapability.generate(random);
/** Frames of a chain that the hostile party seals: where a reader looks further, there is noise. */
const SEALED_MAX = 300;
/** Effects of one input; more of them are a core that never rests. */
const EFFECTS_MAX = 5_000;
const INPUTS_MAX = 1_000;
/** One frame of so many is in no Map: it is asked for, and in the end passed over. */
const LOST_EVERY = 12;

/** What seals the frames of a chain, by the name under which a core asks for each of them. */
function keysOf(chain: Chain, context: Uint8Array): ReadonlyMap<string, FrameKey & Place> {
  const keys = keysFrom(Chain.fromBytes(chain.toBytes()), context);
  const places = Array.from({ length: SEALED_MAX }, (_, index) => ({ ...keys.at(index), index }));
  return new Map(places.map((place) => [toHex(place.frameId), place]));
}

interface Place {
  readonly index: number;
}

const WRITER_KEYS = keysOf(WRITER.chain, DATA_CONTEXT);
const REPAIR_KEYS = keysOf(REPAIR.chain, ACK_CONTEXT);

function plainFrames(frames: readonly Partial<Frame>[]): Uint8Array[] {
  const empty = { payload: new Uint8Array(0), acknowledgement: NO_ACKNOWLEDGEMENT, flags: 0 };
  const base: Frame = { type: "data", previous: NO_MARK, ...empty };
  return frames.map((frame) => encodeFrame({ ...base, ...frame }, new Uint8Array(PLAIN_BYTES)));
}

const BROADCAST_FRAMES = plainFrames([
  { type: "start", payload: Uint8Array.of(Mode.Multicast, 1, 2) },
  ...Array.from({ length: 40 }, (_, i) => ({ payload: random.bytes(i) })),
  { type: "end", payload: new Uint8Array(11) },
  { type: "reset" },
]);
/** By these, a frame names the one before it. */
const NONCES = Array.from({ length: SEALED_MAX }, () => random.bytes(24));

const QUESTIONS = plainFrames(
  [0, 40, 0xffff].map((credit) => {
    return { type: "ack", acknowledgement: { next: credit, credit, selective: random.bytes(14) } };
  }),
);

type AnyCore = SubscriptionCore | RepairCore;

/** A core whose requests are answered with anything, and by a disk that does its work at once. */
class Fed<C extends AnyCore> {
  readonly core: C;
  readonly #disk = new Map<string, Uint8Array>();
  readonly #gets = new Map<number, string>();
  readonly #judge: (effect: StreamEffect | RepairEffect, now: number) => void;
  #isOver = false;
  inputs = 0;
  now = 1;

  constructor(core: C, judge: (effect: StreamEffect | RepairEffect, now: number) => void) {
    this.core = core;
    this.#judge = judge;
    core.handle({ kind: "start", unixMs: 1e12 }, this.now);
    this.drain();
  }

  get isWornOut(): boolean {
    return this.#isOver || this.inputs > INPUTS_MAX;
  }

  /** One of the gets that are open, and the place that it is for. */
  question(dice: SeededRandom): { request: number; frameId: string } | undefined {
    const open = [...this.#gets].slice(0, 8);
    const [request, frameId] = open[dice.below(open.length)] ?? [];
    return request === undefined || frameId === undefined ? undefined : { request, frameId };
  }

  /** The answer, or none; and some time, in which requests may be late. */
  answer(request: number, cell: Uint8Array | undefined, dice: SeededRandom): void {
    this.inputs += 1;
    this.#gets.delete(request);
    if (cell !== undefined)
      this.core.handle({ kind: "got", request, cell: cell.slice() }, this.now);
    else this.core.handle({ kind: "failed", request, code: "CULVERT_NOT_FOUND" }, this.now);
    this.drain();
    this.wait(dice);
  }

  wait(dice: SeededRandom): void {
    const deadline = this.core.deadline();
    const isSoon = deadline < this.now + 100 || dice.below(3) === 0;
    this.now = Math.max(this.now + 1, isSoon && Number.isFinite(deadline) ? deadline : 0);
    this.core.timeout(this.now);
    this.drain();
  }

  drain(): void {
    let effects = 0;
    for (const effect of effectsOf(this.core)) {
      assert(!this.#isOver, "nothing comes after the end");
      assert(effects++ < EFFECTS_MAX, "a core rests when it has nothing to do");
      this.#judge(effect, this.now);
      this.#perform(effect);
    }
  }

  #perform(effect: StreamEffect | RepairEffect): void {
    const { core, now } = this;
    if (effect.kind === "get") this.#gets.set(effect.request, toHex(effect.frameId));
    if (effect.kind === "cancel") this.#gets.delete(effect.request);
    if (effect.kind === "turn") core.handle(effect, now);
    if (effect.kind === "put") {
      const { request } = effect;
      // A hostile Map has another's cell in every fourth place.
      if (request % 4 > 0) core.handle({ kind: "stored", request, ttlSeconds: request % 3 }, now);
      else core.handle({ kind: "failed", request, code: "CULVERT_CONFLICT" }, now);
    }
    if (effect.kind === "journal") {
      for (const { name, bytes } of effect.changes.put) this.#disk.set(name, bytes);
      core.handle({ kind: "journaled", commit: effect.commit }, now);
    }
    if (effect.kind === "recall") {
      core.handle({ kind: "recalled", name: effect.name, bytes: this.#disk.get(effect.name) }, now);
    }
    if (effect.kind === "fail" || effect.kind === "done") this.#isOver = true;
  }
}

/** A subscription whose application takes what it gets, and what may never happen to it. */
class HostileBroadcast {
  readonly fed: Fed<SubscriptionCore>;
  #offset = 0;

  constructor(dice: SeededRandom) {
    const durable = dice.below(2) === 0;
    const onLag = dice.below(2) === 0 ? "skip" : "error";
    const limits = { receiveFramesMax: 32, gapLimitMs: dice.below(2) === 0 ? 5_000 : 200_000 };
    const options = resolveSubscriptionOptions({ durable, onLag, ...limits });
    const read = WRITER.readCapability();
    const repair = dice.below(2) === 0 ? REPAIR : undefined;
    const core = new SubscriptionCore({
      read,
      repair,
      cellBytes: CELL_BYTES,
      random: dice,
      options,
    });
    this.fed = new Fed(core, (effect) => this.#judge(effect));
  }

  /** A cell of what the writer wants to say; mostly one that goes on where the last one ended. */
  seal(frameId: string, plain: Uint8Array, dice: SeededRandom): Uint8Array | undefined {
    const place = WRITER_KEYS.get(frameId);
    if (place === undefined) return dice.below(4) > 0 ? undefined : dice.bytes(CELL_BYTES);
    const { index } = place;
    if (index % LOST_EVERY === LOST_EVERY - 1) return undefined;
    const isOdd = dice.below(32) === 0;
    return sealed(place, isOdd ? plain : this.#fitting(index, plain), NONCES[index] ?? plain);
  }

  take(dice: SeededRandom): void {
    if (dice.below(3) > 0) return;
    this.fed.core.handle({ kind: "taken", offset: this.#offset }, this.fed.now);
    this.fed.drain();
  }

  /** What a writer would seal at this place, but for an end that comes when it likes. */
  #fitting(index: number, plain: Uint8Array): Uint8Array {
    const decoded = decodeFrame(index === 0 ? (BROADCAST_FRAMES[0] ?? plain) : plain);
    if (decoded.kind !== "frame") return plain;
    const { frame } = decoded;
    const payload = frame.payload.slice();
    if (frame.type === "end" && payload.length >= 8) {
      new DataView(payload.buffer).setBigUint64(0, BigInt(this.#offset + payload.length - 8));
    }
    const type = frame.type === "start" && index > 0 ? "data" : frame.type;
    const previous = markOf(NONCES[index - 1] ?? new Uint8Array(24));
    return encodeFrame({ ...frame, type, payload, previous }, new Uint8Array(PLAIN_BYTES));
  }

  #judge(effect: StreamEffect | RepairEffect): void {
    if (effect.kind !== "deliver") return;
    assert(effect.offset === this.#offset, "bytes follow one another");
    this.#offset += effect.bytes.length;
  }
}

let broadcast = new HostileBroadcast(new SeededRandom(1));

/** A writer of a broadcast seals whatever it likes, and its Map answers when it likes. */
function runBroadcast(bytes: Uint8Array, dice: SeededRandom): void {
  const { fed } = broadcast;
  const question = fed.question(dice);
  if (question === undefined) fed.wait(dice);
  else {
    const cell = broadcast.seal(question.frameId, filled(bytes), dice);
    fed.answer(question.request, disturbed(cell, dice), dice);
  }
  fed.inputs += 1;
  broadcast.take(dice);
  if (fed.isWornOut) broadcast = new HostileBroadcast(new SeededRandom(dice.uint32()));
}

const REPAIR_OPTIONS = resolveBroadcastOptions({});

/** A repair core, which no reader may make hear more often than once in a period. */
function repairCore(seed: number): Fed<RepairCore> {
  const position = { root: REPAIR.root, next: 0, chain: REPAIR.chain.toBytes() };
  const parts = { cellBytes: CELL_BYTES, random: new SeededRandom(seed), options: REPAIR_OPTIONS };
  let heard = { at: Number.NEGATIVE_INFINITY, next: 0 };
  return new Fed(new RepairCore({ position, ...parts }), (effect, now) => {
    if (effect.kind !== "asked") return;
    const { next } = effect.position;
    assert(now >= heard.at + REPAIR_OPTIONS.repairEveryMs, "a reader is heard once in a period");
    assert(next > heard.next, "a question is heard once");
    heard = { at: now, next };
  });
}

let asking = repairCore(1);

/** A reader seals whatever it likes on its repair chain. */
function runRepair(bytes: Uint8Array, dice: SeededRandom): void {
  const question = asking.question(dice);
  const place = question && REPAIR_KEYS.get(question.frameId);
  asking.inputs += 1;
  if (question === undefined) asking.wait(dice);
  else {
    const cell = place ? sealed(place, filled(bytes), dice.bytes(24)) : dice.bytes(CELL_BYTES);
    asking.answer(question.request, disturbed(cell, dice), dice);
  }
  if (asking.isWornOut) asking = repairCore(dice.uint32());
}

function filled(bytes: Uint8Array): Uint8Array {
  const plain = new Uint8Array(PLAIN_BYTES);
  plain.set(bytes.subarray(0, PLAIN_BYTES));
  return plain;
}

function sealed({ key }: FrameKey, plain: Uint8Array, nonce: Uint8Array): Uint8Array {
  const cell = new Uint8Array(CELL_BYTES);
  sealCell(key, nonce, plain, cell);
  return cell;
}

/** What becomes of a cell on the way: mostly nothing. */
function disturbed(cell: Uint8Array | undefined, dice: SeededRandom): Uint8Array | undefined {
  const kind = dice.below(12);
  if (kind === 0 && cell !== undefined) return changed(dice, cell);
  return kind === 1 ? undefined : cell;
}

/** Valid frames nearly always: one bad frame ends a subscription. */
function mostlyWhole(seeds: readonly Uint8Array[]): (dice: SeededRandom) => Uint8Array {
  return (dice) => {
    const seed = seeds[dice.below(seeds.length)] ?? new Uint8Array(1);
    return dice.below(32) > 0 ? seed : changed(dice, seed);
  };
}

/** The cores of multicast, whose frames come from a party that has the keys and means no good. */
export const MULTICAST_TARGETS: readonly FuzzTarget[] = [
  {
    name: "frames that a broadcast's writer has sealed",
    seeds: [],
    make: mostlyWhole(BROADCAST_FRAMES),
    run: runBroadcast,
  },
  {
    name: "questions that a reader has sealed",
    seeds: [],
    make: mostlyWhole(QUESTIONS),
    run: runRepair,
  },
];
