import { describe, expect, it } from "vitest";
import { SeededRandom } from "../../../src/base/index.ts";
import { writeCell } from "../../../src/onion/circuit/cell.ts";
import { CircuitEnd, type EndEvent } from "../../../src/onion/circuit/circuit-end.ts";
import { CIRCUIT_LIMITS } from "../../../src/onion/circuit/circuit-limits.ts";
import { GEOMETRY } from "../fixtures.ts";

const LIMITS = { ...CIRCUIT_LIMITS, windowCells: 8, creditCells: 4, queuedCellsMax: 40 };

/** An end whose proofs are the numbers of its cells. */
class Side {
  readonly end = new CircuitEnd(GEOMETRY, LIMITS);
  readonly events: EndEvent[] = [];
  #sealed = 0;
  #opened = 0;

  take(): Uint8Array | undefined {
    const cell = this.end.take();
    if (cell === undefined) return undefined;
    this.#sealed += 1;
    if (cell.needsProof) this.end.expectProof(new Uint8Array(16).fill(this.#sealed));
    return cell.bytes;
  }

  receive(bytes: Uint8Array): EndEvent {
    this.#opened += 1;
    const event = this.end.receive(bytes, () => new Uint8Array(16).fill(this.#opened));
    if (event.kind !== "nothing") this.events.push(event);
    return event;
  }
}

function sendAll(from: Side, to: Side): number {
  let count = 0;
  for (let cell = from.take(); cell !== undefined; cell = from.take()) {
    to.receive(cell);
    count += 1;
  }
  return count;
}

const part = (request: number, length = GEOMETRY.cellBytes - 23): Uint8Array =>
  writeCell(GEOMETRY.cellBytes, { command: "part", request, data: new Uint8Array(length) });

describe("the end of a circuit", () => {
  it("sends one window, and more for every proof", () => {
    const [a, b] = [new Side(), new Side()];
    for (let i = 0; i < 20; i++) a.end.sendData(Uint8Array.of(i));
    expect(sendAll(a, b)).toBe(8);
    expect(sendAll(b, a)).toBe(2);
    expect(sendAll(a, b)).toBe(8);
    sendAll(b, a);
    expect(sendAll(a, b)).toBe(4);
    expect(b.events.map((event) => (event.kind === "data" ? event.content[0] : -1))).toEqual(
      Array.from({ length: 20 }, (_, i) => i),
    );
    expect(a.events).toEqual([]);
  });

  it("ends when the other side sends without credit", () => {
    const [a, b] = [new Side(), new Side()];
    for (let i = 0; i < 8; i++) a.end.sendData(new Uint8Array(1));
    sendAll(a, b);
    // The proofs are due and not sent: nine cells are one too many.
    const cell = writeCell(GEOMETRY.cellBytes, {
      command: "data",
      request: 0,
      data: new Uint8Array(1),
    });
    expect(b.receive(cell)).toEqual({ kind: "violation", why: "credit" });
  });

  it.each([
    ["nothing was sent", 0, 4],
    ["the proof is wrong", 8, 5],
  ])("ends when credit comes and %s", (_, sent, proof) => {
    const [a, b] = [new Side(), new Side()];
    for (let i = 0; i < sent; i++) a.end.sendData(new Uint8Array(1));
    sendAll(a, b);
    const data = new Uint8Array(16).fill(proof);
    const credit = writeCell(GEOMETRY.cellBytes, { command: "credit", request: 0, data });
    expect(a.receive(credit)).toEqual({ kind: "violation", why: "proof" });
  });

  it("ends at requests that are mixed, short or without end", () => {
    const mixed = new Side();
    mixed.receive(part(1));
    expect(mixed.receive(part(2)).kind).toBe("violation");
    expect(new Side().receive(part(1, 5)).kind).toBe("violation");
    const endless = writeCell(GEOMETRY.cellBytes, {
      command: "data",
      request: 2 ** 31,
      data: new Uint8Array(1),
    });
    expect(new Side().receive(endless).kind).toBe("violation");
    const jumps = new Side();
    const cell = (left: number): Uint8Array =>
      writeCell(GEOMETRY.cellBytes, { command: "data", request: left, data: new Uint8Array(1) });
    jumps.receive(cell(3));
    expect(jumps.receive(cell(1)).kind).toBe("violation");
  });

  it("refuses messages when too much waits", () => {
    const side = new Side();
    let taken = 0;
    while (side.end.sendData(new Uint8Array(1))) taken += 1;
    expect(taken).toBe(LIMITS.queuedCellsMax);
    expect(side.end.queuedCells).toBe(taken);
  });

  it("takes any cell, and ends at those that make no sense", () => {
    const dice = new SeededRandom(5);
    const kinds = new Set<string>();
    for (let i = 0; i < 3_000; i++) {
      const bytes = dice.bytes(GEOMETRY.cellBytes).fill(0, 0, 16);
      if (i % 2 === 0) bytes[16] = dice.below(7);
      if (i % 3 === 0) bytes.fill(0, 21, 22);
      kinds.add(new Side().receive(bytes).kind);
    }
    expect([...kinds].sort()).toEqual(["cover", "failure", "nothing", "violation"]);
  });
});
