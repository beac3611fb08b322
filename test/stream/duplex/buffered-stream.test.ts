import { DecoderStream, EncoderStream } from "cbor-x";
import {
  BufferedStream,
  type CborInput,
  type CborOf,
  generateSecret,
  isCulvertError,
  Stream,
} from "culvert";
import { VirtualClock } from "culvert/testing";
import { MemoryTransport } from "culvert/transport";
import { describe, expect, expectTypeOf, it } from "vitest";

function pair() {
  const clock = new VirtualClock();
  const transport = new MemoryTransport({ payloadSize: 300, clock });
  const secret = generateSecret();
  const a = Stream.listen(transport, secret, { clock });
  const b = Stream.dial(transport, secret, { clock });
  return { clock, a, b };
}

describe("a BufferedStream", () => {
  it("carries values both ways, and the end", async () => {
    const { clock, a, b } = pair();
    const [left, right] = [new BufferedStream(a), new BufferedStream(b)];
    const values = [{ hello: "world" }, [1, 2, 3], null, "x".repeat(5_000), new Uint8Array(999)];
    const sending = (async () => {
      for (const value of values) await left.write(value);
      await left.close();
    })();
    const receiving = (async () => {
      const got: unknown[] = [];
      for await (const value of right) got.push(value);
      await right.write("thanks");
      await right.close();
      return got;
    })();
    expect(await clock.runPromise(receiving)).toEqual(values);
    await clock.runPromise(sending);
    expect(await clock.runPromise(left.read())).toBe("thanks");
    expect(await clock.runPromise(left.read())).toBeUndefined();
    expect(await clock.runPromise(left.read())).toBeUndefined();
  });

  it("understands cbor-x at the other side, and is understood", async () => {
    const { clock, a, b } = pair();
    const buffered = new BufferedStream(a);
    const [encoder, decoder] = [new EncoderStream(), new DecoderStream({ mapsAsObjects: true })];
    encoder.pipe(b);
    b.pipe(decoder);
    const values = [{ n: 1, who: "é" }, { n: 2, who: null }, [1.5, "é"]];
    for (const value of values) encoder.write(value);
    for (const value of values) {
      expect(await clock.runPromise(buffered.read())).toEqual(value);
      await clock.runPromise(buffered.write(value));
    }
    const echoed: unknown[] = [];
    decoder.on("data", (value) => echoed.push(value));
    await clock.runUntil(() => echoed.length === values.length, 60_000);
    expect(echoed).toEqual(values);
  });

  it("says that it was halted, to who waits and to who comes later", async () => {
    const { clock, a, b } = pair();
    const buffered = new BufferedStream(a);
    const reading = buffered.read().catch((error: unknown) => error);
    await clock.runUntil(clock.now() + 1_000);
    await a.halt();
    const halted = { code: "CULVERT_HALTED" };
    expect(await reading).toMatchObject(halted);
    await expect(buffered.read()).rejects.toMatchObject(halted);
    await expect(buffered.write(1)).rejects.toMatchObject(halted);
    await b.halt();
  });

  it("answers several reads in order, and an aborted one takes nothing", async () => {
    const { clock, a, b } = pair();
    const [left, right] = [new BufferedStream(a), new BufferedStream(b)];
    const controller = new AbortController();
    const first = right.read();
    const second = right.read({ signal: controller.signal });
    const third = right.read();
    const refused = expect(second).rejects.toMatchObject({ name: "AbortError" });
    controller.abort();
    await refused;
    await left.write(1);
    await left.write(2);
    expect(await clock.runPromise(Promise.all([first, third]))).toEqual([1, 2]);
    await expect(right.read({ signal: controller.signal })).rejects.toMatchObject({
      name: "AbortError",
    });
    await expect(right.write(3, { signal: controller.signal })).rejects.toMatchObject({
      name: "AbortError",
    });
  });

  it("loses no value to a read that is aborted when the one before it is answered", async () => {
    const { clock, a, b } = pair();
    const [left, right] = [new BufferedStream(a), new BufferedStream(b)];
    await left.write(1);
    await left.write(2);
    await clock.runUntil(() => b.readableLength > 1, 60_000);
    const controller = new AbortController();
    const first = right.read();
    const second = right.read({ signal: controller.signal });
    const outcomes = [await first];
    controller.abort();
    await second.then((value) => outcomes.push(value)).catch(() => undefined);
    if (outcomes.length < 2) outcomes.push(await clock.runPromise(right.read(), 60_000));
    expect(outcomes).toEqual([1, 2]);
  });

  it("takes what an interface describes, and by its type nothing that is no value", async () => {
    interface Note {
      readonly text: string;
      readonly answers?: readonly Note[];
    }
    const { clock, a, b } = pair();
    const [writer, reader] = [new BufferedStream(a), new BufferedStream(b)];
    const note: Note = { text: "a", answers: [{ text: "b" }] };
    expectTypeOf<Note>().toExtend<CborOf<Note>>();
    expectTypeOf<{ at: Date }>().not.toExtend<CborOf<{ at: Date }>>();
    expectTypeOf<{ run(): void }>().not.toExtend<CborOf<{ run(): void }>>();
    expectTypeOf<undefined>().not.toExtend<CborOf<undefined>>();
    void writer.write(note);
    expect(await clock.runPromise(reader.read())).toEqual(note);
    await Promise.all([a.halt(), b.halt()]);
  });

  it("refuses to write what the other side would not read, and goes on", async () => {
    const { clock, a, b } = pair();
    const [left, right] = [new BufferedStream(a), new BufferedStream(b)];
    let nested: CborInput = [];
    for (let depth = 1; depth < 64; depth++) nested = [nested];
    await expect(left.write([nested])).rejects.toThrow(TypeError);
    await left.write(nested);
    expect(await clock.runPromise(right.read())).toEqual(nested);
  });

  it("has limits that are numbers", () => {
    const { a } = pair();
    for (const limit of [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(() => new BufferedStream(a, { maxBytes: limit })).toThrow(RangeError);
      expect(() => new BufferedStream(a, { maxDepth: limit })).toThrow(RangeError);
    }
  });

  it("refuses to write behind its own end, and goes on reading", async () => {
    const { clock, a, b } = pair();
    const [left, right] = [new BufferedStream(a), new BufferedStream(b)];
    await clock.runPromise(left.close());
    await expect(left.write("late")).rejects.toMatchObject({ code: "CULVERT_CLOSED" });
    await right.write("an answer");
    expect(await clock.runPromise(left.read())).toBe("an answer");
  });

  it("refuses to write what is too large, and goes on", async () => {
    const { clock, a, b } = pair();
    const left = new BufferedStream(a, { maxBytes: 100 });
    const right = new BufferedStream(b, { maxBytes: 100 });
    await expect(left.write("x".repeat(99))).rejects.toMatchObject({ code: "CULVERT_TOO_LARGE" });
    await left.write("x".repeat(98));
    expect(await clock.runPromise(right.read())).toBe("x".repeat(98));
  });

  it.each([
    ["CULVERT_TOO_LARGE", "7a00100001"],
    ["CULVERT_PROTOCOL", "01ff"],
  ])("destroys the stream of a peer that breaks the rules: %s", async (code, hex) => {
    const { clock, a, b } = pair();
    const buffered = new BufferedStream(b);
    a.on("error", () => undefined);
    a.write(Buffer.from(hex, "hex"));
    const reading = (async () => {
      for await (const value of buffered) expect(value).toBe(1);
    })();
    await expect(clock.runPromise(reading)).rejects.toMatchObject({ code });
    await expect(buffered.read()).rejects.toMatchObject({ code });
    expect(b.destroyed).toBe(true);
    await clock.runUntil(() => a.destroyed, 60_000);
    expect(isCulvertError(a.errored, "CULVERT_PEER_ABORTED")).toBe(true);
  });

  it("does not take an end within a value for an end", async () => {
    const { clock, a, b } = pair();
    a.on("error", () => undefined);
    a.end(Buffer.from("8201", "hex"));
    const reading = new BufferedStream(b).read();
    await expect(clock.runPromise(reading)).rejects.toMatchObject({ code: "CULVERT_PROTOCOL" });
  });

  it("passes on what ends the stream", async () => {
    const { clock, a, b } = pair();
    const buffered = new BufferedStream(b);
    const reading = buffered.read();
    const refused = expect(reading).rejects.toMatchObject({ code: "CULVERT_PEER_ABORTED" });
    a.write("x");
    await clock.runPromise(buffered.write(1));
    a.on("error", () => undefined);
    a.destroy();
    await clock.runUntil(() => b.destroyed, 60_000);
    await refused;
    const ended = { code: "CULVERT_PEER_ABORTED" };
    await expect(buffered.read()).rejects.toMatchObject(ended);
    await expect(buffered.write(2)).rejects.toMatchObject(ended);
  });

  it("says that it is closed to whoever writes after it was destroyed, or before", async () => {
    const { clock, a, b } = pair();
    const buffered = new BufferedStream(a);
    b.on("error", () => undefined);
    const closed = { code: "CULVERT_CLOSED" };
    // The first is held until half of it has left, the others wait behind it.
    const waiting = [1, 2, 3].map(() =>
      expect(buffered.write(new Uint8Array(200_000))).rejects.toMatchObject(closed),
    );
    a.destroy();
    await clock.runPromise(Promise.all(waiting));
    await expect(buffered.write(4)).rejects.toMatchObject(closed);
  });

  it("says what has ended the stream, though it had ended before", async () => {
    const { a, b } = pair();
    b.on("error", () => undefined);
    const buffered = new BufferedStream(a);
    a.end();
    a.destroy(new Error("enough"));
    await expect(buffered.write("late")).rejects.toThrow("enough");
  });

  it("starts a stream that waits to be started", async () => {
    const clock = new VirtualClock();
    const transport = new MemoryTransport({ payloadSize: 300, clock });
    const secret = generateSecret();
    const a = new BufferedStream(Stream.listen(transport, secret, { clock, autoStart: false }));
    const b = new BufferedStream(Stream.dial(transport, secret, { clock }));
    await a.write("early");
    a.start();
    expect(await clock.runPromise(b.read())).toBe("early");
  });
});
