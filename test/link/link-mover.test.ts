import { describe, expect, it } from "vitest";
import { SeededRandom } from "../../src/base/index.ts";
import { NodeIdentity } from "../../src/identity/index.ts";
import { type Link, openLinkHost } from "../../src/link/index.ts";
import { encodeControl, readControl } from "../../src/link/link-records.ts";
import { VirtualClock, VirtualNetwork, virtualTcp, virtualUdp } from "../../src/testing/index.ts";
import { CutNetwork } from "./cut-network.ts";

const ANY = { host: "0.0.0.0", port: 0 };

/** Two nodes with a link, whose connections can all be cut at once. */
async function linked(carrier: "udp" | "tcp") {
  const clock = new VirtualClock();
  const network = new VirtualNetwork({ clock, seed: 1, line: { delayMs: 20 } });
  const connections = new CutNetwork();
  const open = (number: number) => {
    const vhost = network.addHost({ addresses: [`192.0.2.${number}`] });
    return openLinkHost({
      identity: new NodeIdentity(new Uint8Array(32).fill(number)),
      network: "test",
      udp: ANY,
      tcp: ANY,
      components: {
        clock,
        random: new SeededRandom(number),
        udp: connections.udp(virtualUdp(vhost)),
        tcp: connections.tcp(virtualTcp(vhost)),
      },
    });
  };
  const [a, b] = [await open(1), await open(2)];
  const run = <T>(promise: Promise<T>): Promise<T> => clock.runPromise(promise, 600_000);
  b.handle("echo", (stream) => stream.on("error", () => {}).pipe(stream));
  const addresses = b.addresses.filter((address) => address.carrier === carrier);
  const link = await run(a.dial({ id: b.id, addresses }));
  await clock.runUntil(() => b.links().length === 1, 1_000);
  const [there] = b.links() as [Link];
  const close = () => run(Promise.all([a.close(), b.close()]));
  return { clock, connections, link, there, run, close };
}

describe("a link whose path is lost again and again", () => {
  it.each(["udp", "tcp"] as const)(
    "goes on when the peer's word for the new path is lost with it, over %s",
    async (carrier) => {
      const { clock, connections, link, there, run, close } = await linked(carrier);
      const echo = await run(link.openStream("echo"));
      let text = "";
      echo.on("error", () => {});
      echo.on("data", (bytes: Uint8Array) => {
        text += String.fromCharCode(...bytes);
      });
      echo.write("a");
      await clock.runUntil(() => text === "a", 1_000);
      let cuts = 0;
      there.onPath((path) => {
        if (path === undefined || cuts === 3) return;
        cuts += 1;
        // The peer is on the new path, and the end that dialled has not heard of it.
        clock.schedule(clock.now() + 1, () => connections.cut());
      });
      connections.cut();
      echo.end("b");
      await clock.runUntil(() => text === "ab" || !link.isOpen, 60_000);
      expect([cuts, text, link.isOpen]).toEqual([3, "ab", true]);
      await close();
    },
  );
});

describe("a peer that names a path beyond all", () => {
  it("leaves no number for the next one, and is refused", () => {
    const linkId = new Uint8Array(16);
    const named = (epoch: number): Uint8Array =>
      encodeControl({ kind: "intent", linkId, intent: { kind: "resume", epoch, received: 0 } });
    expect(readControl(named(2 ** 31))).toMatchObject({ intent: { epoch: 2 ** 31 } });
    const refused = expect.objectContaining({ code: "CULVERT_PROTOCOL" });
    expect(() => readControl(named(2 ** 32 - 1))).toThrow(refused);
  });
});
