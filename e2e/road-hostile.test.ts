import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { MISDEEDS } from "../src/testing/road/index.ts";
import { expectFile } from "./culvert.ts";
import { ended, expectFailure, Scene, TICKET } from "./road-scene.ts";

const HOSTILE_NODE = fileURLToPath(new URL("./hostile-node.ts", import.meta.url));

/** Enough honest ones for three relays and a quorum, whatever the hostile ones do. */
const NODES = 8;
/** Every fourth node, the second that both sides begin with among them. */
const isHostile = (at: number): boolean => at % 4 === 1;

describe("hostile nodes in a network of processes", () => {
  test.each(MISDEEDS)(
    "that are of the kind %j change no byte and stop nothing",
    async (misdeed) => {
      await using scene = await Scene.create({
        count: NODES,
        each: (at) =>
          isHostile(at) ? { script: HOSTILE_NODE, words: ["--misdeed", misdeed] } : {},
      });
      await scene.expectCarried("onion");
      await scene.expectCarried("direct");
      expect(scene.network.nodes.map(({ running }) => running.hasEnded)).not.toContain(true);
    },
    600_000,
  );

  test("of another version of the network are not understood, with a hint", async () => {
    const words = ["--network", "culvert/v0"];
    await using scene = await Scene.create({
      count: 1,
      each: () => ({ script: HOSTILE_NODE, words }),
    });
    const nodes = ["--nodes", scene.network.names];
    expectFailure(await scene.alice.run("send", "photo.jpg", ...nodes), 5, /version|--nodes/);
  });

  test("that lie about who they are are passed over for those who do not", async () => {
    await using scene = await Scene.create({ count: 4 });
    const [first = "", second = ""] = scene.network.names.split(",");
    const liar = first.replace(/^\w{64}/, "ab".repeat(32));
    const road = ["--nodes", `${liar},${second}`, "--via", "direct"];
    const sender = scene.alice.culvert("send", "photo.jpg", "--detach", ...road);
    const [ticket] = await sender.says(TICKET);
    const { code, stderr } = await ended(sender);
    expect(code, stderr).toBe(0);
    const receiver = await scene.bob.run("receive", ticket, ...road);
    expect(receiver.code, receiver.stderr).toBe(0);
    await expectFile(`${scene.bob.folder}/photo.jpg`, scene.content);
  });
});
