import { expect, it } from "vitest";
import { LinkWorld } from "./link-world.ts";

it("a dial that is under way when its host is closed gracefully hears that", async () => {
  const outcomes = new Set<unknown>();
  for (const carrier of ["udp", "tcp"] as const) {
    for (let afterMs = 0; afterMs <= 300; afterMs += 10) {
      const world = new LinkWorld({ seed: 3 });
      const near = await world.add("192.0.2.1");
      const other = await world.add("192.0.2.3");
      const far = await world.add("192.0.2.2");
      other.host.handle("p", (stream) => stream.on("error", () => {}).resume());
      const busy = await world.dial(near, other);
      (await world.run(busy.openStream("p"))).on("error", () => {});
      const addresses = far.host.addresses.filter((address) => address.carrier === carrier);
      const dialled = near.host.dial({ id: far.host.id, addresses }).then(
        () => "a link",
        ({ code }) => code,
      );
      await world.pass(afterMs);
      const closed = near.host.close({ graceful: true });
      outcomes.add(await world.run(dialled, 20_000));
      await world.run(closed);
      await world.close();
    }
  }
  expect([...outcomes].sort()).toEqual(["CULVERT_CLOSED", "a link"]);
});
