import { once } from "node:events";
import { describe, expect, it } from "vitest";
import { LINK_LIMITS, type LinkStream } from "../../src/link/index.ts";
import { Arrivals, LinkWorld, writeKnown } from "./link-world.ts";
import { uncaught } from "./uncaught.ts";

/** A node with two peers, of which one is rude, and an echo that has to go on beside. */
async function withRude(take: (stream: LinkStream) => void) {
  const world = new LinkWorld({ seed: 5 });
  const near = await world.add("192.0.2.1");
  const rude = await world.add("192.0.2.2");
  const polite = await world.add("192.0.2.3");
  for (const { host } of [rude, polite]) {
    host.handle("echo", (stream) => stream.on("error", () => {}).pipe(stream));
  }
  rude.host.handle("p", (stream) => take(stream.on("error", () => {})));
  const link = await world.dial(near, rude);
  const other = await world.dial(near, polite);
  const stream = await world.run(link.openStream("p"));
  const failed = new Promise<unknown>((resolve) => stream.on("error", resolve));
  const echoes = async (): Promise<string[]> => {
    const said: string[] = [];
    for (const through of [link, other]) {
      if (!through.isOpen) continue;
      const echo = await world.run(through.openStream("echo"));
      echo.on("error", () => {});
      echo.end("x");
      const [bytes] = (await world.run(once(echo, "data"))) as [Uint8Array];
      said.push(String.fromCharCode(...bytes));
    }
    return said;
  };
  return { world, rude, link, other, stream, failed, echoes };
}

describe("a handler", () => {
  it("that throws at what it reads holds up nothing else on its link", async () => {
    const seen = uncaught();
    const { world, rude, link, echoes } = await withRude(() => {});
    rude.host.handle("bad", (stream) => {
      stream
        .on("error", () => {})
        .on("data", () => {
          throw new Error("a mistake");
        });
    });
    const bad = await world.run(link.openStream("bad"));
    bad.on("error", () => {}).write("x");
    await world.pass(1_000);
    expect(seen).toEqual(["a mistake"]);
    const echo = await world.run(link.openStream("echo"));
    const arrivals = new Arrivals(echo, 9);
    writeKnown(echo, { clock: world.clock, seed: 9, bytes: 2_000_000, bytesPerSecond: 1e6 });
    await world.pass(20_000);
    expect(arrivals).toMatchObject({ received: 2_000_000, mismatch: undefined, isEnded: true });
    expect(await echoes()).toEqual(["x", "x"]);
    await world.close();
  });
});

