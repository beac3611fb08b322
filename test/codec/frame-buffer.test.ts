import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { concatBytes, equalBytes } from "../../src/base/index.ts";
import { FrameBuffer, sealFrame } from "../../src/codec/index.ts";

const framed = (body: Uint8Array): Uint8Array => sealFrame(concatBytes(new Uint8Array(4), body));

describe("a frame buffer", () => {
  it("gives the same frames however the bytes are cut", () => {
    const bodies = fc.array(fc.uint8Array({ minLength: 1, maxLength: 300 }), { maxLength: 8 });
    fc.assert(
      fc.property(bodies, fc.infiniteStream(fc.integer({ min: 1, max: 200 })), (given, sizes) => {
        const wire = concatBytes(...given.map(framed));
        const buffer = new FrameBuffer(300);
        const taken: Uint8Array[] = [];
        for (let at = 0; at < wire.length; ) {
          const size = sizes.next().value;
          buffer.push(wire.slice(at, at + size));
          at += size;
          for (let frame = buffer.take(); frame !== undefined; frame = buffer.take()) {
            taken.push(frame);
          }
        }
        expect(taken).toEqual(given);
        expect(buffer.length).toBe(0);
      }),
    );
  });

  it.each([0, 11, 0xffff_ffff])("refuses a length of %d before the frame is there", (length) => {
    const buffer = new FrameBuffer(10);
    const prefix = new Uint8Array(4);
    new DataView(prefix.buffer).setUint32(0, length);
    buffer.push(prefix);
    expect(() => buffer.take()).toThrow(expect.objectContaining({ code: "CULVERT_PROTOCOL" }));
  });

  it("takes a long frame byte by byte without copying it each time", () => {
    const body = new Uint8Array(2 ** 18).fill(7);
    const buffer = new FrameBuffer(body.length);
    let frame: Uint8Array | undefined;
    for (const byte of framed(body)) {
      buffer.push(Uint8Array.of(byte));
      frame ??= buffer.take();
    }
    expect(frame !== undefined && equalBytes(frame, body)).toBe(true);
  });
});
