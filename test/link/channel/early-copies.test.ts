import { describe, expect, it } from "vitest";
import { EarlyCopies } from "../../../src/link/channel/early-copies.ts";
import { LinkCore } from "../../../src/link/host/link-core.ts";
import type { LinkEffect } from "../../../src/link/host/protocol.ts";
import { LINK_LIMITS } from "../../../src/link/index.ts";
import { encodeControl } from "../../../src/link/mux/link-records.ts";
import { LinkWorld } from "../link-world.ts";

const RTT_MS = 50;

/** The median of what sixteen streams wait for echoes, at 5 % loss each way. */
async function medianEcho(carrier: "udp" | "tcp"): Promise<number> {
  const world = new LinkWorld({ seed: 11, line: { delayMs: RTT_MS / 4, loss: 0.025 } });
  const near = await world.add("192.0.2.1");
  const far = await world.add("192.0.2.2");
  far.host.handle("echo", (stream) => stream.on("error", () => {}).pipe(stream));
  const link = await world.dial(near, far, carrier);
  const times: number[] = [];
  const echoer = async (): Promise<void> => {
    const stream = await link.openStream("echo", { priority: "urgent" });
    stream.on("error", () => {});
    for (let round = 0; round < 50; round++) {
      const from = world.clock.now();
      const back = new Promise<void>((resolve) => {
        let bytes = 0;
        stream.on("data", function count(this: typeof stream, piece: Uint8Array) {
          bytes += piece.length;
          if (bytes < 1_024) return;
          stream.off("data", count);
          resolve();
        });
      });
      stream.write(new Uint8Array(1_024));
      await back;
      if (round >= 15) times.push(world.clock.now() - from);
    }
    stream.destroy();
  };
  await world.run(Promise.all(Array.from({ length: 16 }, echoer)));
  await world.close();
  return times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)] ?? Number.NaN;
}

/** A link's core that is on a path, and what it has told. */
function coreOnPath() {
  const core = new LinkCore({
    limits: LINK_LIMITS,
    isInitiator: false,
    peer: { streams: 16, streamWindow: 65_536 },
    now: 0,
  });
  const told = (): LinkEffect[] => {
    const effects: LinkEffect[] = [];
    for (let effect = core.poll(); effect !== undefined; effect = core.poll()) effects.push(effect);
    return effects;
  };
  core.handle({ kind: "path", peerReceived: 0, receivedTold: 0 }, 0);
  core.handle({ kind: "room", bytes: 1e6 }, 0);
  return { core, told };
}

const opening = (id: number): Uint8Array => Uint8Array.of(1, 0, 0, 0, id, 0, 1, "p".charCodeAt(0));
const opened = (effects: readonly LinkEffect[]): number[] =>
  effects.flatMap((effect) => (effect.kind === "accept" ? [effect.id] : []));

describe("copies of short records", () => {
  it("let echoes pass what is lost: one round trip, where a stream alone takes two", async () => {
    expect(await medianEcho("udp")).toBeLessThan(1.3 * RTT_MS);
    // The canary: the same streams and losses, over a carrier that has nothing beside its bytes.
    expect(await medianEcho("tcp")).toBeGreaterThan(1.5 * RTT_MS);
  });

  it("are taken in the order of their records, once, and each record is dropped afterwards", () => {
    const { core, told } = coreOnPath();
    const copy = (number: number, id: number): void => {
      const payload = encodeControl({ kind: "copy", number, payload: opening(id) });
      core.handle({ kind: "loose", payload }, 0);
    };
    copy(1, 2);
    expect(opened(told())).toEqual([]);
    copy(0, 0);
    copy(0, 0);
    expect(opened(told())).toEqual([0, 2]);
    for (const id of [0, 2, 4]) core.handle({ kind: "message", payload: opening(id) }, 0);
    expect(opened(told())).toEqual([4]);
    expect(core.received).toBe(3);
  });

  it("that are none, too long, or no records of streams are counted and dropped", () => {
    const { core, told } = coreOnPath();
    for (const payload of [
      new Uint8Array(1_061),
      encodeControl({ kind: "ping" }),
      opening(0).slice(0, 0),
    ]) {
      core.handle(
        { kind: "loose", payload: encodeControl({ kind: "copy", number: 0, payload }) },
        0,
      );
    }
    expect(told().filter(({ kind }) => kind !== "send")).toEqual([]);
    expect([core.droppedDatagrams, core.received]).toEqual([3, 0]);
  });

  it("among the ordered records end the link", () => {
    const { core, told } = coreOnPath();
    const payload = encodeControl({ kind: "copy", number: 0, payload: opening(0) });
    core.handle({ kind: "message", payload }, 0);
    expect(told()).toMatchObject([{ kind: "send" }, { kind: "over" }]);
  });

  it("are kept up to a limit, and forgotten once their record has come", () => {
    const copies = new EarlyCopies();
    for (let number = 0; number < 1_000; number++) copies.put(number, opening(0), 10);
    expect(copies.take(9)).toBeUndefined();
    expect(copies.take(137)).toBeDefined();
    for (const number of [10, 136, 138, 999]) expect(copies.take(number)).toBeUndefined();
  });
});
