import { afterEach } from "vitest";
import type { NodeId } from "../../src/identity/index.ts";
import type { OnionGeometry } from "../../src/onion/packet/geometry.ts";
import type { OnionPeer, Route } from "../../src/onion/route/route.ts";
import type { TunnelOptions, TunnelService } from "../../src/onion/tunnel-service.ts";

/** A unit that a node has given to a link. */
export interface SentUnit {
  readonly from: number;
  readonly to: number;
  readonly bytes: Uint8Array;
}

/** What becomes of what nodes send to each other, other than that it arrives. */
export interface Spoil {
  /** Other units in the place of this one, or none. */
  readonly units?: (sent: SentUnit) => readonly Uint8Array[];
  /** How much later it arrives; the same for all units of a channel, or their order changes. */
  readonly holdMs?: (sent: SentUnit) => number;
}

/** Onion nodes that reach each other, whatever is between them; the first one is the origin. */
export interface AcceptanceNet {
  readonly geometry: OnionGeometry;
  /** Everything that any node has sent. */
  readonly passages: readonly SentUnit[];
  node(index: number): { readonly id: NodeId };
  service(index: number): TunnelService;
  peer(index: number): OnionPeer;
  route(...indexes: readonly number[]): Route;
  /** Stops a node: nobody reaches it any more. */
  kill(index: number): unknown;
  /** Starts a node anew, which remembers nothing. */
  restart(index: number): unknown;
  /** Has the links spoil things from now on; nothing ends that. */
  spoil(how: Spoil): void;
  /** Lets the world go on until the promise is settled. */
  settle<T>(promise: Promise<T>): Promise<T>;
  until(isSo: () => boolean): Promise<void>;
  /** Until what is on its way has come. */
  rest(): Promise<void>;
  close(): unknown;
}

export interface NetOptions extends TunnelOptions {
  /** Nodes whose options are others. */
  readonly others?: ReadonlyMap<number, TunnelOptions>;
  /** How far clocks of nodes are ahead, in ms. */
  readonly aheadMs?: ReadonlyMap<number, number>;
  /** Whom nodes count for, other than for themselves. */
  readonly sources?: ReadonlyMap<number, string>;
}

/** Makes a net of so many nodes. */
export type OpenNet = (count: number, options?: NetOptions) => Promise<AcceptanceNet>;

/** For the group of tests in which it is called: closes, after each, the net that it was given. */
export function closingNets(): (net: AcceptanceNet) => AcceptanceNet {
  let net: AcceptanceNet | undefined;
  afterEach(async () => {
    await net?.close();
    net = undefined;
  });
  return (opened) => {
    net = opened;
    return opened;
  };
}
