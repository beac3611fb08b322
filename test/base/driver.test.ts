import { expect, it } from "vitest";
import { type Core, Driver, type Instant } from "../../src/base/index.ts";
import { VirtualClock } from "../../src/testing/index.ts";

/** Rings once at an instant, and when it is told a later one, then. */
class AlarmCore implements Core<Instant, "ring"> {
  #at: Instant;
  #effects: "ring"[] = [];

  constructor(at: Instant) {
    this.#at = at;
  }

  handle(at: Instant): void {
    this.#at = at;
  }

  timeout(now: Instant): void {
    if (now < this.#at) return;
    this.#at = Number.POSITIVE_INFINITY;
    this.#effects.push("ring");
  }

  poll(): "ring" | undefined {
    return this.#effects.shift();
  }

  deadline(): Instant {
    return this.#at;
  }
}

function alarmAt(at: Instant) {
  const clock = new VirtualClock();
  const rings: Instant[] = [];
  const driver = new Driver(new AlarmCore(at), clock, () => rings.push(clock.now()));
  return { clock, driver, rings };
}

it("arms what a core is due from its beginning once it is in the background", async () => {
  const { clock, driver, rings } = alarmAt(50);
  driver.setBackground(true);
  await clock.advance(100);
  expect(rings).toEqual([50]);
});

it("rings when the core says, also when it has changed its mind", async () => {
  const { clock, driver, rings } = alarmAt(50);
  driver.handle(30);
  driver.handle(70);
  driver.setBackground(true);
  await clock.advance(100);
  expect(rings).toEqual([70]);
  driver.handle(120);
  driver.handle(Number.POSITIVE_INFINITY);
  await clock.advance(100);
  expect(rings).toEqual([70]);
});

it("rings no more after its stop", async () => {
  const { clock, driver, rings } = alarmAt(50);
  driver.setBackground(true);
  driver.stop();
  await clock.advance(100);
  expect([rings, clock.pending]).toEqual([[], 0]);
});

it("tells when its core is at rest, and hears at once of what is done then", () => {
  const clock = new VirtualClock();
  const told: unknown[] = [];
  const driver: Driver<Instant, "ring"> = new Driver(
    new AlarmCore(50),
    clock,
    () => told.push(["ring", driver.isRunning]),
    () => {
      told.push(["rest", driver.isRunning]);
      if (clock.now() === 50 && clock.deadline === Number.POSITIVE_INFINITY) driver.handle(70);
    },
  );
  driver.setBackground(true);
  clock.advance(100);
  expect(told).toEqual([
    ["ring", true],
    ["rest", false],
    ["rest", false],
    ["ring", true],
    ["rest", false],
  ]);
});
