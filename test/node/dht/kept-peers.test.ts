import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Log, SeededRandom, SILENT } from "../../../src/base/index.ts";
import { type Contact, restoreContacts, saveContacts } from "../../../src/dht/index.ts";
import { Closers } from "../../../src/node/closers.ts";
import { keepPeers, rememberedPeers } from "../../../src/node/dht/kept-peers.ts";
import { VirtualClock } from "../../../src/testing/index.ts";
import { contactAt, heardContacts, randomContacts } from "../../dht/nodes.ts";

describe("the nodes that a node knows", () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "culvert-peers-"));
  });
  afterEach(() => rm(directory, { recursive: true }));

  /** A run of a node; its table is what the test makes it. */
  function run(contacts: readonly Contact[], log: Log = SILENT) {
    const clock = new VirtualClock();
    const closers = new Closers();
    const overlay = { dht: { contacts } };
    const machine = { clock, random: new SeededRandom(1) };
    keepPeers({ config: { directory }, overlay, closers, machine, log });
    return { clock, overlay, stop: () => closers.run() };
  }

  const path = (): string => join(directory, "peers");
  const written = async (): Promise<string[]> => keysOf(restoreContacts(await readFile(path())));

  it("are written from time to time, and a last time, after which nothing is left", async () => {
    const warned: string[] = [];
    const log: Log = (_level, event) => void warned.push(event);
    const [one, other] = randomContacts(1, 2) as [Contact, Contact];
    const { clock, overlay, stop } = run([one], log);
    expect(clock.pending).toBe(1);
    clock.advance(60_000);
    // One is being written while the last one is asked for.
    overlay.dht.contacts = [one, other];
    await stop();
    expect((await written()).toSorted()).toEqual(keysOf([one, other]).toSorted());
    for (let turn = 0; turn < 50; turn++) await new Promise(setImmediate);
    expect([clock.pending, warned]).toEqual([0, []]);
  });

  it("are not forgotten while nobody answers: the network may be down", async () => {
    await writeFile(path(), "those of the last run");
    const { overlay, stop } = run([]);
    await stop();
    expect(await readFile(path(), "utf8")).toBe("those of the last run");
    const again = run(overlay.dht.contacts);
    again.overlay.dht.contacts = randomContacts(1, 1);
    await again.stop();
    expect(await written()).toHaveLength(1);
  });

  it("are not forgotten for a liar who alone has answered after a restart", async () => {
    const honest = heardContacts(1, 200);
    await run(honest).stop();
    const liars = heardContacts(2, 3);
    for (const liar of liars) await run([liar]).stop();
    const keys = await written();
    expect(keys[0]).toBe(liars[2]?.key);
    const left = keysOf(honest).filter((key) => keys.includes(key));
    expect(left).toHaveLength(62);
    // Ids are chosen, and cost nothing: they are none of those with the lowest.
    const lowest = keysOf(honest).toSorted().slice(0, 62);
    expect(lowest.filter((key) => left.includes(key)).length).toBeLessThan(40);
  });

  it("are not forgotten for one network whose nodes come and go", async () => {
    const honest = heardContacts(1, 30);
    await run(honest).stop();
    for (const { key } of randomContacts(2, 80)) await run([contactAt(key, "203.0.113.1")]).stop();
    const keys = await written();
    expect(keysOf(honest).every((key) => keys.includes(key))).toBe(true);
    expect(keys).toHaveLength(33);
  });

  it("and are back in the table are no more among those that are gone", async () => {
    const contacts = heardContacts(1, 20);
    await run(contacts).stop();
    await run(contacts.slice(0, 1)).stop();
    await run(contacts).stop();
    expect((await written()).toSorted()).toEqual(keysOf(contacts).toSorted());
  });

  it("are all kept where all live in one private network", async () => {
    const contacts = randomContacts(1, 20).map(({ key }, i) => contactAt(key, `10.0.0.${i + 1}`));
    await run(contacts).stop();
    await run(contacts.slice(0, 1)).stop();
    expect(await written()).toHaveLength(20);
  });

  it("are written over where what is there cannot be read", async () => {
    await writeFile(path(), "half a tab");
    const warned: string[] = [];
    const log: Log = (_level, event) => void warned.push(event);
    expect(await rememberedPeers({ config: { directory }, log })).toEqual([]);
    await run(randomContacts(1, 1), log).stop();
    expect([(await written()).length, warned]).toEqual([1, ["peers-unreadable"]]);
    await writeFile(path(), saveContacts(randomContacts(2, 5)));
    expect(await rememberedPeers({ config: { directory }, log: SILENT })).toHaveLength(5);
  });
});

function keysOf(contacts: readonly Contact[]): string[] {
  return contacts.map(({ key }) => key);
}
