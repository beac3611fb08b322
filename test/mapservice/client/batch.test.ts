import { expect, test } from "vitest";
import { SeededRandom } from "../../../src/base/index.ts";
import { crypto, rootPublicKey, useProvider } from "../../../src/crypto/index.ts";
import { Batch } from "../../../src/mapservice/client/batch.ts";
import { localCarrier, MapClient } from "../../../src/mapservice/index.ts";
import { serviceRig } from "../fixtures.ts";

const random = new SeededRandom(3);

test("what is asked for in one turn is done together, eight at the most", async () => {
  const batches: number[][] = [];
  const squares = new Batch((items: readonly number[]) => {
    batches.push([...items]);
    return items.map((item) => item * item);
  });
  const first = await Promise.all([1, 2, 3].map((item) => squares.add(item)));
  const second = await Promise.all(Array.from({ length: 10 }, (_, i) => squares.add(i)));
  expect(first).toEqual([1, 4, 9]);
  expect(second).toEqual([0, 1, 4, 9, 16, 25, 36, 49, 64, 81]);
  expect(batches.map(({ length }) => length)).toEqual([3, 8, 2]);
});

test("what fails, fails for all of a batch and for no other", async () => {
  const batch = new Batch((items: readonly number[]) => {
    if (items.includes(0)) throw new TypeError("zero");
    return items;
  });
  const failed = await Promise.allSettled([batch.add(1), batch.add(0)]);
  expect(failed.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
  await expect(batch.add(2)).resolves.toBe(2);
});

test("frames that are put and read together have their products made together", async () => {
  const seed = random.bytes(32);
  const bound = new MapClient(localCarrier(serviceRig().service)).bind({
    writeSeed: seed,
    readRoot: rootPublicKey(seed),
  });
  const first = random.bytes(32);
  const frames = [first, random.bytes(32), random.bytes(32)];
  const cell = random.bytes(bound.payloadSize);
  const calls: number[] = [];
  const provider = crypto();
  const ed25519MultiplyBase: typeof provider.ed25519MultiplyBase = (scalars) => {
    calls.push(scalars.length);
    return provider.ed25519MultiplyBase(scalars);
  };
  useProvider(Object.assign(Object.create(provider), { ed25519MultiplyBase }));
  try {
    await Promise.all(frames.map((frameId) => bound.put(frameId, cell)));
    expect(calls[0]).toBe(6); // an address and a nonce each; what follows are receipts
    // The same frame twice in one turn, with other bytes: each has its own signature.
    const twice = [cell, cell.with(0, (cell[0] ?? 0) ^ 1)].map((each) => bound.put(first, each));
    const [same, other] = await Promise.allSettled(twice);
    expect(same?.status).toBe("fulfilled");
    expect(other).toMatchObject({ status: "rejected", reason: { code: "CULVERT_CONFLICT" } });
  } finally {
    useProvider(undefined);
  }
  for (const frameId of frames) expect(await bound.get(frameId)).toEqual(cell);
});
