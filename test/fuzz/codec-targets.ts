import { Encoder } from "cbor-x";
import { CulvertError, equalBytes, SeededRandom, toHex } from "../../src/base/index.ts";
import {
  type CborInput,
  CborSequence,
  type CborValue,
  encodeCbor,
  type SequenceOptions,
} from "../../src/codec/index.ts";
import { Chain, ReadCapability, WriteCapability } from "../../src/crypto/index.ts";
import { changed, type FuzzTarget, roundTrip } from "./fuzz.ts";

const random = new SeededRandom(21);
const CAPABILITY = WriteCapability.generate(random);

const VALUES: readonly CborInput[] = [
  { version: 1, chain: random.bytes(104), next: 2 ** 40, list: [1, -1, 0.5, null, true] },
  [[[[["deep", { a: { b: { c: "ü" } } }]]]], 2n ** 63n, -(2n ** 40n), Number.NaN],
  "x".repeat(70),
];
/** What a peer with cbor-x may send: records of objects that are alike, floats of any length. */
const FOREIGN = new Encoder().encode(["two", 3].map((of) => ({ a: [1, of, { a: of }], b: 1.5 })));
const SEQUENCES = [...VALUES.map((value) => encodeCbor(value)), new Uint8Array(FOREIGN)];

/** What a sequence made of its bytes: its values as they would be written, and its refusal. */
function readSequence(pieces: readonly Uint8Array[], options: SequenceOptions): string[] {
  const sequence = new CborSequence(options);
  const said: string[] = [];
  try {
    for (const piece of pieces) {
      sequence.push(piece);
      for (let value = sequence.next(); value !== undefined; value = sequence.next()) {
        said.push(toHex(rewritten(value)));
      }
    }
    said.push(sequence.isBetween ? "whole" : "within a value");
  } catch (error) {
    if (!(error instanceof CulvertError)) throw error;
    if (!["CULVERT_PROTOCOL", "CULVERT_TOO_LARGE"].includes(error.code)) throw error;
    said.push(error.code);
  }
  return said;
}

/** A value as it is written, which a sequence has to read as the same value. */
function rewritten(value: CborValue): Uint8Array {
  const bytes = encodeCbor(value);
  const sequence = new CborSequence();
  sequence.push(bytes);
  const again = sequence.next();
  if (again === undefined || !equalBytes(encodeCbor(again), bytes)) {
    throw new Error(`read otherwise than written: ${toHex(bytes)}`);
  }
  return bytes;
}

/** A peer's bytes, at once and in pieces: the same values, the same refusal, the same end. */
function runSequence(bytes: Uint8Array, dice: SeededRandom): void {
  const options = dice.below(4) === 0 ? { maxBytes: 24, maxDepth: 3 } : {};
  const cut = dice.below(bytes.length + 1);
  const cuts = [cut, cut + dice.below(bytes.length - cut + 1)];
  const [first = 0, second = 0] = cuts;
  const pieces = [bytes.slice(0, first), bytes.slice(first, second), bytes.slice(second)];
  const [whole, parts] = [[bytes.slice()], pieces].map((way) => readSequence(way, options));
  if (whole?.join() !== parts?.join()) {
    throw new Error(`cut at ${cuts}: ${parts?.join()} instead of ${whole?.join()}`);
  }
}

/** Bytes of the right length more often than cut seeds have. */
function ofLength(seed: Uint8Array): (dice: SeededRandom) => Uint8Array {
  return (dice) => {
    const kind = dice.below(3);
    if (kind === 0) return dice.bytes(dice.below(200));
    return kind === 1 ? dice.bytes(seed.length) : changed(dice, seed);
  };
}

/** Every parser of the codec and the keys that reads what a peer made. */
export const CODEC_TARGETS: readonly FuzzTarget[] = [
  { name: "CBOR sequence", seeds: SEQUENCES, run: runSequence },
  {
    name: "read capability",
    seeds: [],
    make: ofLength(CAPABILITY.readCapability().toBytes()),
    run: (bytes) =>
      roundTrip(bytes, ["CULVERT_BAD_CAPABILITY"], () => ReadCapability.fromBytes(bytes).toBytes()),
  },
  {
    name: "write capability",
    seeds: [],
    make: ofLength(CAPABILITY.toBytes()),
    run: (bytes) =>
      roundTrip(bytes, ["CULVERT_BAD_CAPABILITY"], () =>
        WriteCapability.fromBytes(bytes).toBytes(),
      ),
  },
  {
    name: "chain state",
    seeds: [],
    make: ofLength(CAPABILITY.chain.toBytes()),
    run: (bytes) =>
      roundTrip(bytes, ["CULVERT_BAD_CAPABILITY"], () => Chain.fromBytes(bytes).toBytes()),
  },
];
