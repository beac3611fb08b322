import { PassThrough } from "node:stream";
import { expect, it } from "vitest";
import type { LinkHost } from "../../../src/link/index.ts";
import { RELAY_LIMITS } from "../../../src/link/relay/limits.ts";
import { RelayPlace } from "../../../src/link/relay/relay-place.ts";
import { VirtualClock } from "../../../src/testing/index.ts";

it("a place that is left as its stream comes gives that back", async () => {
  const stream = new PassThrough();
  const link = {
    openStream: async () => {
      // The stream is there already: to abort it comes too late.
      queueMicrotask(() => place.stop());
      return stream;
    },
  };
  const host = { id: new Uint8Array(32), dial: async () => link } as unknown as LinkHost;
  const place = new RelayPlace({
    host,
    clock: new VirtualClock(),
    relay: { id: new Uint8Array(32).fill(1), addresses: [] },
    limits: RELAY_LIMITS,
    changed: () => {},
  });
  place.start();
  await new Promise((resolve) => setImmediate(resolve));
  expect(stream.destroyed).toBe(true);
});
