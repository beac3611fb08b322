import { describe, expect, it } from "vitest";
import { SeededRandom } from "../../../src/base/index.ts";
import { NodeIdentity } from "../../../src/identity/index.ts";
import { PunchService } from "../../../src/link/punch/punch-service.ts";
import { LinkWorld } from "../link-world.ts";

describe("a punch service that is closed", () => {
  it("does not let anybody wait for a path", async () => {
    const world = new LinkWorld({ seed: 10 });
    const [node, far] = [await world.add("192.0.2.1"), await world.add("192.0.2.2")];
    const identity = new NodeIdentity(new Uint8Array(32).fill(1));
    const { clock } = world;
    const random = new SeededRandom(10);
    const localHosts = (): string[] => [];
    const punching = new PunchService({ host: node.host, identity, clock, random, localHosts });
    punching.close();
    const punched = punching.punch(far.host.id, far.host.id);
    await expect(world.run(punched, 60_000)).rejects.toMatchObject({ code: "CULVERT_CLOSED" });
    await world.close();
  });
});
