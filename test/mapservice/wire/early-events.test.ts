import { connectMapBy } from "culvert/mapservice";
import { expect, it } from "vitest";
import { CulvertError } from "../../../src/base/index.ts";
import { VirtualClock } from "../../../src/testing/index.ts";

it.each(["closed", "connected, and closed"])(
  "a dial that tells %s before it returns has failed, and what it returns is closed",
  async (told) => {
    const clock = new VirtualClock();
    const closed: boolean[] = [];
    const cause = new CulvertError("CULVERT_BUSY");
    const connecting = connectMapBy(
      (events) => {
        if (told !== "closed") events.connected();
        events.closed(cause);
        return { write: () => {}, unsentBytes: 0, close: (isAbrupt) => void closed.push(isAbrupt) };
      },
      { components: { clock } },
    );
    await expect(connecting).rejects.toBe(cause);
    expect(closed).toEqual([true]);
  },
);
