import { expect, it } from "vitest";
import { SeededRandom } from "../../src/base/index.ts";
import { NodeIdentity } from "../../src/identity/index.ts";
import { RelayClient } from "../../src/link/relay/relay-client.ts";
import { RelayService } from "../../src/link/relay/relay-service.ts";
import { apiGateway, StandalonePeer } from "../../src/voidphone/index.ts";
import { RememberingNode } from "../voidphone/gateway-rig.ts";
import { LinkWorld } from "./link-world.ts";

it.each([undefined, "256", Number.NaN, -1])(
  "a limit of %s is refused: nothing would be bounded by it",
  async (value) => {
    const world = new LinkWorld();
    const { host } = await world.add("192.0.2.1");
    const { clock } = world;
    const identity = new NodeIdentity(new SeededRandom(1).bytes(32));
    const of = (name: string): object => ({ [name]: value });
    const made = [
      () => new RelayService({ host, identity, clock, limits: of("quotaBytes") }),
      () => new RelayClient({ host, clock, limits: of("answerMs") }),
      () => apiGateway(new RememberingNode(), of("connectionsMax")),
    ];
    for (const make of made) expect(make).toThrow("must be a positive number");
    const p2p = { host: "127.0.0.1", port: 0 };
    const peer = StandalonePeer.start({ dialect: "midterm", p2p, store: of("valuesMax") });
    await expect(peer).rejects.toThrow("valuesMax must be a positive number");
    await world.close();
  },
);
