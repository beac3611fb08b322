import { describe, expect, it } from "vitest";
import { CulvertError, isCulvertError } from "../../../src/base/index.ts";
import { CoreLink } from "../../../src/link/host/core-link.ts";
import { LinkMover } from "../../../src/link/host/link-mover.ts";
import type { Link } from "../../../src/link/index.ts";
import { encodeControl, readControl } from "../../../src/link/mux/link-records.ts";
import type { Asked, ReadyPath } from "../../../src/link/path/path-desk.ts";
import type { GreetEvents } from "../../../src/link/path/path-setup.ts";
import { VirtualClock } from "../../../src/testing/index.ts";
import { cutPair } from "../cut-network.ts";
import { Arrivals, type LinkNode, LinkWorld, writeKnown } from "../link-world.ts";

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
  return { clock, a, b, cut, link, there, run, close };
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

describe("a stream that is written to when its link tells of a new path", () => {
  it.each(["dialled", "was dialled"])(
    "loses and repeats nothing, moved by the end that %s",
    async (end) => {
      const world = new LinkWorld();
      const [near, far] = [await world.add("192.0.2.1"), await world.add("192.0.2.2")];
      let text = "";
      far.host.handle("t", (stream) => {
        stream.on("error", () => {});
        stream.on("data", (bytes: Uint8Array) => {
          text += String.fromCharCode(...bytes);
        });
      });
      const link = await world.dial(near, far, "tcp");
      const stream = await world.run(link.openStream("t"));
      stream.on("error", () => {});
      stream.write("a");
      await world.pass(1_000);
      link.onPath(() => stream.write("b"));
      const [from, to] = end === "dialled" ? [near, far] : [far, near];
      const addresses = to.host.addresses.filter(({ carrier }) => carrier === "udp");
      const [moved] = from.host.links() as [Link];
      await world.run(from.host.upgrade(moved, { addresses }));
      await world.pass(1_000);
      stream.write("c");
      await world.pass(1_000);
      expect([text, link.isOpen, link.carrier]).toEqual(["abc", true, "udp"]);
      await world.close();
    },
  );
});

describe("a link that both ends move at once", () => {
  // A path takes some 120 ms: each of these meets the other proposal at another point.
  it.each([0, 15, 30, 45, 60, 75, 90, 105, 120, 135])(
    "is on one path in the end, and never without one, the second %i ms later",
    async (laterMs) => {
      const world = new LinkWorld();
      const [near, far] = [await world.add("192.0.2.1"), await world.add("192.0.2.2")];
      const flows: Arrivals[] = [];
      far.host.handle("flow", (stream) => void flows.push(new Arrivals(stream, 1)));
      const link = await world.dial(near, far, "tcp");
      const stream = await world.run(link.openStream("flow"));
      stream.on("error", () => {});
      const { clock } = world;
      writeKnown(stream, { clock, seed: 1, bytes: 200_000, bytesPerSecond: 200_000 });
      await world.pass(300);
      const [there] = far.host.links() as [Link];
      let losses = 0;
      for (const end of [link, there]) {
        end.onPath((path) => {
          if (path === undefined) losses += 1;
        });
      }
      const move = (from: LinkNode, to: LinkNode, end: Link): Promise<string> => {
        const { addresses } = to.host;
        return from.host.upgrade(end, { addresses }).then(() => "moved", codeOf);
      };
      const first = move(far, near, there);
      await world.pass(laterMs);
      const outcomes = await world.run(Promise.all([first, move(near, far, link)]));
      await clock.runUntil(() => flows[0]?.isEnded === true, 60_000);
      expect(outcomes.every((each) => ["moved", "CULVERT_BUSY"].includes(each))).toBe(true);
      expect(outcomes).toContain("moved");
      expect([flows[0]?.received, flows[0]?.mismatch]).toEqual([200_000, undefined]);
      const epochs = [link, there].map((end) => (end instanceof CoreLink ? end.epoch : undefined));
      expect(epochs[0]).toBe(epochs[1]);
      expect(losses).toBe(0);
      await world.close();
    },
  );
});

describe("a path that was proposed before the one in use", () => {
  it.each([
    [1, ["busy"], 0],
    [2, ["busy"], 0],
    [3, [], 1],
  ])("number %i, when it comes late while the link is on its second", (epoch, refusals, puts) => {
    const refused: string[] = [];
    const confirmed: number[] = [];
    let taken = 0;
    const mover = new LinkMover({
      clock: new VirtualClock(),
      redial: () => undefined,
      put: () => {
        taken += 1;
      },
    });
    const intent = { kind: "resume", epoch, received: 0 } as const;
    const setup = {
      refuse: (why: string) => refused.push(why),
      confirm: (received: number) => confirmed.push(received),
    };
    const asked = { setup, greeted: { intent }, way: {} } as unknown as Asked;
    mover.answer({ epoch: 2, received: 7 } as unknown as CoreLink, asked);
    expect([refused, taken, confirmed]).toEqual([refusals, puts, puts === 1 ? [7] : []]);
  });
});

describe("a link that the peer has forgotten", () => {
  it("ends when another path shows it, also where only the peer could dial again", async () => {
    const { clock, a, b, link, there, run, close } = await linked("udp");
    if (link instanceof CoreLink) link.abandon(new CulvertError("CULVERT_UNREACHABLE"));
    await clock.runUntil(clock.now() + 1_000);
    expect([there.isOpen, there.path]).toEqual([true, undefined]);
    const upgraded = run(b.upgrade(there, { addresses: a.addresses }));
    await expect(upgraded).rejects.toMatchObject({ detail: { why: "unknown-link" } });
    expect(there.isOpen).toBe(false);
    await close();
  });
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

describe("a path that is lost in the turn in which it was taken", () => {
  it("is replaced like any other", async () => {
    const clock = new VirtualClock();
    const link = { isOpen: true, path: undefined as object | undefined, epoch: 0, received: 0 };
    const core = Object.assign(link, { linkId: new Uint8Array(16), nextEpoch: () => 2 });
    let dials = 0;
    const mover: LinkMover = new LinkMover({
      clock,
      redial: () => async () => {
        dials += 1;
        return { setup: { greet } } as unknown as ReadyPath;
      },
      put: () => {
        // What came behind the peer's word was changed on the way: the path is cut at once.
        link.path = dials === 1 ? undefined : {};
        if (dials === 1) mover.replace(core as unknown as CoreLink);
      },
    });
    mover.replace(core as unknown as CoreLink);
    await clock.runUntil(() => link.path !== undefined, 10_000);
    expect(dials).toBe(2);
  });
});

const codeOf = (error: unknown): string => (isCulvertError(error) ? error.code : String(error));

/** A peer that lets the link go on. */
function greet(_wish: unknown, events: GreetEvents): void {
  const greeted = { kind: "resumed", received: 0 } as Parameters<GreetEvents["greeted"]>[0];
  events.greeted(greeted);
}
