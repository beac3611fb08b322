import { once } from "node:events";
import { finished } from "node:stream";
import { describe, expect, it } from "vitest";
import { LINK_LIMITS, type LinkStream } from "../../src/link/index.ts";
import { LinkWorld } from "./link-world.ts";

const LINGER_MS = 60_000;
const ABORTED = { code: "CULVERT_PEER_ABORTED" };

/** Two ends of a stream, the first of which ends as a socket does. */
async function ends() {
  const world = new LinkWorld({ seed: 74 });
  const near = await world.add("192.0.2.1");
  const far = await world.add("192.0.2.2");
  const taken = new Promise<LinkStream>((resolve) => far.host.handle("p", resolve));
  const link = await world.dial(near, far);
  const a = await world.run(link.openStream("p"));
  const b = await world.run(taken);
  a.endsAsSocket = true;
  for (const end of [a, b]) end.on("error", () => {});
  /** What the links of both still have. */
  const left = (): number[] => [link, ...far.host.links()].map(({ streamCount }) => streamCount);
  return { world, a, b, left };
}

/** What an end tells of its life. */
function told(stream: LinkStream): unknown[] {
  const seen: unknown[] = [];
  for (const event of ["finish", "error", "close"]) {
    stream.on(event, (what) => seen.push([event, what?.code ?? what]));
  }
  finished(stream, { readable: false }, (reason) => seen.push(["finished", reason?.code]));
  return seen;
}

function pattern(bytes: number): Buffer {
  return Buffer.from(Array.from({ length: bytes }, (_, at) => (at * 7 + (at >> 8)) & 255));
}

async function readAll(stream: LinkStream): Promise<Buffer> {
  const chunks: Buffer[] = [];
  await once(
    stream.on("data", (chunk) => chunks.push(chunk)),
    "end",
  );
  return Buffer.concat(chunks);
}

describe("a stream of a link that ends as a socket does", () => {
  it.each([
    ["", undefined],
    [" with an error", Object.assign(new Error("enough"), { code: "MINE" })],
  ])("sends all and an end when it is destroyed%s", async (_, error) => {
    const { world, a, b, left } = await ends();
    const seen = told(a);
    // More than its window: most of it waits for a reader, and some of it in Node's buffer.
    const all = pattern(500_000);
    for (let at = 0; at < all.length; at += 100_000) {
      const chunk = Buffer.from(all.subarray(at, at + 100_000));
      a.write(chunk, () => chunk.fill(0));
      if (at === 200_000) a.cork();
    }
    a.destroy(error);
    await world.pass(5_000);
    const read = world.run(readAll(b));
    await world.pass(2_000);
    expect((await read).equals(all)).toBe(true);
    b.end();
    await world.pass(1_000);
    // Whoever wrote is not told that it had come to its end.
    const closed = ["close", error !== undefined];
    const early = ["finished", "ERR_STREAM_PREMATURE_CLOSE"];
    expect(seen).toEqual(
      error === undefined ? [closed, early] : [["error", "MINE"], ["finished", "MINE"], closed],
    );
    expect([left(), b.destroyed, b.errored]).toEqual([[0, 0], true, null]);
    await world.close();
  });

  it("takes nothing more from who writes whenever there is room", async () => {
    const { world, a, b } = await ends();
    let calls = 0;
    const more = (error?: Error | null): void => {
      calls += 1;
      if (!error && calls < 1_000) a.write(pattern(10_000), more);
    };
    a.write(pattern(200_000), more);
    a.destroy();
    const read = world.run(readAll(b));
    await world.pass(5_000);
    expect((await read).equals(pattern(200_000))).toBe(true);
    expect(calls).toBeLessThan(5);
    await world.close();
  });

  it("is given up as any other when it is reset, and when its handler fails", async () => {
    const { world, a, b } = await ends();
    a.write(pattern(500_000));
    a.resetAndDestroy();
    await world.pass(1_000);
    expect(b.errored).toMatchObject({ ...ABORTED, detail: { code: 0 } });
    await world.close();
  });

  it("is reset when its peer does not read, and when it goes on to write", async () => {
    for (const doesWrite of [false, true]) {
      const { world, a, b, left } = await ends();
      a.write(pattern(doesWrite ? 10 : 500_000));
      a.destroy();
      if (doesWrite) b.write(pattern(500_000));
      await world.pass(doesWrite ? 1_000 : LINGER_MS - 1_000);
      expect(left()).toEqual(doesWrite ? [0, 0] : [1, 1]);
      await world.pass(2_000);
      expect(left()).toEqual([0, 0]);
      await world.pass(1_000);
      await world.close();
    }
  });

  it("waits for its peer's end as long as any other, from its own end on", async () => {
    const { world, a, b, left } = await ends();
    const failed = told(b);
    a.end("bye");
    a.destroy();
    b.resume();
    await world.pass(LINK_LIMITS.drainMs - 1_000);
    expect(left()).toEqual([1, 1]);
    await world.pass(2_000);
    expect([left(), failed[0]]).toEqual([
      [0, 0],
      ["error", "CULVERT_PEER_ABORTED"],
    ]);
    await world.close();
  });

  it("is let end by a link that closes gracefully", async () => {
    const { world, a, b } = await ends();
    a.write(pattern(200_000));
    a.destroy();
    const closed = a.link.close({ graceful: true });
    const read = world.run(readAll(b.on("end", () => b.end())));
    await world.run(closed);
    expect((await read).length).toBe(200_000);
    await world.close();
  });
});
