import { once } from "node:events";
import { Stream } from "culvert";
import { expect, it } from "vitest";
import { place } from "./stream-place.ts";

it("a sync behind the end waits until the peer has that, too", async () => {
  const { transport, secret, options, clock, elapse } = place();
  const a = Stream.listen(transport, secret, options);
  const b = Stream.dial(transport, secret, options);
  a.write("all there is");
  await elapse(once(b.resume(), "data"));
  await elapse(a.sync());
  const state = await b.save();
  a.end();
  await elapse(a.close());
  let isSynced = false;
  const synced = a.sync().then(() => {
    isSynced = true;
  });
  await clock.runUntil(clock.now() + 60_000);
  expect(isSynced).toBe(false);
  const again = await Stream.load(transport, state, options);
  await elapse(Promise.all([once(again.resume(), "end"), synced]));
  await Promise.all([a.halt(), again.halt()]);
});
