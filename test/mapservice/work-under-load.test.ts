import { expect, test } from "vitest";
import { encodeRecord, MAP_LIMITS } from "../../src/mapservice/index.ts";
import { NO_STAMP } from "../../src/mapservice/record/work-stamp.ts";
import { MapCore } from "../../src/mapservice/service/map-core.ts";
import type { MapInput } from "../../src/mapservice/service/protocol.ts";
import { NODE, PAYLOAD_SIZE, recordOf } from "./fixtures.ts";

test("the work that a put must show grows with what is on its way to the store", () => {
  const records = [1, 2, 3].map((frame) => encodeRecord(recordOf(frame)));
  const committingBytesMax = 4 * (records[0]?.length ?? 0);
  const core = new MapCore({
    secret: new Uint8Array(165).map((_, i) => 7 * i),
    payloadSize: PAYLOAD_SIZE,
    limits: { ...MAP_LIMITS, workBitsMax: 40, committingBytesMax },
    signer: NODE,
    entriesMax: 1_000,
  });
  const inputs: MapInput[] = [
    { kind: "open", asker: 1, source: "s", needsReceipts: true },
    ...records.map((record, request): MapInput => {
      return { kind: "put", asker: 1, request, record, stamp: NO_STAMP };
    }),
  ];
  for (const input of inputs) core.handle(input, 0);
  expect(core.workBits(0)).toBe(0);
  core.handle({ kind: "turn", unixMs: 1e12, fill: 0 }, 0);
  expect(core.workBits(0)).toBe(20);
  core.handle({ kind: "committed", outcomes: undefined, unixMs: 1e12 }, 0);
  expect(core.workBits(0)).toBe(0);
});
