import type { SeededRandom } from "../../../src/base/index.ts";
import type { WriteCapability } from "../../../src/crypto/index.ts";
import { sealFrame } from "../../../src/stream/frame/cell.ts";
import { ACK_CONTEXT, FrameKeys } from "../../../src/stream/frame/frame-keys.ts";
import type { VirtualClock } from "../../../src/testing/virtual-clock.ts";
import { placeKey, type VirtualMap } from "../../../src/testing/world/virtual-map.ts";

/** What a heckler is made of. */
export interface HecklerInit {
  readonly clock: VirtualClock;
  readonly map: VirtualMap;
  readonly random: SeededRandom;
  readonly repair: WriteCapability;
  readonly cellBytes: number;
  readonly everyMs: number;
  readonly untilMs: number;
}

/**
 * A hostile reader: says on its repair chain, as fast as it can, that it lacks everything, and
 * things that make no sense.
 */
export class Heckler {
  readonly #init: HecklerInit;
  readonly #keys: FrameKeys;
  #index = 0;

  constructor(init: HecklerInit) {
    this.#init = init;
    this.#keys = new FrameKeys(init.repair.chain, 0, ACK_CONTEXT);
  }

  /** Asks, and comes back to ask again. */
  ask(): void {
    const { clock, map, random, cellBytes, everyMs, untilMs } = this.#init;
    const index = this.#index++;
    const wild = random.unit() < 0.3;
    const next = wild ? Math.floor(random.unit() * 2 ** 48) : this.#init.random.below(2 ** 10);
    const frame = {
      type: "ack" as const,
      previous: 0,
      acknowledgement: { next, credit: 0xffff, selective: random.bytes(14) },
      flags: random.below(4),
      payload: new Uint8Array(0),
    };
    const keys = this.#keys.at(index);
    const sealed = sealFrame(frame, { keys, cellBytes, random });
    const [frameId, cell] = [sealed.slice(0, 32), sealed.slice(32)];
    this.#keys.advance(index);
    const put = { kind: "put" as const, request: index, frameId, cell, ttlSeconds: 86_400 };
    map.put("b", placeKey(frameId), put, () => {});
    if (clock.now() < untilMs) clock.schedule(clock.now() + everyMs, () => this.ask());
  }
}
