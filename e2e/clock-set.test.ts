import { randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { type Culvert, expectFile, type Launch, Machine } from "./culvert.ts";
import { expectDone } from "./killed-transfer.ts";
import { NetworkOfProcesses } from "./network-process.ts";
import { TICKET } from "./road-scene.ts";

const DAY_MS = 24 * 3_600_000;

interface Way {
  readonly words: readonly string[];
  /** Who keeps what is sent. */
  readonly keepers: readonly Culvert[];
}

/** A way for so many bytes that there is time to set a clock before they are through. */
const WAYS = {
  map: {
    bytes: 8_000_000,
    lay: async (place: Machine, launch: Launch): Promise<Way> => {
      const words = ["map", "--listen", "127.0.0.1:0", "--store", "kept", "--cell", "2048"];
      const map = place.start(words, launch);
      const [, endpoint = ""] = await map.says(/ on (127\.0\.0\.1:\d+)/);
      return { words: ["--map", endpoint], keepers: [map] };
    },
  },
  direct: {
    bytes: 2_000_000,
    lay: async (place: Machine, launch: Launch): Promise<Way> => {
      const network = await NetworkOfProcesses.start(place, { count: 5, each: () => launch });
      const keepers = network.nodes.map(({ running }) => running);
      return { words: ["--nodes", network.names, "--via", "direct"], keepers };
    },
  },
} as const;

test.each([
  ["map", "peers", DAY_MS],
  ["map", "peers", -DAY_MS],
  ["map", "keepers", DAY_MS],
  ["map", "keepers", -DAY_MS],
  ["direct", "peers", DAY_MS],
  ["direct", "peers", -DAY_MS],
] as const)(
  "over %s, clocks of %s that are set by %d ms meanwhile lose and hold up nothing",
  async (name, who, clockStepMs) => {
    await using place = await Machine.create();
    await using alice = await Machine.create();
    await using bob = await Machine.create();
    const { bytes, lay } = WAYS[name];
    const content = randomBytes(bytes);
    await writeFile(join(alice.folder, "photo.jpg"), content);
    const { words, keepers } = await lay(place, { clockStepMs });
    const sender = alice.start(["send", "photo.jpg", ...words], { clockStepMs });
    const [ticket] = await sender.says(TICKET);
    const receive = ["receive", ticket, "--json", ...words];
    const receiver = bob.start(receive, { clockStepMs });
    await receiver.says(/"saved":[1-9]\d{4}/);
    for (const one of who === "peers" ? [sender, receiver] : keepers) await one.setClock();
    expect(receiver.stdout).not.toContain('"event":"received"');
    await expectDone(receiver);
    await expectDone(sender);
    await expectFile(join(bob.folder, "photo.jpg"), content);
  },
  120_000,
);
