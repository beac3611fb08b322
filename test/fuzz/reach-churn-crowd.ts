import type { SeededRandom } from "../../src/base/index.ts";
import { NodeIdentity } from "../../src/identity/index.ts";
import { PUNCH_LIMITS } from "../../src/link/punch/limits.ts";
import { NO_REFERENCE, signOffer } from "../../src/link/punch/offer.ts";
import { encodeSignal, SIGNAL_PROTOCOL } from "../../src/link/punch/signal.ts";
import type { VirtualClock } from "../../src/testing/index.ts";
import type { ReachChurnNode } from "./reach-churn-node.ts";

/** More than one rendezvous may bring at once, and then as many as it may bring each second. */
const OFFERS = PUNCH_LIMITS.offersBurst + 8;
const GAP_MS = 1_000 / PUNCH_LIMITS.offersPerSecond;
/** What was taken first is not over yet. */
export const CROWDED_MS = PUNCH_LIMITS.probeMs - 500;

/** A rendezvous that brings the offers of many nodes, all of them made up by itself. */
export class Crowd {
  readonly node: ReachChurnNode;
  readonly #clock: VirtualClock;
  readonly #random: SeededRandom;

  constructor(node: ReachChurnNode, around: { clock: VirtualClock; random: SeededRandom }) {
    this.node = node;
    this.#clock = around.clock;
    this.#random = around.random;
  }

  /** Takes all places at `to` that it can get, and what becomes free, for {@link CROWDED_MS}. */
  press(to: Uint8Array): void {
    const until = this.#clock.now() + CROWDED_MS;
    const press = (): void => {
      this.#offer(to);
      const at = this.#clock.now() + GAP_MS;
      if (at < until) this.#clock.schedule(at, press);
    };
    for (let left = OFFERS; left > 0; left--) this.#offer(to);
    press();
  }

  #offer(to: Uint8Array): void {
    const random = this.#random;
    const from = new NodeIdentity(random.bytes(32));
    const body = signOffer(from, {
      ...{ kind: "offer", to, via: this.node.id, nonce: random.bytes(16) },
      ...{ reference: NO_REFERENCE, mapping: "unknown", addresses: [] },
      ...{ expiresAtUnixMs: this.#clock.unixMs() + 30_000, ephemeralKey: from.publicKey },
    });
    const signal = encodeSignal({ kind: "from", node: from.id, body });
    this.node.life?.host.find(to)?.sendDatagram(SIGNAL_PROTOCOL, signal);
  }
}
