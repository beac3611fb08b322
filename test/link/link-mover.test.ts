import { describe, expect, it } from "vitest";
import type { Link } from "../../src/link/index.ts";
import { encodeControl, readControl } from "../../src/link/link-records.ts";
import { cutPair } from "./cut-network.ts";

/** Two nodes with a link, whose connections can all be cut at once. */
async function linked(carrier: "udp" | "tcp") {
  const { clock, a, b, cut } = await cutPair(1);
  const run = <T>(promise: Promise<T>): Promise<T> => clock.runPromise(promise, 600_000);
  b.handle("echo", (stream) => stream.on("error", () => {}).pipe(stream));
  const addresses = b.addresses.filter((address) => address.carrier === carrier);
  const link = await run(a.dial({ id: b.id, addresses }));
  await clock.runUntil(() => b.links().length === 1, 1_000);
  const [there] = b.links() as [Link];
  const close = () => run(Promise.all([a.close(), b.close()]));
  return { clock, cut, link, there, run, close };
}

describe("a link whose path is lost again and again", () => {
  it.each(["udp", "tcp"] as const)(
    "goes on when the peer's word for the new path is lost with it, over %s",
    async (carrier) => {
      const { clock, cut, link, there, run, close } = await linked(carrier);
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
        clock.schedule(clock.now() + 1, () => cut());
      });
      cut();
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
