import type { OnionGeometry } from "../packet/geometry.ts";
import { CircuitEnd, type EndEvent } from "./circuit-end.ts";
import type { Layer } from "./circuit-keys.ts";
import type { CircuitLimits } from "./circuit-limits.ts";

/** Cells on a link from which on an end says nothing new. */
export const BLOCKED_UNITS = 64;

/** The layers that a cell goes through at an end: one at the last hop, all at the origin. */
export interface EndLayers {
  /** Seals a cell for the other end, where it lies. */
  seal(cell: Uint8Array): void;
  /** The proofs of the last cell sealed and opened with the other end's own layers. */
  sealedProof(): Uint8Array;
  openedProof(): Uint8Array;
}

/** The layers of a last hop. */
export function exitLayers(keys: { readonly forward: Layer; readonly backward: Layer }): EndLayers {
  return {
    seal: (cell) => keys.backward.seal(cell),
    sealedProof: () => keys.backward.proof(),
    openedProof: () => keys.forward.proof(),
  };
}

/**
 * An end with its layers and its rhythm. Without cover, cells leave as soon as credit and link
 * allow; with it, exactly one leaves at every beat, whatever there is to say.
 */
export class SealedEnd {
  readonly end: CircuitEnd;
  readonly #layers: EndLayers;
  readonly #write: (cell: Uint8Array) => void;
  /** The pause between two beats; zero without cover. */
  coverMs = 0;

  constructor(
    parts: {
      readonly geometry: OnionGeometry;
      readonly layers: EndLayers;
      /** Takes a sealed cell over. */
      readonly write: (cell: Uint8Array) => void;
    },
    limits: CircuitLimits,
  ) {
    this.end = new CircuitEnd(parts.geometry, limits);
    this.#layers = parts.layers;
    this.#write = parts.write;
  }

  /** Takes a cell whose layers are off. */
  receive(cell: Uint8Array): EndEvent {
    return this.end.receive(cell, () => this.#layers.openedProof());
  }

  /** Sends what may be sent now; nothing between the beats. */
  flush(isBlocked: () => boolean): void {
    if (this.coverMs > 0) return;
    while (!isBlocked() && this.#sendOne());
  }

  /** Sends one cell, padding if there is nothing else. */
  beat(): void {
    if (this.#sendOne()) return;
    const padding = this.end.padding();
    this.#layers.seal(padding);
    this.#write(padding);
  }

  #sendOne(): boolean {
    const cell = this.end.take();
    if (cell === undefined) return false;
    this.#layers.seal(cell.bytes);
    if (cell.needsProof) this.end.expectProof(this.#layers.sealedProof());
    this.#write(cell.bytes);
    return true;
  }
}
