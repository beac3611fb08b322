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
