import { describe, expect, test } from "vitest";
import type { MapRecord } from "../../../src/mapservice/index.ts";
import { recordOf } from "../fixtures.ts";
import { Rig, STORED, UNIX_MS } from "../map-core-rig.ts";

/** Puts a record; until when the store is asked to keep it, unless it is not asked. */
function expiryAsked(rig: Rig, record: MapRecord): number | undefined {
  rig.said();
  rig.put(9, record);
  rig.turn();
  const [commit] = rig.effects.filter((effect) => effect.kind === "commit");
  return commit?.puts[0]?.expiresMs;
}

describe("the life that a put asks for", () => {
  test("is a second where it asks for none", () => {
    expect(expiryAsked(new Rig(), recordOf(1, { ttlSeconds: 0 }))).toBe(UNIX_MS + 1_000);
  });
});

describe("a put of what is known", () => {
  test("moves its expiry for what has no share left, while there is room for all", () => {
    const rig = new Rig({ sourceShare: 1 / 1_000 });
    rig.put(1, recordOf(1));
    rig.turn();
    rig.committed([STORED]);
    const expiresMs = UNIX_MS + 120_000;
    expect(expiryAsked(rig, recordOf(1, { ttlSeconds: 120 }))).toBe(expiresMs);
  });

  test("is stored once more for a receipt, for the life that it has", () => {
    const rig = new Rig();
    rig.get(1, 1);
    rig.turn();
    rig.lookedUp(1, recordOf(1));
    rig.now = 10;
    // What it would gain is not worth a write, and was not paid for.
    expect(expiryAsked(rig, recordOf(1, { ttlSeconds: 9 }))).toBe(UNIX_MS + 9_000);
  });
});

test("what was swept by a clock that was ahead is not at hand any more", () => {
  const rig = new Rig();
  rig.put(1, recordOf(1));
  rig.turn();
  rig.committed([STORED]);
  rig.core.handle({ kind: "swept", removed: 1, isDone: true, unixMs: UNIX_MS + 90_000 }, 0);
  rig.said();
  rig.get(2, 1);
  rig.turn();
  expect(rig.said()).toEqual(["turn", "lookup"]);
});
