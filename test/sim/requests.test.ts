import { describe, expect, it } from "vitest";
import { decodeEnvelope, encodeEnvelope } from "../../src/rpc/message/envelope.ts";
import type { RequestInput } from "../../src/rpc/request/protocol.ts";
import { RequestCore } from "../../src/rpc/request/request-core.ts";
import { runRequests } from "./requests/request-world.ts";

const WEATHER = { duplicate: 0.1, replay: 0.05, delayMs: [10, 90] } as const;
const HALF_LOST = {
  ...{ requests: 1_000, inFlight: 64, handlerMs: [0, 500] as const },
  faults: { ...WEATHER, loss: 0.5 },
};
const SEEDS = [1, 2, 3];

describe("requests in the virtual world", () => {
  it.each(SEEDS)("all complete at a loss of one half, each handler ran once (seed %d)", (seed) => {
    expect(runRequests({ ...HALF_LOST, seed })).toMatchObject({
      ...{ completed: 1_000, failed: {}, runsMax: 1, unfounded: 0, mixedUp: 0, leftOpen: 0 },
    });
  });

  it.each(SEEDS)("run at most once across restarts of the answering node (seed %d)", (seed) => {
    const plan = { ...HALF_LOST, faults: { ...WEATHER, loss: 0.2 }, restartMeanMs: 2_000, seed };
    const report = runRequests(plan);
    expect(report).toMatchObject({ runsMax: 1, unfounded: 0, mixedUp: 0, leftOpen: 0 });
    expect(report.restarts).toBeGreaterThan(0);
    const { CULVERT_SESSION_LOST: lost = 0, ...others } = report.failed;
    expect(others).toEqual({});
    expect(report.completed + lost).toBe(1_000);
  });

  it("all complete across restarts when they may run twice", () => {
    const faults = { ...WEATHER, loss: 0.2 };
    const plan = { ...HALF_LOST, faults, restartMeanMs: 2_000, isIdempotent: true, seed: 1 };
    expect(runRequests(plan)).toMatchObject({ completed: 1_000, failed: {}, mixedUp: 0 });
  });

  it("survive messages that overtake each other by seconds", () => {
    const faults = { loss: 0.1, duplicate: 0.5, replay: 0.2, delayMs: [1, 5_000] as const };
    const plan = { ...HALF_LOST, requests: 300, faults, seed: 4 };
    expect(runRequests(plan)).toMatchObject({
      completed: 300,
      runsMax: 1,
      mixedUp: 0,
      leftOpen: 0,
    });
  });

  it("give the same report for the same seed", () => {
    const plan = { ...HALF_LOST, requests: 200, seed: 9 };
    expect(runRequests(plan)).toEqual(runRequests(plan));
    expect(runRequests(plan).messages).not.toBe(runRequests({ ...plan, seed: 10 }).messages);
  });

  it("cost one request and one reply each in fair weather", () => {
    const faults = { loss: 0, duplicate: 0, replay: 0, delayMs: [20, 20] as const };
    const report = runRequests({ seed: 1, requests: 1_000, inFlight: 16, faults });
    expect(report.completed).toBe(1_000);
    expect(report.messages / 1_000).toBeLessThan(2.1);
  });
});

/** A planted defect: a core that takes each copy of a request for a new one. */
class ForgetfulCore extends RequestCore {
  #copies = 0;

  override handle(input: RequestInput, now: number): void {
    if (input.kind === "receive") {
      const envelope = decodeEnvelope(input.bytes, 2 ** 20);
      if (envelope.kind === "request") {
        this.#copies += 1;
        const bytes = encodeEnvelope({ ...envelope, number: this.#copies, floor: 0 });
        super.handle({ ...input, bytes }, now);
        return;
      }
    }
    super.handle(input, now);
  }
}

/** A planted defect: a core that answers with what the request before it asked. */
class ConfusedCore extends RequestCore {
  #before = new Uint8Array(32);

  override handle(input: RequestInput, now: number): void {
    if (input.kind !== "answer") {
      super.handle(input, now);
      return;
    }
    const body = this.#before;
    this.#before = input.body.slice();
    super.handle({ ...input, body }, now);
  }
}

describe("the oracle of the virtual world", () => {
  it("sees a handler that runs twice", () => {
    const limits = { hardMsMax: 30_000 };
    const answerWith = (options: ConstructorParameters<typeof RequestCore>[0]): RequestCore =>
      new ForgetfulCore(options);
    const plan = { ...HALF_LOST, requests: 20, limits, answerWith, seed: 1 };
    expect(runRequests(plan).runsMax).toBeGreaterThan(1);
  });

  it("sees replies that belong to others", () => {
    const answerWith = (options: ConstructorParameters<typeof RequestCore>[0]): RequestCore =>
      new ConfusedCore(options);
    expect(
      runRequests({ ...HALF_LOST, requests: 20, answerWith, seed: 1 }).mixedUp,
    ).toBeGreaterThan(0);
  });
});
