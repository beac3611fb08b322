import { Readable } from "node:stream";
import { expect, it } from "vitest";
import { WaitingBytes } from "../../../src/stream/duplex/waiting-bytes.ts";

it("counts a part of a character that came before its stream was told to give text", () => {
  const stream = new Readable({ read: () => {} });
  const waiting = new WaitingBytes(stream);
  const bytes = Buffer.from("a€bc");
  waiting.push(bytes.subarray(0, 2));
  stream.setEncoding("utf8");
  expect(stream.read()).toBe("a");
  expect(waiting.count).toBe(1);
  waiting.push(bytes.subarray(2));
  expect(waiting.count).toBe(bytes.length - 1);
  expect(stream.read()).toBe("€bc");
  expect(waiting.count).toBe(0);
});
