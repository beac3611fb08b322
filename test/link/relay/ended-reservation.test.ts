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

it("a place whose holder is away is given to another one when there is no room", () => {
  const stage = new RelayStage({ reservationsMax: 3, reservationsPerNetworkMax: 2 });
  const node = (n: number): Uint8Array => new Uint8Array(32).fill(n);
  const ask = (n: number, network: string) => {
    const leg = stage.reserve(node(n), { network });
    stage.advance(1_000);
    return { leg, said: leg.frames().frames.map(({ kind }) => kind) };
  };
  const [first, second] = [ask(1, "a"), ask(2, "a")];
  expect(ask(3, "a").said).toEqual(["refused"]);
  stage.cut(first.leg);
  // For as long as there is room it is kept for it.
  expect(ask(4, "b").said).toEqual(["reserved"]);
  expect(ask(1, "a").said).toEqual(["reserved"]);
  stage.cut(second.leg);
  expect(ask(5, "a").said).toEqual(["reserved"]);
  expect(ask(6, "b").said).toEqual(["refused"]);
  expect(ask(2, "a").said).toEqual(["refused"]);
  expect(stage.core.statistics.reservations).toBe(3);
});

it("a place is not given to another one while its holder is called", () => {
  const stage = new RelayStage({ reservationsMax: 1 });
  const node = (n: number): Uint8Array => new Uint8Array(32).fill(n);
  const control = stage.reserve(node(1));
  const { calling } = stage.join(node(2), node(1));
  stage.cut(control);
  const refused = stage.reserve(node(3)).frames().frames;
  expect(refused).toEqual([{ kind: "refused", reason: "busy" }]);
  stage.cut(calling);
  expect(stage.reserve(node(3)).frames().frames).toMatchObject([{ kind: "reserved" }]);
});
