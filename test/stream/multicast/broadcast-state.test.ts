import { describe, expect, it } from "vitest";
import { SeededRandom } from "../../../src/base/index.ts";
import { type CborInput, decodeCbor, encodeCbor } from "../../../src/codec/index.ts";
import { Chain } from "../../../src/crypto/index.ts";
import { capabilitiesOf } from "../../../src/stream/duplex/assemble.ts";
import {
  type BroadcastState,
  decodeBroadcastState,
  encodeBroadcastState,
} from "../../../src/stream/multicast/broadcast-state.ts";

const refused = expect.objectContaining({ code: "CULVERT_BAD_STATE" });
const random = new SeededRandom(1);
const { write, read } = capabilitiesOf(random.bytes(32), "listener");

const STATE: BroadcastState = {
  cellBytes: 1_900,
  writeSeed: random.bytes(32),
  base: 3,
  storedBelow: 4,
  next: 5,
  storedBytes: 60,
  framer: { framedBytes: 99, endAsked: true, isEndFramed: false, waitingBytes: 3 },
  generations: [{ from: 3, bornUnixMs: 7 }],
  grantedSeconds: 600,
  mark: 77,
  oldestChain: write.chain.toBytes(),
  chain: write.chain.next().next().toBytes(),
  readers: [{ root: read.root, next: 1, chain: read.chain.toBytes() }],
  resetIndex: 4,
  isDone: false,
};

function changed(name: string, value: CborInput): Uint8Array {
  const whole = decodeCbor(encodeBroadcastState(STATE)) as { [key: string]: CborInput };
  return encodeCbor({ ...whole, [name]: value });
}

describe("the saved state of a broadcast", () => {
  it("comes back as it was", () => {
    expect(decodeBroadcastState(encodeBroadcastState(STATE))).toEqual(STATE);
    const unbroken = { ...STATE, resetIndex: undefined };
    expect(decodeBroadcastState(encodeBroadcastState(unbroken))).toEqual(unbroken);
  });

  it.each([
    ["base", 6],
    ["chain", STATE.oldestChain],
    ["storedBelow", 2],
    ["storedBelow", 6],
    ["next", 6],
    ["storedBytes", 100],
    ["grantedSeconds", 2 ** 32],
    ["mark", 2 ** 48],
    // The frame that tells of an abort is the last one there is.
    ["resetIndex", 3],
    ["resetIndex", 5],
    ["generations", [{ from: 6, bornUnixMs: 7 }]],
    ["generations", [...[4, 3].map((from) => ({ from, bornUnixMs: 7 }))]],
    ["generations", [...[8, 7].map((bornUnixMs) => ({ from: 3, bornUnixMs }))]],
    ["generations", Array.from({ length: 1_025 }, () => ({ from: 3, bornUnixMs: 7 }))],
    ["readers", Array.from({ length: 1_025 }, () => ({ ...STATE.readers[0] }))],
  ] satisfies [string, CborInput][])(
    "is refused when it contradicts itself: %s of %j",
    (name, value) => {
      expect(() => decodeBroadcastState(changed(name, value))).toThrow(refused);
    },
  );

  it("is refused when it keeps more frames than may be kept, or have no receipt", () => {
    const material = random.bytes(96);
    const chainAt = (index: number) => Chain.fromMaterial(BigInt(index), material).toBytes();
    const decode = (next: number, storedBelow: number) => {
      const frames = { base: 0, next, storedBelow, resetIndex: undefined, generations: [] };
      const chains = { oldestChain: chainAt(0), chain: chainAt(next) };
      return () => decodeBroadcastState(encodeBroadcastState({ ...STATE, ...frames, ...chains }));
    };
    expect(decode(2 ** 20, 2 ** 20)).not.toThrow();
    expect(decode(2 ** 20 + 1, 2 ** 20 + 1)).toThrow(refused);
    expect(decode(2 ** 16, 0)).not.toThrow();
    expect(decode(2 ** 16 + 1, 0)).toThrow(refused);
  });
});
