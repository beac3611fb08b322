import { Writable } from "node:stream";
import { generateSecret, Stream } from "culvert";
import { VirtualClock } from "culvert/testing";
import { MemoryTransport } from "culvert/transport";
import { expect, onTestFinished, test } from "vitest";
import { drain, print } from "../../../src/cli/terminal/standard-io.ts";

function pair() {
  const clock = new VirtualClock();
  const map = new MemoryTransport({ clock });
  onTestFinished(() => map.close());
  const secret = generateSecret();
  const [writer, reader] = [
    Stream.listen(map, secret, { clock }),
    Stream.dial(map, secret, { clock, confirm: "manual" }),
  ];
  onTestFinished(() => void writer.destroy());
  return { clock, writer, reader };
}

test("what was stopped before it was looked at has not been read to its end", async () => {
  const { clock, reader } = pair();
  const halting = reader.halt();
  const draining = drain(reader);
  await expect(clock.runPromise(draining, 60_000)).rejects.toMatchObject({
    code: "CULVERT_HALTED",
  });
  await clock.runPromise(halting, 60_000);
});

test("what has come to its end has been read", async () => {
  const { clock, writer, reader } = pair();
  const taken: string[] = [];
  writer.resume().end("all there is");
  const take = async (chunk: Uint8Array): Promise<void> => void taken.push(String(chunk));
  await clock.runPromise(drain(reader, take), 60_000);
  expect(taken.join("")).toBe("all there is");
  expect(reader.progress().takenBytes).toBe(12);
});

test("what nobody reads holds up no one who is asked to stop", async () => {
  const stdout = new Writable({ write: () => {} });
  const stopper = new AbortController();
  const printing = print({ stdout, stop: stopper.signal }, new Uint8Array(1));
  stopper.abort();
  await expect(printing).rejects.toMatchObject({ name: "AbortError" });
});
