import { expect, it } from "vitest";
import { PunchWorld } from "./punch-world.ts";

it("an address inside our own network is no path because the peer says so from there", () => {
  const world = new PunchWorld({ seed: 1 });
  const [node, liar] = [world.add("restricted"), world.add("open")];
  const inside = { host: "192.168.2.1", port: 53 };
  // What the liar sends comes with a false source, and it hears what goes there.
  let to = inside;
  liar.port.send = (bytes, address) => {
    to = address;
    const datagram = bytes.slice();
    world.clock.schedule(world.clock.now() + 1, () => {
      node.driver.handle({ kind: "datagram", bytes: datagram, from: inside });
    });
  };
  const { send } = node.port;
  node.port.send = (bytes, address) => {
    if (address.host !== inside.host) send.call(node.port, bytes, address);
    else liar.driver.handle({ kind: "datagram", bytes: bytes.slice(), from: to });
  };
  liar.punch(node);
  world.clock.advance(20_000);
  expect(liar.paths, "it has had its echo, and says that it has chosen").toHaveLength(1);
  expect(node.paths.map(({ address }) => address.host)).not.toContain(inside.host);
});
