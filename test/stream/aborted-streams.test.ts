import { getEventListeners, once } from "node:events";
import { Broadcast, generateCapability, generateSecret, Stream, Subscription } from "culvert";
import { MemoryJournalStore } from "culvert/journal";
import { VirtualClock } from "culvert/testing";
import { MemoryTransport } from "culvert/transport";
import { describe, expect, it, onTestFinished } from "vitest";

const ABORTED = { name: "AbortError", code: "ABORT_ERR" };

function place() {
  const clock = new VirtualClock();
  const transport = new MemoryTransport({ clock });
  onTestFinished(() => transport.close());
  return { clock, transport, secret: generateSecret(), controller: new AbortController() };
}

describe("a stream that is opened with a signal", () => {
  it("is given up when it is aborted, and the peer is told", async () => {
    const { clock, transport, secret, controller } = place();
    const { signal } = controller;
    const a = Stream.dial(transport, secret, { clock, signal });
    const b = Stream.listen(transport, secret, { clock });
    a.write("begun");
    await clock.runPromise(once(b, "data"));
    const [ended, told] = [once(a, "error"), once(b, "error")];
    controller.abort("enough");
    expect(await clock.runPromise(ended)).toMatchObject([{ ...ABORTED, cause: "enough" }]);
    expect(await clock.runPromise(told)).toMatchObject([{ code: "CULVERT_PEER_ABORTED" }]);
  });

  it("forgets the signal when it is over", async () => {
    const { clock, transport, secret, controller } = place();
    const { signal } = controller;
    const stream = Stream.dial(transport, secret, { clock, signal });
    expect(getEventListeners(signal, "abort")).toHaveLength(1);
    const closed = once(stream, "close");
    await stream.halt();
    await closed;
    expect(getEventListeners(signal, "abort")).toEqual([]);
  });

  it("that is aborted already, tells its listeners", async () => {
    const { clock, transport, secret } = place();
    const capability = generateCapability();
    const options = { clock, signal: AbortSignal.abort() };
    const streams = [
      Stream.dial(transport, secret, options),
      new Broadcast(transport, { ...options, capability }),
      new Subscription(transport, capability.readCapability(), options),
    ];
    expect(streams.map(({ destroyed }) => destroyed)).toEqual([true, true, true]);
    const told = await clock.runPromise(Promise.all(streams.map((each) => once(each, "error"))));
    expect(told).toMatchObject([[ABORTED], [ABORTED], [ABORTED]]);
  });

  it("is not opened from its store when that is aborted, and its state is left alone", async () => {
    const { clock, transport, secret } = place();
    const store = new MemoryJournalStore();
    const capability = generateCapability();
    const given = { transport, store, clock };
    const read = capability.readCapability();
    const openings = [
      (rest: object) => Stream.open({ ...given, secret, role: "dialer", ...rest }),
      (rest: object) => Broadcast.open({ ...given, capability, ...rest }),
      (rest: object) => Subscription.open({ ...given, capability: read, ...rest }),
    ];
    for (const open of openings) {
      await expect(open({ signal: AbortSignal.abort() })).rejects.toMatchObject(ABORTED);
      const again = await open({});
      expect(again.destroyed).toBe(false);
      await again.halt();
    }
  });
});

describe("a broadcast and a subscription with a signal", () => {
  it("end when it is aborted", async () => {
    const { clock, transport, controller } = place();
    const { signal } = controller;
    const broadcast = new Broadcast(transport, { clock, signal });
    const read = broadcast.capability();
    const subscription = new Subscription(transport, read, { clock, signal });
    expect(getEventListeners(signal, "abort")).toHaveLength(1);
    const ends = Promise.all([once(broadcast, "error"), once(subscription, "error")]);
    controller.abort();
    expect(await clock.runPromise(ends)).toMatchObject([[ABORTED], [ABORTED]]);
  });
});