describe("a peer", () => {
  it("that never reads, or reads a byte a second, stops its own stream and no other", async () => {
    for (const isReading of [false, true]) {
      const { world, stream, echoes } = await withRude((theirs) => {
        if (!isReading) return;
        const readOne = (): void => {
          theirs.read(1);
          world.clock.schedule(world.clock.now() + 1_000, readOne);
        };
        readOne();
      });
      let written = 0;
      const fill = (): void => {
        do written += 50_000;
        while (written < 50e6 && stream.write(new Uint8Array(50_000)));
      };
      stream.on("drain", fill);
      fill();
      await world.pass(60_000);
      expect(written).toBeLessThan(4 * LINK_LIMITS.streamWindowBytes);
      expect(await echoes()).toEqual(["x", "x"]);
      await world.close();
    }
  });

  it("that ends its side half-way still gets all that is sent to it", async () => {
    let arrivals: Arrivals | undefined;
    const { world, stream, echoes } = await withRude((theirs) => {
      arrivals = new Arrivals(theirs, 9);
      theirs.end("enough");
    });
    stream.resume();
    writeKnown(stream, { clock: world.clock, seed: 9, bytes: 300_000, bytesPerSecond: 1e6 });
    await world.clock.runUntil(() => arrivals?.isEnded === true, 60_000);
    expect(arrivals).toMatchObject({ received: 300_000, mismatch: undefined, isEnded: true });
    expect(await echoes()).toEqual(["x", "x"]);
    await world.close();
  });

  it.each([10, 400_000])(
    "that answers, ends its side and gives the rest up is heard, with %s bytes on their way",
    async (bytes) => {
      let theirs: LinkStream | undefined;
      const { world, stream, failed } = await withRude((taken) => {
        theirs = taken;
        taken.end("too large");
      });
      stream.write(new Uint8Array(bytes));
      await world.pass(1_000);
      theirs?.reset(7);
      await world.pass(1_000);
      stream.write("more");
      stream.end();
      await world.pass(1_000);
      let answer = "";
      stream.on("data", (chunk: Uint8Array) => {
        answer += String.fromCharCode(...chunk);
      });
      expect(await world.run(failed)).toMatchObject({ code: "CULVERT_PEER_ABORTED" });
      expect([answer, stream.destroyed]).toEqual(["too large", true]);
      await world.close();
    },
  );

  it("that answers and gives the rest up holds nobody up who sends all, then reads", async () => {
    let theirs: LinkStream | undefined;
    const { world, stream, failed } = await withRude((taken) => {
      theirs = taken;
      taken.pause().end("too large");
    });
    let written = 0;
    stream.write(new Uint8Array(400_000), () => void written++);
    await world.pass(1_000);
    theirs?.reset(7);
    await world.pass(1_000);
    stream.write(new Uint8Array(400_000), () => void written++);
    stream.end();
    await world.run(once(stream, "finish"));
    expect(written).toBe(2);
    const answer = once(stream, "data");
    expect(await world.run(failed)).toMatchObject({ code: "CULVERT_PEER_ABORTED" });
    expect(String(await answer)).toBe("too large");
    await world.close();
  });

  it("that gives up what is echoed to it leaves nothing of the stream", async () => {
    const echoes: LinkStream[] = [];
    const { world, rude, other, stream } = await withRude(() => {});
    rude.host.handle("echo", (taken) => {
      echoes.push(taken);
      taken.on("error", () => {}).pipe(taken);
    });
    const [echo] = [await world.run(stream.link.openStream("echo"))];
    echo.on("error", () => {}).write(new Uint8Array(400_000));
    await world.pass(5_000);
    echo.end();
    await world.pass(5_000);
    echo.destroy();
    await world.pass(60_000);
    expect(echoes.map(({ destroyed }) => destroyed)).toEqual([true]);
    expect(other.isOpen).toBe(true);
    await world.close();
  });

  it("that asks, and gives up, is noticed by who stopped reading and feeds it on", async () => {
    const { world, link, rude } = await withRude(() => {});
    const failures: unknown[] = [];
    let fed = 0;
    rude.host.handle("feed", (taken) => {
      const feed = (): void => {
        while (fed < 1e9 && taken.write(new Uint8Array(50_000))) fed += 50_000;
      };
      taken.once("data", () => taken.pause());
      taken.on("error", (error) => failures.push(error)).on("drain", feed);
      feed();
    });
    const feed = await world.run(link.openStream("feed"));
    feed.on("error", () => {}).write("please");
    await world.pass(1_000);
    feed.end("and more");
    await world.pass(1_000);
    feed.destroy();
    await world.pass(60_000);
    expect(failures).toMatchObject([{ code: "CULVERT_PEER_ABORTED" }]);
    expect(fed).toBeLessThan(2 * LINK_LIMITS.streamWindowBytesMax);
    await world.close();
  });

  it("that asks, and gives up, is noticed by who never reads what it asked", async () => {
    const { world, link, rude } = await withRude(() => {});
    const failures: unknown[] = [];
    rude.host.handle("feed", (taken) => {
      taken.on("error", (error) => failures.push(error)).write(new Uint8Array(400_000));
    });
    const feed = await world.run(link.openStream("feed"));
    feed.on("error", () => {}).end("please");
    await world.pass(1_000);
    feed.destroy();
    await world.pass(10_000);
    expect(failures).toMatchObject([{ code: "CULVERT_PEER_ABORTED" }]);
    await world.close();
  });

  it("that ends its side, and gives the rest up, is noticed by who only writes", async () => {
    let theirs: LinkStream | undefined;
    const { world, stream, failed } = await withRude((taken) => {
      theirs = taken;
      taken.end();
    });
    stream.write(new Uint8Array(400_000));
    await world.pass(1_000);
    theirs?.reset(7);
    expect(await world.run(failed)).toMatchObject({ code: "CULVERT_PEER_ABORTED" });
    await world.close();
  });

  it("that gives a stream up half-way is told apart from one that is gone", async () => {
    const { world, stream, failed, echoes } = await withRude((theirs) => {
      theirs.once("data", () => theirs.reset(7));
    });
    writeKnown(stream, { clock: world.clock, seed: 9, bytes: 300_000, bytesPerSecond: 1e6 });
    const told = { code: "CULVERT_PEER_ABORTED", remote: true, detail: { code: 7 } };
    expect(await world.run(failed)).toMatchObject(told);
    expect(await echoes()).toEqual(["x", "x"]);
    await world.close();
  });

  it("that closes its link half-way fails its streams, and nobody else's", async () => {
    const { world, rude, stream, failed, other, link, echoes } = await withRude((theirs) => {
      theirs.once("data", () => void rude.host.close());
    });
    writeKnown(stream, { clock: world.clock, seed: 9, bytes: 300_000, bytesPerSecond: 1e6 });
    expect(await world.run(failed)).toMatchObject({ code: "CULVERT_CLOSED" });
    expect([link.isOpen, other.isOpen]).toEqual([false, true]);
    expect(await echoes()).toEqual(["x"]);
    await world.close();
  });
});
