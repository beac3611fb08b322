import { describe, expect, it } from "vitest";
import { Departure } from "../../src/stream/departure.ts";

const RTO_MS = 100;

/** The instants at which a last word is said, when time moves from deadline to deadline. */
function lastWords(departure: Departure): number[] {
  const said: number[] = [];
  for (let at = departure.deadline(); at < Number.POSITIVE_INFINITY; at = departure.deadline()) {
    expect(departure.speak(at - 1, RTO_MS)).toBe(false);
    expect(departure.speak(at, RTO_MS)).toBe(true);
    said.push(at);
  }
  return said;
}

describe("a departure", () => {
  it("has nothing to say before both directions are complete", () => {
    const departure = new Departure();
    expect([departure.isStarted, departure.isOver, departure.deadline()]).toEqual([
      false,
      false,
      Number.POSITIVE_INFINITY,
    ]);
    departure.peerKnows();
    expect(departure.isOver).toBe(false);
  });

  it("says its last word four times, at growing gaps, to a peer that does not answer", () => {
    const departure = new Departure();
    departure.start(1_000);
    departure.start(5_000);
    expect(departure.isOver).toBe(false);
    expect(lastWords(departure)).toEqual([1_000, 1_400, 2_200, 3_800]);
    expect(departure.isOver).toBe(true);
  });

  it("is over once the peer knows, and never before a first word", () => {
    const departure = new Departure();
    departure.peerKnows();
    departure.start(0);
    expect([departure.isOver, departure.deadline()]).toEqual([false, 0]);
    expect(departure.speak(0, RTO_MS)).toBe(true);
    expect([departure.isOver, departure.deadline()]).toEqual([true, Number.POSITIVE_INFINITY]);
  });

  it("says nothing more once the peer knows, whatever time it is", () => {
    const departure = new Departure();
    departure.start(0);
    departure.speak(0, RTO_MS);
    departure.peerKnows();
    expect(departure.speak(1e9, RTO_MS)).toBe(false);
  });

  it("says nothing more once the stream is given up", () => {
    const departure = new Departure();
    departure.start(0);
    departure.speak(0, RTO_MS);
    departure.stop();
    expect([departure.deadline(), departure.speak(1e9, RTO_MS)]).toEqual([
      Number.POSITIVE_INFINITY,
      false,
    ]);
  });

  it("ends when the peer comes to know between two words", () => {
    const departure = new Departure();
    departure.start(0);
    departure.speak(0, RTO_MS);
    expect(departure.isOver).toBe(false);
    departure.peerKnows();
    expect([departure.isOver, departure.deadline()]).toEqual([true, Number.POSITIVE_INFINITY]);
  });
});
