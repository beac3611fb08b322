import { expect, it } from "vitest";
import { resolveLinkLimits } from "../../src/link/index.ts";
import { LinkWorld } from "./link-world.ts";

it("ends a link that has no numbers for streams left, without harm to the last ones", async () => {
  const world = new LinkWorld({ seed: 6 });
  const limits = { streamsOpenedMax: 3, streamsOutMax: 2 };
  const [near, far] = [await world.add("192.0.2.1", { limits }), await world.add("192.0.2.2")];
  far.host.handle("echo", (stream) => {
    stream.on("error", () => {});
    stream.pipe(stream);
  });
  const target = { id: far.host.id, addresses: far.host.addresses };
  const link = await world.run(near.host.dial(target));
  const ends: (Error | undefined)[] = [];
  link.onClose((error) => ends.push(error));
  const [first, second] = [link.openStream("echo"), link.openStream("echo")];
  const waiting = [link.openStream("echo"), link.openStream("echo").catch(({ code }) => code)];
  (await world.run(first)).destroy();
  const last = await world.run(waiting[0] ?? first);
  expect(await world.run(waiting[1] ?? first)).toBe("CULVERT_CLOSED");

  const again = await world.run(near.host.dial(target));
  expect([near.host.find(far.host.id), again === link]).toEqual([again, false]);
  (await world.run(again.openStream("echo"))).destroy();
  let received = 0;
  for (const stream of [await world.run(second), last]) {
    stream.on("data", (bytes: Uint8Array) => {
      received += bytes.length;
    });
    stream.end(new Uint8Array(300_000));
  }
  await world.clock.runUntil(() => ends.length > 0, 30_000);
  expect([received, ends]).toEqual([600_000, [undefined]]);
  await world.close();
});

it("numbers no more streams than 32 bits do", () => {
  expect(() => resolveLinkLimits({ streamsOpenedMax: 2 ** 31 + 1 })).toThrow(RangeError);
});
