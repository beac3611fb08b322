import { once } from "node:events";
import { expect, it } from "vitest";
import { LinkWorld } from "./link-world.ts";

it("rejects a stream whose link ends in the turn in which it was opened", async () => {
  const world = new LinkWorld();
  const [near, far] = [await world.add("192.0.2.1"), await world.add("192.0.2.2")];
  const link = await world.dial(near, far);
  // Within one turn: without care for that, the stream's error meets nobody and ends the process.
  const opening = link.openStream("x");
  const closed = link.close();
  await expect(world.run(opening)).rejects.toMatchObject({ code: "CULVERT_CLOSED" });
  await world.run(closed);
  await world.close();
});

it("refuses a priority that is none, and opens the next stream", async () => {
  const world = new LinkWorld();
  const limits = { streamsOutMax: 1 };
  const [near, far] = [await world.add("192.0.2.1", { limits }), await world.add("192.0.2.2")];
  far.host.handle("echo", (stream) => stream.pipe(stream).on("error", () => {}));
  const link = await world.dial(near, far);
  const priority = "Urgent" as "urgent";
  await expect(world.run(link.openStream("echo", { priority }))).rejects.toThrow(
    'priority must be "urgent" or "normal" or "bulk"',
  );
  const stream = await world.run(link.openStream("echo"));
  const said = world.run(once(stream, "data"));
  stream.write("hello");
  expect(String(await said)).toBe("hello");
  stream.destroy();
  await world.close();
});
