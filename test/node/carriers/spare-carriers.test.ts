import { describe, expect, it } from "vitest";
import { SpareCarriers } from "../../../src/node/carriers/spare-carriers.ts";
import { VirtualClock } from "../../../src/testing/index.ts";

class Carrier {
  timesPrepared = 0;
  prepare(): void {
    this.timesPrepared += 1;
  }
}

function setUp(isKept: boolean) {
  const clock = new VirtualClock();
  const made: Carrier[] = [];
  const make = (): Carrier => {
    const carrier = new Carrier();
    made.push(carrier);
    return carrier;
  };
  return { clock, made, carriers: new SpareCarriers(make, { clock, isKept }) };
}

describe("carriers of streams to come", () => {
  it("are prepared before they are taken, and taken once", async () => {
    const { clock, made, carriers } = setUp(true);
    expect(made.map(({ timesPrepared }) => timesPrepared)).toEqual([1]);
    expect(carriers.take()).toBe(made[0]);
    await clock.runUntil(2_000);
    expect(made.length).toBe(2);
    expect(carriers.take()).toBe(made[1]);
  });

  it("are not prepared while a stream begins", async () => {
    const { clock, made, carriers } = setUp(true);
    carriers.take();
    await clock.runUntil(900);
    expect(made.length).toBe(1);
    // Whoever comes meanwhile gets one that is being prepared.
    expect(carriers.take()).toBe(made[1]);
    expect(made[1]?.timesPrepared).toBe(1);
    await clock.runUntil(1_500);
    expect(made.length).toBe(2);
    await clock.runUntil(2_000);
    expect(made.length).toBe(3);
  });

  it("are made one by one for who says that no more are needed", async () => {
    const { clock, made, carriers } = setUp(false);
    expect(made.length).toBe(0);
    expect(carriers.take()).toBe(made[0]);
    expect(made[0]?.timesPrepared).toBe(1);
    await clock.runUntil(10_000);
    expect(made.length).toBe(1);
  });

  it("are not made after the end", async () => {
    const { clock, made, carriers } = setUp(true);
    carriers.take();
    carriers.close();
    await clock.runUntil(10_000);
    expect(made.length).toBe(1);
    expect(clock.pending).toBe(0);
  });
});
