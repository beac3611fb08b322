import { expect, it } from "vitest";
import type { DhtResponse } from "../../../src/dht/index.ts";
import { sortByDistance } from "../../../src/dht/table/closest.ts";
import { byteText } from "../../../src/dht/wire/key.ts";
import { growByJoining } from "../../../src/testing/swarm/grow.ts";
import { Swarm } from "../../../src/testing/swarm/swarm.ts";

it("a value that proves itself is taken, however many others were told before", () => {
  const swarm = new Swarm({ seed: 1, recordRule: () => 1 });
  growByJoining(swarm, 60);
  swarm.advance(30_000);
  const key = swarm.random.bytes(32);
  const value = { kind: "record", ttlSeconds: 3_600, bytes: key } as const;
  swarm.run(swarm.pick(), (operation) => ({ kind: "put", operation, key, value }));
  swarm.advance(5_000);
  const contacts = swarm.nodes.map(({ contact }) => contact);
  const near = sortByDistance(byteText(key), contacts).map((contact) => {
    return swarm.nodes.find((node) => node.contact === contact);
  });
  // All of the closest but one tell of a value of their own, and none of them is another's.
  for (const [i, liar] of near.slice(0, 19).entries()) {
    if (liar === undefined) throw new Error("a contact of nobody");
    liar.behaviour = (request, honest): DhtResponse | undefined => {
      if (request.kind !== "find-value") return honest();
      const bytes = Uint8Array.of(i);
      return { kind: "value", value: { kind: "plain", ttlSeconds: 60, bytes } };
    };
  }
  const asker = near.at(-1);
  const { result } = swarm.run(asker ?? swarm.pick(), (operation) => {
    return { kind: "get", operation, key };
  });
  expect(result).toMatchObject({ kind: "found", value: { kind: "record", bytes: key } });
});
