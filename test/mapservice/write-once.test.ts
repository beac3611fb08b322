import { expect, it } from "vitest";
import { decidePut, type MapRecord } from "../../src/mapservice/index.ts";

const NOW_MS = 1_000_000;

function recordOf(seq: 1 | 2, ...payload: readonly number[]): MapRecord {
  const [address, signature] = [new Uint8Array(32), new Uint8Array(64)];
  return { address, signature, seq, ttlSeconds: 0, payload: Uint8Array.from(payload) };
}

/** What becomes of a put for so long, where this record lies for 64 s. */
function decided(held: MapRecord, put: MapRecord, lifeMs = 64_000): string {
  return decidePut(
    { record: held, expiresMs: NOW_MS + 64_000 },
    { record: put, expiresMs: NOW_MS + lifeMs },
    NOW_MS,
  );
}

it("a life is extended for a 64th of it, and not for less", () => {
  const record = recordOf(1, 7);
  // A 64th of either life is 1,015.9 ms.
  expect(decided(record, record, 65_015)).toBe("keep");
  expect(decided(record, record, 65_017)).toBe("extend");
  expect(decided(record, record, 10_000)).toBe("keep");
});

it("a higher sequence replaces a lower one, and nothing else replaces anything", () => {
  const [cell, other, tombstone] = [recordOf(1, 7), recordOf(1, 8), recordOf(2)];
  expect(decided(cell, other)).toBe("conflict");
  expect(decided(cell, tombstone)).toBe("replace");
  expect(decided(tombstone, cell)).toBe("conflict");
  const over = { record: cell, expiresMs: NOW_MS };
  expect(decidePut(over, { record: other, expiresMs: NOW_MS + 1 }, NOW_MS)).toBe("store");
});
