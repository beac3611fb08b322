import { randomBytes } from "node:crypto";
import { pipeline } from "node:stream/promises";
import { DecoderStream, EncoderStream } from "cbor-x";
import { describe, expect, it } from "vitest";
import { cross, WAYS } from "./ways.ts";

describe.each(WAYS)("cbor-x streams over %s", (_name, way) => {
  it("carry values both ways, in order", async () => {
    await cross(way, async ({ a, b }) => {
      const values = Array.from({ length: 200 }, (_, i) => ({
        i,
        text: "ż".repeat(i),
        bytes: randomBytes(i * 3),
        when: new Date(i * 1_000),
        nested: { list: [i, -i - 1, i / 3, null, true] },
      }));
      const transfer = async (from: typeof a, to: typeof b): Promise<unknown[]> => {
        const received: unknown[] = [];
        const decoded = new DecoderStream();
        const collected = (async () => {
          for await (const value of decoded) received.push(value);
        })();
        await Promise.all([pipeline(values, new EncoderStream(), from), pipeline(to, decoded)]);
        await collected;
        return received;
      };
      const [there, back] = await Promise.all([transfer(a, b), transfer(b, a)]);
      expect(there).toEqual(values);
      expect(back).toEqual(values);
    });
  });
});
