import { type Cancel, type Clock, equalBytes, repeat } from "../../base/index.ts";
import {
  type NetworkGeometry,
  type NodeAddress,
  NodeDescriptor,
  type NodeId,
  type NodeIdentity,
  type NodeRole,
  type OnionKey,
} from "../../identity/index.ts";

/** What a node has to say of itself now. */
export interface OwnClaims {
  readonly roles: readonly NodeRole[];
  readonly geometry: NetworkGeometry;
  readonly addresses: readonly NodeAddress[];
  readonly relays: readonly NodeId[];
  readonly onionKeys: readonly OnionKey[];
}

/**
 * How long a descriptor holds. At least half of its life is left: it is not over yet for one whose
 * clock is an hour ahead.
 */
const DESCRIPTOR_LIFE_S: number = 3 * 3_600;
/** How often what it says is looked at. */
const LOOK_MS = 30_000;

/**
 * Keeps a node's own descriptor true: signs a new one when what it says has changed, and before the
 * old one expires. Numbers are taken from the wall clock, and are higher than all before, whatever
 * it says: others refuse a lower one.
 */
export class OwnDescriptor {
  readonly #identity: NodeIdentity;
  readonly #clock: Clock;
  readonly #claims: () => OwnClaims;
  readonly #publish: (descriptor: NodeDescriptor) => void;
  #current: NodeDescriptor;
  #cancel: Cancel = () => {};

  /**
   * @param components `last`: the number of the last one of an earlier life
   * @param claims asked for whenever the descriptor is looked at
   * @param publish called with the first descriptor and with every new one
   */
  constructor(
    components: {
      readonly identity: NodeIdentity;
      readonly clock: Clock;
      readonly last?: number;
    },
    claims: () => OwnClaims,
    publish: (descriptor: NodeDescriptor) => void,
  ) {
    this.#identity = components.identity;
    this.#clock = components.clock;
    this.#claims = claims;
    this.#publish = publish;
    this.#current = this.#sign(components.last ?? 0);
  }

  /** Publishes, and looks again from time to time. */
  start(): void {
    this.#publish(this.#current);
    this.#cancel = repeat(this.#clock, LOOK_MS, () => this.look());
  }

  /** Looks now: something that the descriptor says may have changed. */
  look(): void {
    if (!this.#isDue()) return;
    this.#current = this.#sign(this.#current.claims.sequence);
    this.#publish(this.#current);
  }

  close(): void {
    this.#cancel();
  }

  #isDue(): boolean {
    const leftS = this.#current.claims.expiresAtUnixS - this.#clock.unixMs() / 1_000;
    if (leftS < DESCRIPTOR_LIFE_S / 2) return true;
    const { sequence, expiresAtUnixS } = this.#current.claims;
    const again = NodeDescriptor.sign(this.#identity, {
      ...this.#claims(),
      sequence,
      expiresAtUnixS,
    });
    return !equalBytes(again.toBytes(), this.#current.toBytes());
  }

  #sign(after: number): NodeDescriptor {
    const unixS = Math.floor(this.#clock.unixMs() / 1_000);
    const sequence = Math.max(unixS, after + 1);
    const expiresAtUnixS = unixS + DESCRIPTOR_LIFE_S;
    return NodeDescriptor.sign(this.#identity, { ...this.#claims(), sequence, expiresAtUnixS });
  }
}
