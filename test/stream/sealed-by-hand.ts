import { VirtualClock } from "culvert/testing";
import { MemoryTransport } from "culvert/transport";
import { onTestFinished } from "vitest";
import { SeededRandom } from "../../src/base/index.ts";
import type { Chain } from "../../src/crypto/index.ts";
import { type FrameType, NO_ACKNOWLEDGEMENT } from "../../src/stream/frame/frame.ts";
import { DATA_CONTEXT, FrameKeys } from "../../src/stream/frame/frame-keys.ts";
import { Sealer } from "../../src/stream/frame/sealer.ts";
import type { Transport } from "../../src/transport/index.ts";

/** A Map of small cells for one test, and the clock of all who use it. */
export function place() {
  const clock = new VirtualClock();
  const map = new MemoryTransport({ clock, payloadSize: 300 });
  onTestFinished(() => map.close());
  return { clock, map, at: { clock } };
}

export type Place = ReturnType<typeof place>;

/** Seals what it is told, whether a stream would or not, one frame after the other. */
export class HostileWriter {
  readonly #map: Transport;
  readonly #sealer: Sealer;
  #next = 0;

  constructor(map: Transport, chain: Chain) {
    this.#map = map;
    const keys = new FrameKeys(chain, 0, DATA_CONTEXT);
    this.#sealer = new Sealer({ keys, cellBytes: map.payloadSize, random: new SeededRandom(5) });
  }

  /** The next frame; it is in the Map once the result is called. */
  seal(type: FrameType, payload: Uint8Array = new Uint8Array(0)): () => Promise<unknown> {
    const sealed = new Uint8Array(32 + this.#map.payloadSize);
    const nothingRead = { acknowledgement: NO_ACKNOWLEDGEMENT, flags: 0 };
    this.#sealer.seal(this.#next++, { type, payload }, nothingRead, sealed);
    return () => this.#map.put(sealed.subarray(0, 32), sealed.subarray(32));
  }
}
