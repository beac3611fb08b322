import { expect, it } from "vitest";
import { PunchWorld } from "./punch-world.ts";

it("nobody is asked where it sees us while it is asked: others say at which address", () => {
  const world = new PunchWorld({ seed: 1 });
  const node = world.add("restricted");
  const address = { host: "198.51.100.250", port: 53 };
  let sent = 0;
  node.port.send = (_, to) => {
    if (to.host === address.host) sent += 1;
  };
  // As for each call through a relay, of as many as there are handshakes with it.
  for (let at = 0; at < 200; at++) {
    node.driver.handle({ kind: "ask", node: world.observer.id, address });
    world.clock.advance(50);
  }
  expect(sent).toBeGreaterThan(4);
  expect(sent).toBeLessThanOrEqual(20);
});
