import { expect, test } from "vitest";
import { connectMap, connectMapBy, type DialNode } from "../../../src/mapservice/index.ts";
import { encodeNodeMessage, WIRE_VERSION } from "../../../src/mapservice/wire/wire.ts";
import { VirtualClock } from "../../../src/testing/index.ts";
import { NODE, PAYLOAD_SIZE } from "../fixtures.ts";

test("a remote map that is closed while it dials again leaves nothing running", async () => {
  const clock = new VirtualClock();
  const dialled: Parameters<DialNode>[0][] = [];
  const closed: number[] = [];
  const dial: DialNode = (events) => {
    const at = dialled.push(events) - 1;
    return { write: () => {}, unsentBytes: 0, close: () => closed.push(at) };
  };
  const connecting = connectMapBy(dial, { components: { clock } });
  dialled[0]?.connected();
  const limits = { workBits: 0, ttlSecondsMax: 1, waitMsMax: 1 };
  const greeting = { payloadSize: PAYLOAD_SIZE, nodeKey: NODE.publicKey, ...limits };
  dialled[0]?.receive(encodeNodeMessage({ kind: "hello", version: WIRE_VERSION, greeting }));
  const map = await connecting;
  dialled[0]?.closed(undefined);
  await clock.runUntil(1_000);
  expect(dialled).toHaveLength(2);
  expect(clock.pending).toBe(1);
  map.close();
  expect(closed).toContain(1);
  await clock.runUntil(clock.now());
  expect(clock.pending).toBe(0);
  dialled[1]?.closed(undefined);
  await clock.runUntil(100_000);
  expect(dialled).toHaveLength(2);
});

test("a first connection that is not wanted any more is given up at once", async () => {
  const clock = new VirtualClock();
  const closed: boolean[] = [];
  const dial: DialNode = () => ({
    write: () => {},
    unsentBytes: 0,
    close: (isAbrupt) => void closed.push(isAbrupt),
  });
  const stop = new AbortController();
  const options = { components: { clock }, signal: stop.signal };
  const connecting = connectMapBy(dial, options);
  stop.abort();
  await expect(connecting).rejects.toMatchObject({ name: "AbortError" });
  expect([closed, clock.pending]).toEqual([[true], 0]);
  await expect(connectMapBy(dial, options)).rejects.toMatchObject({ name: "AbortError" });
  expect(closed).toHaveLength(1);
});

test("a Map that is not there is named, and why", async () => {
  await expect(connectMap("unix:/nowhere/map.sock")).rejects.toMatchObject({
    code: "CULVERT_UNREACHABLE",
    message: "no Map answers at unix:/nowhere/map.sock (ENOENT)",
  });
});
