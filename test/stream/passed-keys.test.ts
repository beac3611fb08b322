import { generateSecret, Stream } from "culvert";
import { VirtualClock } from "culvert/testing";
import { MemoryTransport } from "culvert/transport";
import { expect, it, onTestFinished } from "vitest";
import { capabilitiesOf } from "../../src/stream/duplex/assemble.ts";
import { statesFrom, watchChains } from "./watch-chains.ts";

const LIMIT_MS = 60_000;

it.each(["begun", "loaded"])(
  "a stream that was %s has no key of a frame that is over",
  async (how) => {
    const clock = new VirtualClock();
    const map = new MemoryTransport({ clock, payloadSize: 300 });
    onTestFinished(() => map.close());
    const secret = generateSecret();
    const { chain } = capabilitiesOf(secret, "dialer").write;
    const passed = statesFrom(chain.toBytes(), 20);
    const kept = watchChains();
    let writer = Stream.dial(map, secret, { clock });
    const reader = Stream.listen(map, secret, { clock });
    reader.resume();
    expect(await kept()).toContain(passed[0]);
    const carry = async (): Promise<void> => {
      writer.write("x".repeat(3_000));
      await clock.runPromise(writer.sync(), LIMIT_MS);
    };
    if (how === "loaded") {
      await carry();
      const state = await clock.runPromise(writer.save(), LIMIT_MS);
      writer = await Stream.load(map, state, { clock });
    }
    await carry();
    expect(writer.progress().unacknowledgedFrames).toBe(0);
    expect((await kept()).filter((state) => passed.includes(state))).toEqual([]);
    await Promise.all([writer.halt(), reader.halt()]);
  },
);
