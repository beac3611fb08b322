import { expect, it } from "vitest";
import { RELAY_LIMITS } from "../../../src/link/relay/limits.ts";
import { RelayStage } from "./relay-stage.ts";

it.each(["answered", "dialled"] as const)(
  "a call comes to nothing when the reservation ends before it is %s",
  (step) => {
    const stage = new RelayStage({ answerMs: 20_000 });
    const [holder, caller] = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)];
    stage.reserve(holder);
    stage.advance(RELAY_LIMITS.reservationMs - 5_000);
    stage.dialsAtOnce = step === "answered";
    const calling = stage.open(caller);
    stage.say(calling, { kind: "connect", target: holder });
    const called = stage.lastCall();
    stage.advance(6_000);
    called.end = "open"; // What it says has crossed the end of the call.
    if (step === "dialled") stage.dialled(called);
    else stage.say(called, { kind: "connected" });
    expect(calling.frames().frames).toEqual([{ kind: "refused", reason: "declined" }]);
    if (step === "dialled") expect(called).toMatchObject({ end: "reset" });
    expect(stage.core.statistics).toMatchObject({ reservations: 0, circuits: 0 });
  },
);

it("a place that is over keeps no stream of its holder", () => {
  const [stage, holder] = [new RelayStage(), new Uint8Array(32).fill(1)];
  const controls = [1, 2, 3].map(() => {
    const control = stage.reserve(holder);
    stage.advance(RELAY_LIMITS.reservationMs + 1);
    return control;
  });
  expect(controls.map(({ end }) => end)).toEqual(["reset", "reset", "reset"]);
});
