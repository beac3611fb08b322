import { once } from "node:events";
import { describe, expect, it } from "vitest";
import { isCulvertError } from "../../../src/base/index.ts";
import { resolveLinkLimits } from "../../../src/link/limits.ts";
import { MuxCore } from "../../../src/link/mux/mux-core.ts";
import { LinkWorld } from "../link-world.ts";

it("rejects a stream whose link ends in the turn in which it was opened", async () => {
  const world = new LinkWorld();
  const [near, far] = [await world.add("192.0.2.1"), await world.add("192.0.2.2")];
  const link = await world.dial(near, far);
  // Within one turn: without care for that, the stream's error meets nobody and ends the process.
  const opening = link.openStream("x");
  const closed = link.close();
  await expect(world.run(opening)).rejects.toMatchObject({ code: "CULVERT_CLOSED" });
  await world.run(closed);
  await world.close();
});

it("refuses a priority that is none, and opens the next stream", async () => {
  const world = new LinkWorld();
  const limits = { streamsOutMax: 1 };
  const [near, far] = [await world.add("192.0.2.1", { limits }), await world.add("192.0.2.2")];
  far.host.handle("echo", (stream) => stream.pipe(stream).on("error", () => {}));
  const link = await world.dial(near, far);
  const priority = "Urgent" as "urgent";
  await expect(world.run(link.openStream("echo", { priority }))).rejects.toThrow(
    'priority must be "urgent" or "normal" or "bulk"',
  );
  const stream = await world.run(link.openStream("echo"));
  const said = world.run(once(stream, "data"));
  stream.write("hello");
  expect(String(await said)).toBe("hello");
  stream.destroy();
  await world.close();
});

describe("a stream that waits for another one to end", () => {
  const codeOf = (opening: Promise<unknown>): Promise<unknown> =>
    opening.then(
      () => "open",
      (error: unknown) => (isCulvertError(error) ? error.code : error),
    );

  /** A link on which the only stream is open, and another one waits for it. */
  async function waiting() {
    const world = new LinkWorld();
    const limits = { streamsInMax: 1 };
    const [near, far] = [await world.add("192.0.2.1"), await world.add("192.0.2.2", { limits })];
    const taken: unknown[] = [];
    far.host.handle("echo", (stream) => {
      taken.push(stream);
      stream.on("error", () => {}).pipe(stream);
    });
    const link = await world.dial(near, far);
    const first = await world.run(link.openStream("echo"));
    const second = codeOf(link.openStream("echo"));
    await world.pass(1_000);
    return { world, link, first, second, taken };
  }

  it("is rejected as soon as the link is closed, gracefully too, and never opened", async () => {
    for (const graceful of [true, false]) {
      const { world, link, first, second, taken } = await waiting();
      first.on("error", () => {});
      const closed = link.close({ graceful });
      expect(await world.run(second, 100)).toBe("CULVERT_CLOSED");
      first.resume().end();
      await world.run(closed);
      expect(taken.length).toBe(1);
      await world.close();
    }
  });

  it("is not waited for where the peer takes none at all", () => {
    const mux = new MuxCore({
      limits: resolveLinkLimits(),
      isInitiator: true,
      peer: { streams: 0, streamWindow: 65_536 },
    });
    mux.handle({ kind: "open", ticket: 1, protocol: "echo", priority: "normal" }, 0);
    expect(mux.poll()).toEqual({ kind: "open-refused", ticket: 1 });
  });
});
