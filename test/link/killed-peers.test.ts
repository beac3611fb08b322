import { once } from "node:events";
import { expect, it } from "vitest";
import { SeededRandom } from "../../src/base/index.ts";
import { NodeIdentity } from "../../src/identity/index.ts";
import { openLinkHost } from "../../src/link/index.ts";
import { virtualTcp, virtualUdp } from "../../src/testing/index.ts";
import { CutNetwork } from "./cut-network.ts";
import { LinkWorld } from "./link-world.ts";

it.each(["udp", "tcp"] as const)(
  "a node that is killed and comes back again and again has its link each time, over %s",
  async (carrier) => {
    const world = new LinkWorld({ seed: 4 });
    const far = await world.add("192.0.2.1");
    far.host.handle("p", (stream) => stream.on("error", () => {}).pipe(stream));
    const addresses = far.host.addresses.filter((address) => address.carrier === carrier);
    const identity = new NodeIdentity(new Uint8Array(32).fill(9));
    const at = { host: "0.0.0.0", port: 7_000 };
    const outcomes: unknown[] = [];
    for (let life = 0; life < 8; life++) {
      const vhost = world.network.addHost({ addresses: [`198.51.100.${life + 1}`] });
      const cut = new CutNetwork();
      const host = await openLinkHost({
        identity,
        network: "test",
        udp: at,
        tcp: at,
        components: {
          clock: world.clock,
          random: new SeededRandom(life),
          udp: cut.udp(virtualUdp(vhost)),
          tcp: cut.tcp(virtualTcp(vhost)),
        },
      });
      const asked = host.dial({ id: far.host.id, addresses }).then(async (link) => {
        const stream = await link.openStream("p");
        stream.on("error", () => {});
        stream.write("x");
        await once(stream, "data");
        return "an answer";
      });
      outcomes.push(await world.run(asked.catch(({ code }) => code)));
      // Killed: nobody says goodbye, and nobody is there any more.
      cut.cut();
      void host.close();
      await world.pass(1_000);
    }
    expect(outcomes).toEqual(Array(8).fill("an answer"));
    await world.close();
  },
);
