import { once } from "node:events";
import { generateSecret, Stream } from "culvert";
import { VirtualClock } from "culvert/testing";
import { LossyTransport, MemoryTransport, type Transport } from "culvert/transport";
import { describe, expect, onTestFinished, test } from "vitest";
import { giveUp, leaveFarewell, sayGoodbye } from "../../../src/cli/session/stream-run.ts";
import { FakeScreen, outputOn } from "../screen.ts";

/** A way to a Map on which puts get lost, all of them, while it is `broken`. */
class BreakingWay implements Transport {
  readonly #map: Transport;
  readonly payloadSize: number;
  broken = false;

  constructor(map: Transport) {
    this.#map = map;
    this.payloadSize = map.payloadSize;
  }

  put: Transport["put"] = (frameId, cell, options) => {
    return this.broken ? new Promise(() => {}) : this.#map.put(frameId, cell, options);
  };

  get: Transport["get"] = (frameId, options) => this.#map.get(frameId, options);
}

interface Scene {
  readonly isWriterHere: boolean;
  readonly isPeerDone?: boolean;
  readonly peerTimeoutMs?: number;
}

/** A reader that has read all, over a way that has just broken; the writer may have gone. */
async function readerAtEnd(scene: Scene) {
  const { isWriterHere, isPeerDone = false, peerTimeoutMs = 0 } = scene;
  const clock = new VirtualClock();
  const map = new MemoryTransport({ clock });
  onTestFinished(() => map.close());
  const [secret, way, screen] = [generateSecret(), new BreakingWay(map), new FakeScreen(false)];
  const writer = Stream.listen(map, secret, { clock });
  writer.resume().end("all there is");
  await clock.runUntil(() => writer.writableFinished, 60_000);
  if (!isWriterHere) await writer.halt();
  const reader = Stream.dial(way, secret, { clock, peerTimeoutMs }).on("error", () => {});
  way.broken = true;
  const ended = once(reader.resume(), "end");
  await clock.runPromise(ended, 60_000);
  reader.end();
  const stopper = new AbortController();
  const context = { clock, output: outputOn(screen, false), stop: stopper.signal };
  let said: string | undefined;
  const goodbye = sayGoodbye(context, reader, { isPeerDone }).then((what) => {
    said = what;
  });
  const saidAfter = async (ms: number): Promise<string | undefined> => {
    await clock.runUntil(clock.now() + ms);
    return said;
  };
  onTestFinished(() => void reader.destroy());
  return { clock, way, writer, reader, screen, stopper, goodbye, saidAfter };
}

describe("a side that is done", () => {
  test("does not leave before its last word is in the Map", async () => {
    const { way, screen, saidAfter, writer } = await readerAtEnd({ isWriterHere: true });
    expect(await saidAfter(60_000)).toBeUndefined();
    expect(screen.text).toBe(
      "culvert: note: all is done here, and the other side is still to be told\n",
    );
    way.broken = false;
    expect(await saidAfter(60_000)).toBe("over");
    expect(writer.progress().isEndTaken).toBe(true);
  });

  test("leaves its last word to one that is away", async () => {
    const { way, saidAfter, screen } = await readerAtEnd({ isWriterHere: false });
    way.broken = false;
    expect(await saidAfter(30_000)).toBe("told");
    expect(screen.text).toBe("");
  });

  test("leaves at last when there is no way to tell anything", async () => {
    const { saidAfter } = await readerAtEnd({ isWriterHere: true });
    expect(await saidAfter(500_000)).toBeUndefined();
    expect(await saidAfter(200_000)).toBe("untold");
  });

  test("is not held up for long when the other side waits for nothing", async () => {
    const { saidAfter } = await readerAtEnd({ isWriterHere: true, isPeerDone: true });
    expect(await saidAfter(15_000)).toBeUndefined();
    expect(await saidAfter(10_000)).toBe("untold");
  });

  test.each([
    [false, "told"],
    [true, "untold"],
  ] as const)("has not failed when it hears no more (way broken: %s)", async (broken, outcome) => {
    const peerTimeoutMs = 2_000;
    const { way, saidAfter } = await readerAtEnd({ isWriterHere: false, peerTimeoutMs });
    way.broken = broken;
    expect(await saidAfter(30_000)).toBe(outcome);
  });

  test("leaves at once when it is stopped, and knows that nothing was told", async () => {
    const { reader, stopper, saidAfter } = await readerAtEnd({ isWriterHere: true });
    stopper.abort();
    await reader.halt();
    expect(await saidAfter(1_000)).toBe("untold");
  });
});

test("who gives up leaves once that is in the Map, be the way there slow and lossy", async () => {
  const clock = new VirtualClock();
  const map = new MemoryTransport({ clock });
  onTestFinished(() => map.close());
  const secret = generateSecret();
  const way = new BreakingWay(map);
  const slow = new LossyTransport(way, { clock, rttMs: 2_000 });
  const writer = Stream.listen(map, secret, { clock });
  const failed = once(writer.resume(), "error");
  writer.write("what nobody wants");
  const reader = Stream.dial(slow, secret, { clock });
  await clock.runPromise(
    once(
      reader.on("error", () => {}),
      "data",
    ),
    60_000,
  );
  const output = outputOn(new FakeScreen(false), false);
  const context = { clock, output, stop: new AbortController().signal };
  way.broken = true;
  const leaving = giveUp(context, reader, 7).then(() => reader.halt());
  await clock.runUntil(clock.now() + 5_000);
  way.broken = false;
  await clock.runPromise(leaving, 60_000);
  expect(await clock.runPromise(failed, 60_000)).toMatchObject([
    { code: "CULVERT_PEER_ABORTED", detail: { code: 7 } },
  ]);
});

describe("whoever is asked to stop", () => {
  async function stopping(isBroken: boolean) {
    const clock = new VirtualClock();
    const map = new MemoryTransport({ clock });
    onTestFinished(() => map.close());
    const way = new BreakingWay(map);
    way.broken = isBroken;
    const stream = Stream.listen(way, generateSecret(), { clock });
    onTestFinished(() => void stream.destroy());
    const screen = new FakeScreen(false);
    stream.write("we leave");
    const left = leaveFarewell({ clock, output: outputOn(screen, false) }, stream);
    const begunAt = clock.now();
    const isTold = await clock.runPromise(left, 60_000);
    return { isTold, tookMs: clock.now() - begunAt, screen };
  }

  test("leaves as soon as its farewell is in the Map", async () => {
    const { isTold, tookMs, screen } = await stopping(false);
    expect(isTold).toBe(true);
    expect(tookMs).toBeLessThan(1_000);
    expect(screen.text).toBe("");
  });

  test("leaves soon where no Map takes it, and says what it waits for", async () => {
    const { isTold, tookMs, screen } = await stopping(true);
    expect(isTold).toBe(false);
    expect(tookMs).toBeLessThanOrEqual(20_000);
    expect(screen.text).toBe(
      "culvert: note: telling the other side; Ctrl-C once more leaves at once\n",
    );
  });
});
