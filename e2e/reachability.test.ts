import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type Culvert, Machine } from "./culvert.ts";
import { NatLab, whyNoLab } from "./nat-lab.ts";

const OPEN_NODES = 4;

const reason = whyNoLab();
if (reason !== undefined) console.log(`NATs of the kernel are not tested: ${reason}`);

/** Four nodes in the open, and one in a home that is told nothing but where to listen. */
class Street {
  readonly #lab = new NatLab();
  readonly #place: Machine;

  private constructor(place: Machine) {
    this.#place = place;
  }

  static async create(options: {
    isForwarded: boolean;
  }): Promise<{ street: Street; node: Culvert }> {
    const street = new Street(await Machine.create());
    const lab = street.#lab;
    const contacts: string[] = [];
    for (let i = 0; i < OPEN_NODES; i++) {
      const at = lab.addOpenAddress();
      const join = contacts.length > 0 ? ["--join", contacts.join()] : [];
      const node = street.#start(lab.open, `open${i}`, ["--listen", `udp://${at}:7000`, ...join]);
      contacts.push(...(await nodesOf(node, "listening")));
    }
    const home = lab.addHome("port-restricted");
    if (options.isForwarded) lab.forward(7_000);
    const listen = ["--listen", "udp://0.0.0.0:7000,tcp://0.0.0.0:7000"];
    const node = street.#start(home, "home", [...listen, "--join", contacts.join()]);
    return { street, node };
  }

  #start(namespace: string, store: string, words: readonly string[]): Culvert {
    const launcher = ["ip", "netns", "exec", namespace];
    const folder = join(this.#place.folder, store);
    return this.#place.start(["node", "--store", folder, "--json", ...words], { launcher });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#place[Symbol.asyncDispose]();
    this.#lab.close();
  }
}

/** Where a node says that it is reached, in the last event of that name, once there is one. */
async function nodesOf(node: Culvert, name: "listening" | "moved"): Promise<readonly string[]> {
  await node.says(new RegExp(`"event":"${name}"`));
  const { nodes } = node.events.findLast(({ event }) => event === name) ?? {};
  return nodes as readonly string[];
}

describe.runIf(reason === undefined)("a node behind a router of the kernel", () => {
  it("keeps places at relays when the router lets only answers in", async () => {
    const { street, node } = await Street.create({ isForwarded: false });
    await using _ = street;
    expect(await nodesOf(node, "moved")).toEqual([]);
    await node.says(/"event":"moved","nodes":\[\],"relays":2/);
  });

  it("names the router's address when its port is forwarded", async () => {
    const { street, node } = await Street.create({ isForwarded: true });
    await using _ = street;
    expect(await nodesOf(node, "moved")).toEqual([
      expect.stringMatching(/@udp:\/\/192\.0\.2\.11:7000$/),
      expect.stringMatching(/@tcp:\/\/192\.0\.2\.11:7000$/),
    ]);
  });
});
