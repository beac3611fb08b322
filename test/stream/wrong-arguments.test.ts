import {
  Broadcast,
  BufferedStream,
  CulvertError,
  capabilityToText,
  generateCapability,
  generateSecret,
  MemoryJournalStore,
  ReadCapability,
  Stream,
  Subscription,
  secretFromText,
  WriteCapability,
} from "culvert";
import { VirtualClock } from "culvert/testing";
import { MemoryTransport, type Transport } from "culvert/transport";
import { describe, expect, it, onTestFinished } from "vitest";

/** What a program without types may give where something else is wanted. */
const ODD: readonly unknown[] = [undefined, null, 0, "x", {}, [], () => {}, Symbol("s"), 1n, true];
const ODD_BYTES: readonly unknown[] = [...ODD, new Uint8Array(3), new Float64Array(168)];
const given = <T>(value: unknown): T => value as T;

const map = (): MemoryTransport => {
  const transport = new MemoryTransport();
  onTestFinished(() => transport.close());
  return transport;
};

/** What comes of a call, however it comes. */
async function outcomeOf(call: () => unknown): Promise<unknown> {
  try {
    return await call();
  } catch (error) {
    return error;
  }
}

/** Each is refused with a code, or as a programmer's mistake in words that name it. */
async function expectRefused(
  values: readonly unknown[],
  by: { readonly code?: string; readonly says?: string },
  call: (value: never) => unknown,
): Promise<void> {
  for (const value of values) {
    const error = await outcomeOf(() => call(given<never>(value)));
    const { code, says } = by;
    if (code !== undefined) {
      expect(error).toBeInstanceOf(CulvertError);
      expect(error).toMatchObject({ code });
    } else {
      expect(error).toBeInstanceOf(TypeError);
      expect(String(error)).toContain(says);
    }
  }
}

