import { expect, it } from "vitest";
import { NodeIdentity } from "../../src/identity/index.ts";
import { openLinkHost, type TcpNetwork } from "../../src/link/index.ts";
import { VirtualClock } from "../../src/testing/index.ts";

it("a host has no more connections than links, handshakes and some that go", async () => {
  let given = Number.NaN;
  const tcp: TcpNetwork = {
    listen: async ({ at, connectionsMax }) => {
      given = connectionsMax;
      return { address: { carrier: "tcp", ...at }, close: async () => {} };
    },
    dial: () => new Promise<never>(() => {}),
  };
  const limits = { linksMax: 100, handshakesMax: 20 };
  const host = await openLinkHost({
    identity: new NodeIdentity(new Uint8Array(32).fill(1)),
    network: "test",
    tcp: { host: "192.0.2.1", port: 7_000 },
    limits,
    components: { clock: new VirtualClock(), tcp },
  });
  // Fewer would cut links that there may be; what is closed here takes a while to be gone.
  expect(given).toBeGreaterThanOrEqual(120);
  expect(given).toBeLessThanOrEqual(120 + 64);
  await host.close();
});
