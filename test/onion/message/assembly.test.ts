import { expect, it } from "vitest";
import { SeededRandom } from "../../../src/base/index.ts";
import { ASSEMBLY_LIMITS, Assembly } from "../../../src/onion/message/assembly.ts";

it("messages that are not whole keep no more memory than they may, however little they say", () => {
  const random = new SeededRandom(1);
  const packetBytes = 2_538;
  const bytesMax = 10 * packetBytes;
  const assembly = new Assembly<undefined>({ ...ASSEMBLY_LIMITS, bytesMax });
  for (let i = 0; i < 100; i++) {
    const data = new Uint8Array(packetBytes).subarray(600, 600);
    const content = { message: random.bytes(16), index: 1, isLast: false, data };
    expect(assembly.add(content, { way: undefined, source: "" }, 0)).toBeUndefined();
  }
  expect(assembly.size).toBe(10);
});

it.each([
  { bound: "messages", limits: { messagesMax: 8 } },
  { bound: "bytes", limits: { bytesMax: 800 } },
])("whoever has most of the $bound forgets his oldest", ({ limits }) => {
  const random = new SeededRandom(1);
  const assembly = new Assembly<undefined>({ ...ASSEMBLY_LIMITS, ...limits });
  const content = (message: Uint8Array, index: number) => {
    return { message, index, isLast: index === 1, data: new Uint8Array(100) };
  };
  const from = (source: string) => ({ way: undefined, source });
  const begin = (source: string): Uint8Array => {
    const message = random.bytes(16);
    assembly.add(content(message, 0), from(source), 0);
    return message;
  };
  const few = [begin("few"), begin("few")];
  const many = Array.from({ length: 50 }, () => begin("many"));
  expect(assembly.size).toBe(8);
  // A piece may come from elsewhere: messages are of whoever has begun them.
  const ends = [...few, ...many.slice(-6)].map((it) => assembly.add(content(it, 1), from("x"), 1));
  expect(ends.map((whole) => whole?.data.length)).toEqual(Array(8).fill(200));
  expect(assembly.add(content(many[0] ?? random.bytes(16), 1), from("x"), 1)).toBeUndefined();
});
