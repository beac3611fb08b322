import { describe, expect, it } from "vitest";
import { SeededRandom } from "../../../src/base/index.ts";
import { RECORD_HEADER_BYTES, SEQUENCE } from "../../../src/mapservice/index.ts";
import { copyOf } from "../../../src/mapservice/record/record.ts";
import { RecordSlots } from "../../../src/mapservice/store/record-slots.ts";
import { PAYLOAD_SIZE, recordOf } from "../fixtures.ts";

const LARGE = 65_536;

describe("slots for records", () => {
  it("keep each record, whatever comes and goes around it", () => {
    const random = new SeededRandom(1);
    const slots = new RecordSlots(LARGE);
    const kept = new Map<number, ReturnType<typeof large>>();
    for (let step = 0; step < 600; step++) {
      if (random.below(10) < (step % 200 < 120 ? 7 : 2)) {
        const record = large(step);
        const slot = slots.add(record);
        expect(kept.has(slot)).toBe(false);
        kept.set(slot, record);
      }
      const [slot] = [...kept.keys()].slice(random.below(kept.size + 1));
      if (slot === undefined) continue;
      expect(slots.read(slot, RECORD_HEADER_BYTES + LARGE)).toEqual(kept.get(slot));
      if (random.below(2) === 0) continue;
      slots.free(slot);
      kept.delete(slot);
    }
    expect(kept.size).toBeGreaterThan(0);
    for (const [slot, record] of kept) {
      expect(slots.read(slot, RECORD_HEADER_BYTES + LARGE)).toEqual(record);
    }
  });

  it("hold a record, and nothing that is longer", () => {
    const slots = new RecordSlots(PAYLOAD_SIZE);
    const [first, second] = [slots.add(recordOf(1)), slots.add(recordOf(2))];
    slots.free(first);
    const longer = { ...recordOf(3), payload: new Uint8Array(PAYLOAD_SIZE + 1) };
    expect(() => slots.add(longer)).toThrow("a record fits its slot");
    const whole = RECORD_HEADER_BYTES + PAYLOAD_SIZE;
    expect(slots.read(slots.add(recordOf(4)), whole)).toEqual(recordOf(4));
    expect(slots.read(second, whole)).toEqual(recordOf(2));
  });

  it("give back the memory of records that are gone", () => {
    const slots = new RecordSlots(LARGE);
    const memory = (): number => {
      const buffers = new Set(
        all.map((slot) => slots.read(slot, RECORD_HEADER_BYTES).address.buffer),
      );
      return [...buffers].reduce((sum, { byteLength }) => sum + byteLength, 0);
    };
    let all = Array.from({ length: 150 }, (_, i) => slots.add(large(i)));
    const most = memory();
    for (const slot of all.splice(10)) slots.free(slot);
    const least = memory();
    expect(most).toBeGreaterThan(9 * least);
    // What was given back is not read again, and its number serves for other memory.
    all = [...all, ...Array.from({ length: 140 }, (_, i) => slots.add(large(i)))];
    expect(memory()).toBe(most);
  });
});

/** Not signed: the slots do not look. */
function large(content: number) {
  const payload = new Uint8Array(LARGE).fill(content);
  return copyOf({ ...recordOf(0), seq: SEQUENCE.cell, payload });
}
