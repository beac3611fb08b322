import { once } from "node:events";
import { finished, PassThrough } from "node:stream";
import { pipeline } from "node:stream/promises";
import { describe, expect, it } from "vitest";
import { pattern, virtualPair } from "./virtual-pair.ts";

describe("a stream used as Node's sockets are, in rare ways,", () => {
  it("tells each corked write of the error that destroyed it", async () => {
    const { a, b, pass } = await virtualPair();
    b.on("error", () => undefined);
    const told: unknown[] = [];
    a.on("error", (error) => told.push(error));
    a.cork();
    a.write("one", (error) => told.push(error));
    a.write("two", (error) => told.push(error));
    const reason = new Error("enough");
    a.destroy(reason);
    await pass(1_000);
    expect(told).toHaveLength(3);
    expect(told.every((error) => error === reason)).toBe(true);
  });

  it("sends what was corked at its end, though nobody uncorks", async () => {
    const { a, b, elapse } = await virtualPair();
    let text = "";
    b.setEncoding("utf8").on("data", (piece: string) => {
      text += piece;
    });
    a.cork();
    a.write("hel");
    a.write("lo");
    a.end();
    await elapse(once(b, "end"));
    expect(text).toBe("hello");
  });

  it("refuses a write after its end, and calls back for a second end", async () => {
    const { a, b, pass } = await virtualPair();
    b.resume().on("error", () => undefined);
    const codes: unknown[] = [];
    const note = (error?: (Error & { code?: string }) | null): void => {
      codes.push(error?.code);
    };
    a.on("error", note);
    a.end("bye", note);
    a.end(note);
    a.write("more", note);
    await pass(1_000);
    expect(codes).toContain("ERR_STREAM_WRITE_AFTER_END");
    expect(codes).toHaveLength(4);
    expect(a.destroyed).toBe(true);
  });

  it("goes on to another destination after unpipe, and loses nothing between", async () => {
    const { a, b, elapse, pass } = await virtualPair();
    const bytes = pattern(40_000);
    const chunks: Buffer[] = [];
    const first = new PassThrough({ highWaterMark: 1_000 });
    first.on("data", (chunk) => {
      chunks.push(chunk);
      if (chunks.length === 3) b.unpipe(first);
    });
    b.pipe(first);
    a.end(bytes);
    await pass(5_000);
    expect(b.readableFlowing).toBe(false);
    const second = new PassThrough();
    second.on("data", (chunk) => chunks.push(chunk));
    b.pipe(second);
    await elapse(once(second, "end"));
    expect(Buffer.concat(chunks).equals(bytes)).toBe(true);
  });

  it("is destroyed by an iterator that is left early, and tells its peer", async () => {
    const { a, b, elapse } = await virtualPair();
    a.write(pattern(5_000));
    const gone = once(a, "error");
    const reading = (async () => {
      for await (const chunk of b) return chunk.length;
    })();
    expect(await elapse(reading)).toBeGreaterThan(0);
    expect(b.destroyed).toBe(true);
    expect(await elapse(gone)).toMatchObject([{ code: "CULVERT_PEER_ABORTED" }]);
  });

  it("stays open for an iterator that was asked not to destroy it", async () => {
    const { a, b, elapse } = await virtualPair();
    a.write("one");
    const left = (async () => {
      for await (const chunk of b.iterator({ destroyOnReturn: false })) return String(chunk);
    })();
    expect(await elapse(left)).toBe("one");
    a.end("two");
    const rest = (async () => {
      let text = "";
      for await (const chunk of b) text += chunk;
      return text;
    })();
    expect(await elapse(rest)).toBe("two");
  });

  it("ends a pipeline whose signal is aborted, with the name AbortError", async () => {
    const { a, b, elapse, pass } = await virtualPair();
    a.on("error", () => undefined).write("hello");
    const abort = new AbortController();
    const piping = pipeline(b, new PassThrough().resume(), { signal: abort.signal });
    const failed = expect(elapse(piping)).rejects.toMatchObject({ name: "AbortError" });
    await pass(100);
    abort.abort();
    await failed;
    expect(b.destroyed).toBe(true);
  });

  it("leaves it alone when a `finished` that waits for it is aborted", async () => {
    const { a, b, elapse } = await virtualPair();
    const abort = new AbortController();
    const told = new Promise((resolve) => finished(a, { signal: abort.signal }, resolve));
    abort.abort();
    expect(await told).toMatchObject({ name: "AbortError" });
    expect(a.destroyed).toBe(false);
    b.resume();
    a.resume().end("still here");
    b.end();
    await elapse(once(a, "close"));
    expect(b.bytesRead).toBe(10);
    expect(a.bytesWritten).toBe(10);
  });

  it("counts characters in read(n) of text, and gives the rest at the end", async () => {
    const { a, b, elapse, pass } = await virtualPair();
    b.setEncoding("utf8");
    a.write("ab€d");
    await pass(1_000);
    b.read(0);
    await pass(1_000);
    expect([b.read(3), b.read(3)]).toEqual(["ab€", null]);
    a.end("e");
    await pass(2_000);
    expect(b.read(3)).toBe("de");
    await elapse(once(b, "end"));
  });

  it("emits `timeout` after silence, once, and not when it was turned off", async () => {
    const { a, b, pass } = await virtualPair();
    b.resume();
    let timeouts = 0;
    a.setTimeout(5_000, () => {
      timeouts += 1;
    });
    await pass(4_000);
    a.write("x");
    await pass(4_000);
    expect(timeouts).toBe(0);
    await pass(60_000);
    expect(timeouts).toBe(1);
    a.setTimeout(0);
    await pass(60_000);
    expect([timeouts, a.destroyed]).toEqual([1, false]);
  });
});
