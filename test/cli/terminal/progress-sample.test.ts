import { expect, test } from "vitest";
import { receivedSample, subscriptionSample } from "../../../src/cli/terminal/progress-sample.ts";
import {
  generateCapability,
  type StreamProgress,
  Subscription,
} from "../../../src/stream/index.ts";
import { pair, VirtualClock } from "../../../src/testing/index.ts";
import { MemoryTransport } from "../../../src/transport/index.ts";

const HOUR_MS = 3_600_000;

/** What a stream tells that has just begun, but for what a test says. */
async function progressWith(changes: Partial<StreamProgress>): Promise<StreamProgress> {
  const { a, close } = await pair({ clock: new VirtualClock() });
  const progress = { ...a.progress(), ...changes };
  await close();
  return progress;
}

test.each([
  ["while more is to come", { deliveredBytes: 5, takenBytes: 5 }, 10, HOUR_MS],
  ["while something is not saved", { deliveredBytes: 5, takenBytes: 4 }, undefined, HOUR_MS],
  ["not when all is saved", { deliveredBytes: 10, takenBytes: 10 }, 10, undefined],
  ["not when nothing more is known of", { deliveredBytes: 5, takenBytes: 5 }, undefined, undefined],
])("a receiver tells how long unread data is kept: %s", async (_when, read, total, told) => {
  const clock = new VirtualClock();
  const progress = await progressWith({ ...read, peerExpiresAt: clock.now() + HOUR_MS });
  expect(receivedSample(progress, { clock, totalBytes: total }).expiresInMs).toBe(told);
});

test("a receiver whom no Map has told anything tells nothing", async () => {
  const progress = await progressWith({ deliveredBytes: 5, takenBytes: 5 });
  const sample = receivedSample(progress, { clock: new VirtualClock(), totalBytes: 10 });
  expect(sample.expiresInMs).toBeUndefined();
});

test.each([
  ["while something is not saved", 4, HOUR_MS],
  ["not when all is saved that has come", 5, undefined],
])("a subscriber tells how long unread data is kept: %s", async (_when, takenBytes, told) => {
  const clock = new VirtualClock();
  const capability = generateCapability().readCapability();
  const subscription = new Subscription(new MemoryTransport({ clock }), capability, { clock });
  const read = { deliveredBytes: 5, takenBytes, expiresAt: clock.now() + HOUR_MS };
  const sample = subscriptionSample({ ...subscription.progress(), ...read }, clock);
  await subscription.close();
  expect(sample.expiresInMs).toBe(told);
});
