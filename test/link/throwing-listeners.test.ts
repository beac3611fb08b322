import { describe, expect, it } from "vitest";
import type { LinkStream } from "../../src/link/index.ts";
import { LinkWorld } from "./link-world.ts";
import { uncaught } from "./uncaught.ts";

const EVENTS = ["data", "written", "end", "close"] as const;

describe("a listener of a stream that throws", () => {
  it.each(EVENTS)("holds up no other stream, and not its own: %s", async (event) => {
    const seen = uncaught();
    const world = new LinkWorld({ seed: 5 });
    const [near, far] = [await world.add("192.0.2.1"), await world.add("192.0.2.2")];
    const fail = (): never => {
      throw new Error("of a listener");
    };
    far.host.handle("p", (stream) => {
      stream.resume().end("0123456789");
      stream.on(event === "written" ? "finish" : event, fail);
    });
    const link = await world.dial(near, far);
    const opened = [0, 1, 2, 3].map(() => link.openStream("p"));
    const streams = await world.run(Promise.all(opened));
    let [bytes, ends] = [0, 0];
    for (const stream of streams) {
      stream.on("data", (chunk: Uint8Array) => {
        bytes += chunk.length;
        if (event === "data") fail();
      });
      stream.on("end", () => {
        ends += 1;
      });
      // Many chunks in one turn, and more than a window: their credit has to come back.
      for (let at = 0; at < 20; at++) stream.write(new Uint8Array(10_000), written(event, fail));
      stream.end();
    }
    await world.pass(1_000);
    // Node itself ends no stream whose own callback has thrown.
    expect([bytes, ends, link.streamCount]).toEqual([40, 4, event === "written" ? 4 : 0]);
    expect(new Set(seen)).toEqual(new Set(["of a listener"]));
    await world.close();
  });

  it("does not keep a link that is over", async () => {
    const seen = uncaught();
    const world = new LinkWorld({ seed: 6 });
    const [near, far] = [await world.add("192.0.2.1"), await world.add("192.0.2.2")];
    const taken: LinkStream[] = [];
    far.host.handle("p", (stream) => taken.push(stream.on("error", () => {}).pause()));
    const link = await world.dial(near, far);
    const streams = await world.run(Promise.all([link.openStream("p"), link.openStream("p")]));
    const errors: unknown[] = [];
    for (const stream of streams) {
      stream
        .on("error", (error) => errors.push(error))
        .write(new Uint8Array(200_000), () => {
          throw new Error("of a callback");
        });
    }
    let isOver = false;
    link.onClose(() => {
      throw new Error("of a callback");
    });
    link.onClose(() => {
      isOver = true;
    });
    await world.pass(100);
    await world.run(link.close());
    await world.pass(10);
    expect([near.host.links().length, errors.length, isOver]).toEqual([0, 2, true]);
    expect(seen.length).toBeGreaterThan(0);
    await world.close();
  });
});

function written(event: string, fail: () => never): (() => void) | undefined {
  return event === "written" ? fail : undefined;
}
