import { expect, it } from "vitest";
import { Swarm } from "../../../src/testing/swarm/swarm.ts";

it("a node meets whom it was told of, who was not there then, though all others are gone", () => {
  const swarm = new Swarm({ seed: 1 });
  const [first, sleeper, joiner] = [swarm.add(), swarm.add(), swarm.add()];
  swarm.tell(first, { kind: "start", bootstrap: [] });
  swarm.tell(sleeper, { kind: "start", bootstrap: [first.contact] });
  swarm.advance(5_000);
  sleeper.isAlive = false;
  swarm.tell(joiner, { kind: "start", bootstrap: [first.contact] });
  swarm.advance(60_000);
  expect(joiner.core.contacts.map(({ key }) => key)).toEqual([first.contact.key]);
  swarm.stop(first);
  sleeper.isAlive = true;
  // Its timers are not waked: it never asks, and has to be found.
  swarm.advance(7_200_000);
  expect(joiner.core.contacts.map(({ key }) => key)).toEqual([sleeper.contact.key]);
});
