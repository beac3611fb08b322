import { describe, expect, it } from "vitest";
import { ClosingHandshake } from "../../../src/stream/core/closing-handshake.ts";

const RTO_MS = 100;

/** The instants at which a last ack is put, when time moves from deadline to deadline. */
function lastAcks(handshake: ClosingHandshake): number[] {
  const putAt: number[] = [];
  for (let at = handshake.deadline(); at < Number.POSITIVE_INFINITY; at = handshake.deadline()) {
    expect(handshake.takeDue(at - 1, RTO_MS)).toBe(false);
    expect(handshake.takeDue(at, RTO_MS)).toBe(true);
    putAt.push(at);
  }
  return putAt;
}

describe("a closing handshake", () => {
  it("puts no ack before both directions are complete", () => {
    const handshake = new ClosingHandshake();
    expect([handshake.isStarted, handshake.isOver, handshake.deadline()]).toEqual([
      false,
      false,
      Number.POSITIVE_INFINITY,
    ]);
    handshake.peerKnows();
    expect(handshake.isOver).toBe(false);
  });

  it("puts its last ack four times, at growing gaps, for a peer that does not answer", () => {
    const handshake = new ClosingHandshake();
    handshake.start(1_000);
    handshake.start(5_000);
    expect(handshake.isOver).toBe(false);
    expect(lastAcks(handshake)).toEqual([1_000, 1_400, 2_200, 3_800]);
    expect(handshake.isOver).toBe(true);
  });

  it("is over once the peer knows, and never before a first ack", () => {
    const handshake = new ClosingHandshake();
    handshake.peerKnows();
    handshake.start(0);
    expect([handshake.isOver, handshake.deadline()]).toEqual([false, 0]);
    expect(handshake.takeDue(0, RTO_MS)).toBe(true);
    expect([handshake.isOver, handshake.deadline()]).toEqual([true, Number.POSITIVE_INFINITY]);
  });

  it("puts no more acks once the peer knows, whatever time it is", () => {
    const handshake = new ClosingHandshake();
    handshake.start(0);
    handshake.takeDue(0, RTO_MS);
    handshake.peerKnows();
    expect(handshake.takeDue(1e9, RTO_MS)).toBe(false);
  });

  it("puts no more acks once the stream is given up", () => {
    const handshake = new ClosingHandshake();
    handshake.start(0);
    handshake.takeDue(0, RTO_MS);
    handshake.stop();
    expect([handshake.deadline(), handshake.takeDue(1e9, RTO_MS)]).toEqual([
      Number.POSITIVE_INFINITY,
      false,
    ]);
  });

  it("ends when the peer comes to know between two acks", () => {
    const handshake = new ClosingHandshake();
    handshake.start(0);
    handshake.takeDue(0, RTO_MS);
    expect(handshake.isOver).toBe(false);
    handshake.peerKnows();
    expect([handshake.isOver, handshake.deadline()]).toEqual([true, Number.POSITIVE_INFINITY]);
  });
});
