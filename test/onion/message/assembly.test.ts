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
    expect(assembly.add(content, undefined, 0)).toBeUndefined();
  }
  expect(assembly.size).toBe(10);
});
