import { describe, expect, test } from "vitest";
import { PeerLookup } from "../../../src/voidphone/peer/peer-lookup.ts";
import type { VoidphoneContact } from "../../../src/voidphone/peer/peer-messages.ts";

const TARGET = new Uint8Array(32);

/** Contacts, each closer to the target than those before. */
function* closerAndCloser(): Generator<VoidphoneContact, never> {
  for (let rank = 2 ** 31, port = 1; ; rank -= 1, port++) {
    const id = new Uint8Array(32);
    new DataView(id.buffer).setUint32(0, rank);
    yield { id, host: "192.0.2.1", port };
  }
}

describe("a lookup among foreign peers", () => {
  test.each([true, false])("asks 256 at the most, though liars answer: %s", (hasAnswered) => {
    const liars = closerAndCloser();
    const more = (): VoidphoneContact[] => Array.from({ length: 20 }, () => liars.next().value);
    const lookup = new PeerLookup(TARGET, { parallel: 3 });
    lookup.add(more());
    let asked = 0;
    for (let next = lookup.next(); next !== undefined && asked < 1_000; next = lookup.next()) {
      asked += 1;
      if (hasAnswered) lookup.answered(next);
      else lookup.failed(next);
      lookup.add(more());
    }
    expect(asked).toBe(256);
    expect(lookup.isDone).toBe(true);
    expect(lookup.found().length > 0).toBe(hasAnswered);
  });
});
