import { parseNodeContact } from "culvert/identity";
import type { RunningNode } from "culvert/node";
import { expect, it } from "vitest";
import { SeededRandom } from "../../src/base/index.ts";
import { rootPublicKey } from "../../src/crypto/index.ts";
import { InProcessNetwork, LOOPBACK, until } from "./in-process-network.ts";

const CELL = 1_024;
const SEED = new SeededRandom(1).bytes(32);
const KEYS = { writeSeed: SEED, readRoot: rootPublicKey(SEED) };
const FRAMES = 8;
/** Times that all are put, at most. */
const ROUNDS_MAX = 5;

async function metric({ metricsPort }: RunningNode, name: string): Promise<number> {
  const page = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
  const value = new RegExp(`^${name} (\\d+)$`, "m").exec(page)?.[1];
  if (value === undefined) throw new Error(`no ${name} in:\n${page}`);
  return Number(value);
}

it.each([
  ["does not listen, for good", []],
  ["tells nobody where it listens, until a path is punched", LOOPBACK],
] as const)("serves the Map through a relay when it %s", async (_how, listen) => {
  const geometry = { cellBytes: CELL, onionBytes: 2_048, onionHopsMax: 5 };
  const network = new InProcessNetwork({ geometry, metrics: "127.0.0.1:0" });
  try {
    const relay = await network.add();
    // Without a socket of its own for UDP it can only dial TCP.
    const bootstrap = relay.contacts.filter((contact) => contact.includes("tcp"));
    const hidden = await network.add({
      listen,
      reachable: "relay",
      bootstrap: bootstrap.map(parseNodeContact),
    });
    expect(hidden.contacts).toEqual([]);
    const relays = (): unknown => new Map(Object.entries(hidden.summary())).get("relays");
    await until(() => relays() === 1);

    // A put needs the receipts of both: who writes knows the hidden node by the relay alone.
    const writer = await network.client("direct", relay);
    await until(() => writer.nodesKnown === 2);
    const map = writer.transport().bind(KEYS);
    const put = async (n: number): Promise<void> => {
      await map.put(new SeededRandom(n).bytes(32), new SeededRandom(100 + n).bytes(CELL));
    };
    // On a busy machine the writer may hold the hidden node for gone, and take one receipt for all.
    const recordsThere = (): unknown => new Map(Object.entries(hidden.summary())).get("records");
    for (let round = 0; round < ROUNDS_MAX && recordsThere() !== FRAMES; round++) {
      for (let n = 0; n < FRAMES; n++) await put(n);
    }
    expect(recordsThere()).toBe(FRAMES);
    expect(await metric(relay, "culvert_relay_circuits_opened_total")).toBe(1);

    if (listen.length > 0) {
      while ((await metric(relay, "culvert_relay_circuits")) > 0) await put(FRAMES);
    }
    const passed = await metric(relay, "culvert_relay_passed_bytes_total");
    await put(FRAMES + 1);
    const more = (await metric(relay, "culvert_relay_passed_bytes_total")) - passed;
    expect(more > CELL).toBe(listen.length === 0);
    await writer.close();
  } finally {
    await network.stop();
  }
});
