import { expect, it } from "vitest";
import { SeededRandom } from "../../src/base/index.ts";
import { NodeIdentity } from "../../src/identity/index.ts";
import { openClient } from "../../src/node/index.ts";
import { VirtualClock, VirtualNetwork } from "../../src/testing/index.ts";
import { Capture } from "../../src/testing/road/capture.ts";
import { virtualMachine } from "../../src/testing/road/road-node.ts";

it("a client that is not wanted any more gives up at once, whatever it waits for", async () => {
  const clock = new VirtualClock();
  const network = new VirtualNetwork({ clock, seed: 1 });
  const host = network.addHost({ addresses: ["198.51.100.1"] });
  const ground = { clock, capture: new Capture(clock), isWatched: false };
  const machine = virtualMachine(ground, host, new SeededRandom(1));
  const nobody = {
    id: new NodeIdentity(new Uint8Array(32).fill(9)).id,
    address: { carrier: "udp", host: "198.51.100.9", port: 7_000 },
  } as const;
  const stop = new AbortController();
  const how = { bootstrap: [nobody], via: "onion", machine, signal: stop.signal } as const;
  const opening = openClient(how).catch((error: unknown) => error);
  await clock.runUntil(1_000);
  stop.abort();
  expect(await clock.runPromise(opening)).toMatchObject({ name: "AbortError" });
  expect(clock.now()).toBeLessThan(2_000);
  await clock.runUntil(60_000);
  expect(clock.pending).toBe(0);
});
