import { assert, concatBytes } from "../../base/index.ts";
import { equalSecret } from "../../crypto/index.ts";
import { type FailureReason, reasonOf } from "../packet/backward.ts";
import { cellDataBytes, type OnionGeometry, requestBytes } from "../packet/geometry.ts";
import { type Cell, failureCell, readCell, writeCell, writeCellInto } from "./cell.ts";
import type { CircuitLimits } from "./circuit-limits.ts";

/** What an end of a circuit has received. */
export type EndEvent =
  | { readonly kind: "nothing" }
  /** A whole request, or a whole response; copied. */
  | { readonly kind: "request"; readonly request: number; readonly content: Uint8Array }
  | { readonly kind: "data"; readonly content: Uint8Array }
  | { readonly kind: "cover"; readonly intervalMs: number }
  | { readonly kind: "failure"; readonly reason: FailureReason }
  /** The other end broke the protocol: the circuit cannot go on. */
  | { readonly kind: "violation"; readonly why: string };

/** A cell that has to be sealed and sent now. */
export interface OutgoingCell {
  readonly bytes: Uint8Array;
  /** Give the layer's proof to {@link CircuitEnd.expectProof} once the cell is sealed. */
  readonly needsProof: boolean;
}

/** A cell that waits for credit, without its layers. */
interface QueuedCell {
  readonly bytes: Uint8Array;
  readonly isPart: boolean;
}

const NOTHING: EndEvent = { kind: "nothing" };
const NO_DATA = new Uint8Array(0);

/**
 * One end of a circuit, origin or last hop, above the layers: cuts what is said into cells, puts
 * it together again, and keeps both sides to their credit. Every so many cells the receiver proves
 * with a value from the layer's tweak that it has seen each of them; without that, nobody can ask
 * for more than one window.
 */
export class CircuitEnd {
  readonly #geometry: OnionGeometry;
  readonly #limits: CircuitLimits;
  /** Under credit. */
  readonly #queue: QueuedCell[] = [];
  /** Not under credit: proofs, failures, requests for cover. */
  readonly #urgent: Cell[] = [];
  readonly #proofs: Uint8Array[] = [];
  #sent = 0;
  #granted: number;
  #received = 0;
  #credited = 0;
  /** Cells of requests in the queue. */
  #queuedParts = 0;
  #part: { readonly request: number; readonly content: Uint8Array; bytes: number } | undefined;
  #message: { readonly cells: Uint8Array[]; left: number } | undefined;

  constructor(geometry: OnionGeometry, limits: CircuitLimits) {
    assert(limits.windowCells >= 2 * limits.creditCells, "a window holds two proofs");
    this.#geometry = geometry;
    this.#limits = limits;
    this.#granted = limits.windowCells;
  }

  /** Cells that wait for credit. */
  get queuedCells(): number {
    return this.#queue.length;
  }

  /** Cells that are kept here: for want of credit, or of the rest of their message. */
  get keptCells(): number {
    return this.#queue.length + (this.#message?.cells.length ?? 0);
  }

