import { describe, expect, it } from "vitest";
import { SeededRandom, utf8 } from "../../../src/base/index.ts";
import { Chain } from "../../../src/crypto/index.ts";
import {
  ACK_CONTEXT,
  DATA_CONTEXT,
  FrameKeys,
  keysFrom,
} from "../../../src/stream/frame/frame-keys.ts";

const first = (): Chain => Chain.fromMaterial(0n, new SeededRandom(1).bytes(96));

function stateAt(index: number): Chain {
  let chain = first();
  for (let i = 0; i < index; i++) chain = chain.next();
  return chain;
}

describe("FrameKeys", () => {
  it("are those of the chain, in whatever order they are asked for", () => {
    const keys = new FrameKeys(first(), 0, DATA_CONTEXT);
    for (const index of [5, 0, 3, 9, 3]) {
      const chain = stateAt(index);
      expect(keys.at(index)).toEqual({
        frameId: chain.frameId(DATA_CONTEXT),
        key: chain.frameKey(DATA_CONTEXT),
      });
    }
    expect(keys.base).toBe(0);
  });

  it("differ between the data and the ack chain", () => {
    const data = new FrameKeys(first(), 0, DATA_CONTEXT).at(0);
    const ack = new FrameKeys(first(), 0, ACK_CONTEXT).at(0);
    expect(ack.frameId).not.toEqual(data.frameId);
    expect(ack.key).not.toEqual(data.key);
    expect([ACK_CONTEXT, DATA_CONTEXT]).toEqual([utf8("culvert/v1/ack"), utf8("culvert/v1/data")]);
  });

  it("can only go forward, over gaps too, and wipe what they pass", () => {
    const keys = new FrameKeys(first(), 0, DATA_CONTEXT);
    const passed = keys.at(2);
    const id = passed.frameId.slice();
    keys.advance(6);
    expect([keys.base, passed.key.every((byte) => byte === 0)]).toEqual([6, true]);
    // A request may still be under way to the passed frame's place.
    expect(passed.frameId).toEqual(id);
    expect(() => keys.at(5)).toThrow(/gone/);
    keys.advance(3);
    expect(keys.base).toBe(6);
    expect(keys.baseState()).toEqual(stateAt(6).toBytes());
  });

  it("are gone once they are spent, while the state goes on", () => {
    const keys = new FrameKeys(first(), 0, DATA_CONTEXT);
    const spent = keys.at(2);
    keys.spend(2);
    expect(spent.key).toEqual(new Uint8Array(32));
    expect(keys.stateAt(2)).toEqual(stateAt(2).toBytes());
    expect(keys.at(3).key).toEqual(stateAt(3).frameKey(DATA_CONTEXT));
  });

  it("wipe the chain state that they pass, and leave the one they were made from alone", () => {
    const chain = first();
    const keys = keysFrom(chain, DATA_CONTEXT);
    keys.advance(1);
    expect(chain.toBytes()).toEqual(first().toBytes());
    const own = first();
    new FrameKeys(own, 0, DATA_CONTEXT).advance(1);
    expect(() => own.toBytes()).toThrow(/wiped/);
  });

  it("go on from where a chain was saved", () => {
    const keys = keysFrom(first(), DATA_CONTEXT);
    keys.advance(4);
    const again = keysFrom(first(), DATA_CONTEXT, { next: 4, chain: keys.baseState() });
    expect(again.base).toBe(4);
    expect(again.at(7)).toEqual(keys.at(7));
    expect(() => again.at(3)).toThrow(/gone/);
  });
});