describe("a stream", () => {
  const secret = generateSecret();
  const saved = async (): Promise<Uint8Array> => await Stream.listen(map(), secret).save();

  it("is over a transport and nothing else", async () => {
    const state = await saved();
    const keys = { write: generateCapability(), read: generateCapability().readCapability() };
    const open = { store: new MemoryJournalStore(), secret, role: "dialer" } as const;
    const says = "transport must be an object with put and get";
    const promised = [...ODD, Promise.resolve(map())];
    await expectRefused(promised, { says }, (it: Transport) => Stream.listen(it, secret));
    await expectRefused(promised, { says }, (it: Transport) => Stream.dial(it, secret));
    await expectRefused(promised, { says }, (it: Transport) => Stream.fromCapabilities(it, keys));
    await expectRefused(promised, { says }, (it: Transport) => Stream.load(it, state));
    await expectRefused(promised, { says }, (it: Transport) =>
      Stream.open({ ...open, transport: it }),
    );
    const stream = Stream.listen(map(), secret);
    await expectRefused(promised, { says }, (it: Transport) => stream.setTransport(it));
    await stream.halt();
  });

  it("goes on from bytes that it has given", async () => {
    const code = "CULVERT_BAD_STATE";
    await expectRefused(ODD_BYTES, { code }, (state: Uint8Array) => Stream.load(map(), state));
    await expectRefused(ODD_BYTES, { code }, (state: Uint8Array) => Broadcast.load(map(), state));
    await expectRefused(ODD_BYTES, { code }, (it: Uint8Array) => Subscription.load(map(), it));
  });

  it("goes on from a store that opens journals", async () => {
    const says = "store must be an object with open";
    const place = { transport: map(), secret, role: "dialer" } as const;
    const capability = generateCapability();
    await expectRefused(ODD, { says }, (store: never) => Stream.open({ ...place, store }));
    const { transport } = place;
    await expectRefused(ODD, { says }, (store: never) =>
      Broadcast.open({ transport, capability, store }),
    );
    await expectRefused(ODD, { says }, (store: never) =>
      Subscription.open({ transport, capability: capability.readCapability(), store }),
    );
  });

  it("has options in an object", async () => {
    const says = "options must be an object";
    const state = await saved();
    const none = ODD.filter((value) => typeof value !== "object" || value === null);
    const wrong = none.filter((value) => value !== undefined);
    await expectRefused(wrong, { says }, (it: object) => Stream.listen(map(), secret, it));
    await expectRefused(wrong, { says }, (it: object) => Stream.load(map(), state, it));
    await expectRefused(none, { says }, (it: never) => Stream.open(it));
    await expectRefused(wrong, { says }, (it: object) => new Broadcast(map(), it));
    await expectRefused(none, { says }, (it: never) => Broadcast.open(it));
    const capability = generateCapability().readCapability();
    await expectRefused(wrong, { says }, (it: object) => new Subscription(map(), capability, it));
    await expectRefused(none, { says }, (it: never) => Subscription.open(it));
    const stream = Stream.listen(map(), secret);
    await expectRefused(wrong, { says }, (it: object) => stream.sync(it));
    await expectRefused(wrong, { says }, (it: object) => stream.close(it));
    await expectRefused(wrong, { says }, (it: object) => new BufferedStream(stream, it));
    await stream.halt();
  });

  it("takes yes or no for what is that, and no word for it", async () => {
    const names = ["noDelay", "allowHalfOpen", "autoStart", "endsAsSocket"];
    for (const name of names) {
      for (const value of ODD.filter((it) => it !== undefined && it !== true)) {
        const open = () => Stream.listen(map(), secret, { [name]: value });
        expect(open).toThrow(RangeError);
        expect(open).toThrow(`${name} must be true or false`);
      }
      for (const value of [true, false, undefined]) {
        await Stream.listen(map(), secret, { [name]: value }).halt();
      }
    }
    expect(() => new Broadcast(map(), { noDelay: given("no") })).toThrow(RangeError);
    expect(() => new Broadcast(map(), { autoStart: given(0) })).toThrow(RangeError);
    const capability = generateCapability().readCapability();
    const subscribe = () => new Subscription(map(), capability, { autoStart: given(0) });
    expect(subscribe).toThrow(RangeError);
  });

  it("that is refused for its signal, or its clock, is not at work behind that", async () => {
    let asked = 0;
    const clock = new VirtualClock();
    const inner = new MemoryTransport({ clock });
    const transport: Transport = {
      payloadSize: inner.payloadSize,
      put: () => Promise.reject(new CulvertError("CULVERT_BUSY")),
      get: () => {
        asked += 1;
        return Promise.reject(new CulvertError("CULVERT_BUSY"));
      },
    };
    const capability = generateCapability().readCapability();
    const odd = ODD.filter((value) => value !== undefined);
    let says = "signal must be an AbortSignal";
    await expectRefused(odd, { says }, (signal: never) =>
      Stream.listen(transport, secret, { clock, signal }),
    );
    await expectRefused(
      odd,
      { says },
      (signal: never) => new Broadcast(transport, { clock, signal }),
    );
    await expectRefused(
      odd,
      { says },
      (signal: never) => new Subscription(transport, capability, { clock, signal }),
    );
    const stream = Stream.listen(map(), secret);
    await expectRefused(odd, { says }, (signal: never) => stream.close({ signal }));
    await expectRefused(odd, { says }, (signal: never) =>
      new BufferedStream(stream).read({ signal }),
    );
    await stream.halt();
    says = "clock must be an object with now and unixMs and schedule";
    const clocks = odd.filter((value) => value !== null);
    await expectRefused(clocks, { says }, (it: never) =>
      Stream.listen(transport, secret, { clock: it }),
    );
    await expectRefused(clocks, { says }, (it: never) => new Broadcast(transport, { clock: it }));
    await expectRefused(
      clocks,
      { says },
      (it: never) => new Subscription(transport, capability, { clock: it }),
    );
    await clock.runUntil(1_000);
    expect(asked).toBe(0);
    inner.close();
  });

  it("has numbers where it says so, whatever else is there", () => {
    for (const value of [Symbol("s"), Object.create(null), {}, () => {}, 1n]) {
      const open = () => Stream.listen(map(), secret, { window: given(value) });
      expect(open).toThrow(RangeError);
      expect(open).toThrow("window must be between 1 and 1024");
    }
  });

  it("of values is over a stream", async () => {
    const says = "stream must be a Stream";
    await expectRefused(ODD, { says }, (stream: never) => new BufferedStream(stream));
  });
});

describe("keys", () => {
  const code = "CULVERT_BAD_CAPABILITY";

  it("that were exchanged are capabilities", async () => {
    const [write, read] = [generateCapability(), generateCapability().readCapability()];
    const numbers = [...ODD_BYTES, new Uint8Array(136), new Uint8Array(168)];
    const over = (keys: never) => Stream.fromCapabilities(map(), keys);
    await expectRefused(ODD, { code }, over);
    await expectRefused(numbers, { code }, (it: never) => over(given({ write: it, read })));
    await expectRefused(numbers, { code }, (it: never) => over(given({ write, read: it })));
    await expectRefused([write], { code }, (it: never) => over(given({ write, read: it })));
  });

  it("are read from bytes: whatever else has their length would be read as others", async () => {
    const odd = [...ODD_BYTES, new Float64Array(136), new Array(136).fill(1)];
    await expectRefused(odd, { code }, (it: never) => ReadCapability.fromBytes(it));
    await expectRefused(odd, { code }, (it: never) => WriteCapability.fromBytes(it));
    await expectRefused(odd, { code }, (it: never) => capabilityToText(it));
    const read = odd.filter((value) => typeof value !== "string");
    await expectRefused(read, { code }, (it: never) => new Subscription(map(), it));
    const broadcast = new Broadcast(map());
    await expectRefused(read, { code }, (it: never) => broadcast.addReader(it));
    await broadcast.halt();
    await expectRefused(odd, { code }, (capability: never) =>
      Broadcast.open({ transport: map(), store: new MemoryJournalStore(), capability }),
    );
  });

  it("are read from text", async () => {
    await expectRefused(ODD_BYTES, { code: "CULVERT_BAD_TICKET" }, (it: never) =>
      secretFromText(it),
    );
  });
});