  /** Requests, or responses, of which cells wait for credit. */
  get queuedRequests(): number {
    return Math.ceil(this.#queuedParts / this.#geometry.requestCells);
  }

  /** Queues a request or response: exactly as many cells as every other one. */
  sendRequest(request: number, content: Uint8Array): void {
    assert(content.length <= requestBytes(this.#geometry), "a request has the network's size");
    const padded = new Uint8Array(requestBytes(this.#geometry));
    padded.set(content);
    this.#push("part", padded, () => request);
    this.#queuedParts += this.#geometry.requestCells;
  }

  /** Queues a message; false when there is no room, or it is too long. */
  sendData(content: Uint8Array): boolean {
    const size = cellDataBytes(this.#geometry);
    const cells = Math.max(1, Math.ceil(content.length / size));
    if (content.length > this.#limits.messageBytesMax) return false;
    if (this.#queue.length + cells > this.#limits.queuedCellsMax) return false;
    this.#push("data", content, (at) => cells - 1 - at);
    return true;
  }

  /** Says why this end cannot go on; ahead of everything else. */
  sendFailure(reason: FailureReason): void {
    this.#urgent.unshift(failureCell(reason));
  }

  /** Asks the last hop for cover; 0 ends it. */
  sendCover(intervalMs: number): void {
    this.#urgent.push({ command: "cover", request: intervalMs, data: NO_DATA });
  }

  /** The next cell that may be sent now. */
  take(): OutgoingCell | undefined {
    const urgent = this.#urgent.shift();
    if (urgent !== undefined) {
      if (urgent.command === "credit") this.#credited += this.#limits.creditCells;
      return { bytes: writeCell(this.#geometry.cellBytes, urgent), needsProof: false };
    }
    if (this.#sent >= this.#granted) return undefined;
    const cell = this.#queue.shift();
    if (cell === undefined) return undefined;
    if (cell.isPart) this.#queuedParts -= 1;
    this.#sent += 1;
    const needsProof = this.#sent % this.#limits.creditCells === 0;
    return { bytes: cell.bytes, needsProof };
  }

  /** A cell that says nothing. */
  padding(): Uint8Array {
    const { cellBytes } = this.#geometry;
    return writeCell(cellBytes, { command: "padding", request: 0, data: NO_DATA });
  }

  /** What the other end will have to show for the cells sent so far. */
  expectProof(proof: Uint8Array): void {
    this.#proofs.push(proof);
  }

  /**
   * Takes a cell whose layers are off.
   *
   * @param proof the layer's proof for this cell
   */
  receive(bytes: Uint8Array, proof: () => Uint8Array): EndEvent {
    const cell = readCell(bytes);
    if (cell === undefined) return violation("no cell");
    switch (cell.command) {
      case "padding":
        return NOTHING;
      case "cover":
        return { kind: "cover", intervalMs: cell.request };
      case "failure":
        return { kind: "failure", reason: reasonOf(cell.data[0] ?? 0) };
      case "credit":
        return this.#takeCredit(cell.data);
      default:
        return this.#countAndTake(cell, proof);
    }
  }

  /**
   * Queues what takes one cell or more, all of them in one piece of memory: memory of its own for
   * each costs a fifth of what a layer does.
   *
   * @param requestOf what the cell at this place has to say beside its data
   */
  #push(command: "part" | "data", content: Uint8Array, requestOf: (at: number) => number): void {
    const { cellBytes } = this.#geometry;
    const size = cellDataBytes(this.#geometry);
    const count = Math.max(1, Math.ceil(content.length / size));
    const memory = new Uint8Array(count * cellBytes);
    for (let at = 0; at < count; at++) {
      const data = content.subarray(at * size, (at + 1) * size);
      const bytes = memory.subarray(at * cellBytes, (at + 1) * cellBytes);
      writeCellInto(bytes, { command, request: requestOf(at), data });
      this.#queue.push({ bytes, isPart: command === "part" });
    }
  }

  #takeCredit(data: Uint8Array): EndEvent {
    const expected = this.#proofs.shift();
    if (expected === undefined || !equalSecret(expected, data)) return violation("proof");
    this.#granted += this.#limits.creditCells;
    return NOTHING;
  }

  #countAndTake(cell: Cell, proof: () => Uint8Array): EndEvent {
    this.#received += 1;
    if (this.#received - this.#credited > this.#limits.windowCells) return violation("credit");
    if (this.#received % this.#limits.creditCells === 0) {
      this.#urgent.push({ command: "credit", request: 0, data: proof() });
    }
    return cell.command === "part" ? this.#takePart(cell) : this.#takeData(cell);
  }

  #takePart({ request, data }: Cell): EndEvent {
    if (data.length !== cellDataBytes(this.#geometry)) return violation("part");
    this.#part ??= { request, content: new Uint8Array(requestBytes(this.#geometry)), bytes: 0 };
    if (this.#part.request !== request) return violation("part of another request");
    const { content } = this.#part;
    content.set(data, this.#part.bytes);
    this.#part.bytes += data.length;
    if (this.#part.bytes < content.length) return NOTHING;
    this.#part = undefined;
    return { kind: "request", request, content };
  }

  #takeData({ request: left, data }: Cell): EndEvent {
    const message = this.#message ?? { cells: [], left };
    this.#message = message;
    const bytes = (message.cells.length + left + 1) * cellDataBytes(this.#geometry);
    const bytesMax = this.#limits.messageBytesMax + cellDataBytes(this.#geometry);
    if (left !== message.left || bytes > bytesMax) return violation("data");
    message.cells.push(data.slice());
    message.left -= 1;
    if (left > 0) return NOTHING;
    this.#message = undefined;
    return { kind: "data", content: concatBytes(...message.cells) };
  }
}

function violation(why: string): EndEvent {
  return { kind: "violation", why };
}
