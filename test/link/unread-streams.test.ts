import { once } from "node:events";
import { describe, expect, it } from "vitest";
import { LINK_LIMITS, type Link, type LinkStream } from "../../src/link/index.ts";
import { LinkWorld } from "./link-world.ts";

/** A link to a peer that takes the streams of `p`, and what that peer has of them. */
async function withPeer(take: (stream: LinkStream) => void) {
  const world = new LinkWorld({ seed: 12 });
  const near = await world.add("192.0.2.1");
  const far = await world.add("192.0.2.2");
  far.host.handle("p", (stream) => take(stream.on("error", () => {})));
  const link = await world.dial(near, far);
  const [there] = far.host.links() as [Link];
  const open = async (): Promise<LinkStream> => {
    return (await world.run(link.openStream("p"))).on("error", () => {});
  };
  /** What is left at both ends. */
  const left = (): number[] => [link.streamCount, there.streamCount];
  return { world, link, open, left };
}

/** What comes until the end, as text. */
async function answerOf(stream: LinkStream): Promise<string> {
  let text = "";
  stream.on("data", (bytes: Uint8Array) => {
    text += String.fromCharCode(...bytes);
  });
  await once(stream.resume(), "end");
  return text;
}

describe("a stream that came in, whose handler ends it without having read", () => {
  it.each([0, 10, 1_000_000])("is given up, with %s bytes on their way", async (bytes) => {
    const taken: LinkStream[] = [];
    const { world, open, left } = await withPeer((stream) => {
      taken.push(stream);
      stream.end("no");
    });
    const stream = await open();
    stream.write(new Uint8Array(bytes));
    const answer = answerOf(stream);
    await world.pass(LINK_LIMITS.drainMs);
    expect(await world.run(answer)).toBe("no");
    await world.pass(2 * LINK_LIMITS.drainMs);
    expect([left(), taken.map(({ destroyed }) => destroyed)]).toEqual([[0, 0], [true]]);
    expect(stream.destroyed).toBe(true);
    await world.close();
  });

  it("is heard to its end by who reads then, or has paused it to read later", async () => {
    for (const laterMs of [0, 20_000]) {
      let heard: Promise<string> | undefined;
      const { world, open, left } = await withPeer(async (stream) => {
        if (laterMs > 0) stream.pause();
        stream.end("first");
        await once(stream, "finish");
        const at = world.clock.now() + laterMs;
        if (laterMs > 0) await new Promise<void>((later) => world.clock.schedule(at, later));
        heard = answerOf(stream);
      });
      const stream = await open();
      stream.resume().end("second");
      await world.pass(laterMs + 1_000);
      expect([await heard, left(), stream.destroyed]).toEqual(["second", [0, 0], true]);
      await world.close();
    }
  });
});

describe("a stream that came in, with which its handler does nothing", () => {
  it("goes without an error when its peer has ended it and the link closes", async () => {
    const taken: LinkStream[] = [];
    const errors: unknown[] = [];
    const { world, link, open } = await withPeer((stream) => {
      taken.push(stream.on("error", (error) => errors.push(error)));
    });
    (await open()).end();
    await world.pass(1_000);
    await world.run(link.close());
    await world.pass(1_000);
    expect([taken.map(({ closed }) => closed), errors]).toEqual([[true], []]);
    await world.close();
  });
});

describe("a stream whose ends have both ended", () => {
  it("closes though nobody reads it, when there was nothing to read", async () => {
    const taken: LinkStream[] = [];
    const { world, open } = await withPeer((stream) => {
      taken.push(stream);
      stream.end();
    });
    const stream = await open();
    stream.end();
    await world.pass(1_000);
    expect([stream, ...taken].map(({ closed }) => closed)).toEqual([true, true]);
    await world.close();
  });

  it("can still be read at the opener, who has all the time", async () => {
    const { world, link, open, left } = await withPeer((stream) => {
      stream.resume().end("answer");
    });
    const stream = await open();
    stream.end("question");
    await world.pass(20_000);
    expect(left()).toEqual([0, 0]);
    await world.run(link.close());
    expect(await world.run(answerOf(stream))).toBe("answer");
    await world.close();
  });
});
