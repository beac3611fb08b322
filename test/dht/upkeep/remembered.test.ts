import { expect, it } from "vitest";
import { restoreContacts, saveContacts } from "../../../src/dht/index.ts";
import { growByJoining } from "../../../src/testing/swarm/grow.ts";
import { Swarm } from "../../../src/testing/swarm/swarm.ts";

it("nodes of the last life are kept for the next one though a stranger alone answered", () => {
  const swarm = new Swarm({ seed: 3 });
  growByJoining(swarm, 30);
  swarm.advance(60_000);
  const [first, ...others] = swarm.nodes;
  if (first === undefined) throw new Error("nobody");
  const restarted = swarm.add();
  // The network is out of reach while this node starts, but for one that knows nobody else.
  const stranger = swarm.add();
  swarm.tell(stranger, { kind: "start", bootstrap: [] });
  for (const node of [first, ...others]) node.isAlive = false;
  const bootstrap = [...first.core.contacts, first.contact, stranger.contact];
  swarm.tell(restarted, { kind: "start", bootstrap });
  swarm.advance(120_000);
  expect(restarted.core.contacts.map(({ key }) => key)).toEqual([stranger.contact.key]);
  const saved = restoreContacts(saveContacts(restarted.core.remembered));
  const keys = new Set(saved.map(({ key }) => key));
  expect(keys.size).toBe(saved.length);
  for (const node of [first, ...others]) expect(keys).toContain(node.contact.key);
  // So the next life finds them, when they are back and the stranger names nobody.
  for (const node of [first, ...others]) node.isAlive = true;
  swarm.stop(restarted);
  const again = swarm.add();
  swarm.tell(again, { kind: "start", bootstrap: saved });
  swarm.advance(120_000);
  expect(again.core.contacts.length).toBeGreaterThan(25);
});

it("so are those that the table lost", () => {
  const swarm = new Swarm({ seed: 4 });
  growByJoining(swarm, 40);
  swarm.advance(60_000);
  const [watcher, ...others] = swarm.nodes;
  if (watcher === undefined) throw new Error("nobody");
  for (const node of others.slice(0, 20)) swarm.stop(node);
  swarm.advance(3_600_000);
  const { contacts, remembered } = watcher.core;
  expect(contacts.length).toBeLessThan(25);
  expect(remembered.slice(0, contacts.length)).toEqual(contacts);
  const lost = new Set(remembered.slice(contacts.length).map(({ key }) => key));
  for (const node of others.slice(0, 20)) expect(lost).toContain(node.contact.key);
});
