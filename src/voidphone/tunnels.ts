import type { Cancel } from "../base/index.ts";
import type { TunnelTarget } from "./onion/onion-messages.ts";
import type { SampledPeer } from "./rps/rps-messages.ts";

/** What happens on a tunnel. Must not throw. */
export interface TunnelEvents {
  /** Data from the other end, handed over. */
  data(data: Uint8Array): void;
  /** The tunnel is gone, from the other end or on the way; nothing follows. */
  ended(): void;
}

/** A tunnel that stands. Like the onion module's, it loses and reorders what it carries. */
export interface VoidphoneTunnel {
  /** The longest data that it carries in one piece. */
  readonly dataBytesMax: number;
  /** Tells `events` from now on; what came before is not told. Called once. */
  start(events: TunnelEvents): void;
  /**
   * Sends data, which is handed over.
   *
   * @returns false when the tunnel is gone
   */
  send(data: Uint8Array): boolean;
  /** Takes the tunnel down; nothing is told after that. */
  destroy(): void;
}

/** The tunnels of a node, behind the messages 560 to 566. */
export interface VoidphoneTunnels {
  /**
   * Builds a tunnel to a node.
   *
   * @throws CulvertError when it cannot be built; Error with the name `AbortError`
   */
  build(target: TunnelTarget, options: { readonly signal: AbortSignal }): Promise<VoidphoneTunnel>;
  /** Sends so many bytes of cover to a random place; rejects when that cannot be done. */
  cover(coverBytes: number): Promise<void>;
  /**
   * Hands over tunnels that others have built to this node, until it is cancelled.
   *
   * @param listener is told for each whom it counts for: who has built it, as far as that is known
   */
  accept(listener: (tunnel: VoidphoneTunnel, source: string) => void): Cancel;
}

/** Where random peers come from, behind the messages 540 and 541. */
export interface VoidphonePeerSampling {
  /** A random peer; `undefined` while nobody is known. */
  sample(options: { readonly signal: AbortSignal }): Promise<SampledPeer | undefined>;
}
