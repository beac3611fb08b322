import { describe, expect, test } from "vitest";
import { recordOf } from "../fixtures.ts";
import { Rig, STORED } from "../map-core-rig.ts";

describe("reads that nobody waits for", () => {
  test.each([
    ["takes them back", (rig: Rig, i: number) => rig.cancel(i)],
    ["lets their time pass", (rig: Rig, i: number) => rig.timeout(100 * (i + 1))],
    [
      "puts what it asks for",
      (rig: Rig, i: number) => {
        rig.put(100 + i, recordOf(i));
        rig.turn();
        rig.committed([STORED]);
      },
    ],
    [
      "leaves and comes back",
      (rig: Rig) => {
        rig.core.handle({ kind: "close", asker: 1 }, rig.now);
        rig.open(1);
      },
    ],
  ])("one that %s while the store hangs leaves reads to others", (_, leave) => {
    const rig = new Rig({ waitingMax: 8 });
    rig.open(2);
    for (let i = 0; i < 20; i++) {
      rig.get(i, i, 100);
      rig.turn();
      leave(rig, i);
    }
    rig.said();
    for (const i of [20, 21]) rig.get(i, i, 1_000, 2);
    rig.turn();
    expect(rig.said().filter((kind) => kind === "lookup" || kind.endsWith("busy"))).toEqual([
      "lookup",
      "lookup",
    ]);
  });

  test("an asker that leaves reads behind leaves some to others of its source", () => {
    const rig = new Rig({ waitingPerLinkMax: 3, waitingPerSourceMax: 9 });
    rig.core.handle({ kind: "open", asker: 2, source: "s1", needsReceipts: true }, rig.now);
    for (let i = 0; i < 20; i++) {
      rig.get(i, i, 1_000);
      rig.turn();
      rig.cancel(i);
    }
    expect(rig.said().filter((kind) => kind === "lookup").length).toBe(3);
    for (let i = 20; i < 23; i++) rig.get(i, i, 1_000, 2);
    rig.turn();
    expect(rig.said().filter((kind) => kind !== "turn")).toEqual(["lookup", "lookup", "lookup"]);
  });

  test("count for nobody once the store has answered", () => {
    const rig = new Rig({ waitingPerLinkMax: 2 });
    for (let i = 0; i < 10; i++) {
      rig.get(i, i, 1_000);
      rig.turn();
      rig.cancel(i);
      rig.lookedUp(i);
    }
    expect(rig.said().filter((kind) => kind === "lookup")).toHaveLength(10);
  });
});
