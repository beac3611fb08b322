import type { NodeId } from "../../identity/index.ts";
import type { HostPort } from "../carrier/carrier.ts";
import type { PunchedPath } from "./probe-exchange.ts";
import type { SignalFailure } from "./signal.ts";

/** Why there is no direct path. */
export type PunchFailure =
  /** A limit of our own was reached. */
  | "busy"
  /** The rendezvous has no link to the peer, or will not pass signals on now. */
  | SignalFailure
  /** The peer does not answer, or will not. */
  | "no-answer"
  /** Both probed, and nothing came through. */
  | "no-path"
  /** Both seem to be behind NATs that show everybody another port, and nothing came through. */
  | "symmetric";

/** What goes into a punch core. Times of the wall clock are for the life of offers. */
export type PunchInput =
  /** Find a direct path to a peer; `via` has links to both. */
  | { readonly kind: "punch"; readonly peer: NodeId; readonly via: NodeId; readonly unixMs: number }
  /** Forget about a punch that was begun here. */
  | { readonly kind: "cancel"; readonly peer: NodeId }
  /** `via` passed this on, and says that it is from `from`; the bytes are handed over. */
  | {
      readonly kind: "signal";
      readonly from: NodeId;
      readonly via: NodeId;
      /** The host that `via` is at, if that is known. */
      readonly viaHost?: string | undefined;
      readonly bytes: Uint8Array;
      readonly unixMs: number;
    }
  /** `via` did not pass a signal on to `to`. */
  | {
      readonly kind: "undelivered";
      readonly to: NodeId;
      readonly via: NodeId;
      readonly reason: SignalFailure;
    }
  /** A plain datagram came, from an address that anybody can forge. */
  | { readonly kind: "datagram"; readonly bytes: Uint8Array; readonly from: HostPort }
  /** `by` says from the host `from` that it sees our UDP socket at `address`. */
  | {
      readonly kind: "observed";
      readonly address: HostPort;
      readonly by: NodeId;
      readonly from: string | undefined;
    }
  /** The addresses of this machine's interfaces, with the socket's port. */
  | { readonly kind: "local"; readonly addresses: readonly HostPort[] }
  /** Ask `node` at its UDP address where it sees us. */
  | { readonly kind: "ask"; readonly node: NodeId; readonly address: HostPort };

/** What comes out of it. */
export type PunchEffect =
  /** Have `via` pass this on to `to`; it may get lost. */
  | {
      readonly kind: "signal";
      readonly to: NodeId;
      readonly via: NodeId;
      readonly bytes: Uint8Array;
    }
  /** Send a plain datagram. */
  | { readonly kind: "datagram"; readonly bytes: Uint8Array; readonly to: HostPort }
  /** There is a direct path: both NATs let datagrams of these two sockets through now. */
  | ({ readonly kind: "path"; readonly peer: NodeId; readonly isOfferer: boolean } & PunchedPath)
  /** There is none; the peer may be told too, and may not. */
  | {
      readonly kind: "failed";
      readonly peer: NodeId;
      readonly isOfferer: boolean;
      readonly reason: PunchFailure;
    };

/** What was dropped, by reason, and what was done. */
export interface PunchStatistics {
  offersTaken: number;
  /** No offer, or one that says nothing to us. */
  malformed: number;
  /** For another node, through another rendezvous, or from the wrong sender. */
  misdirected: number;
  expired: number;
  replayed: number;
  /** The signature does not hold. */
  forged: number;
  /** Beyond a limit. */
  limited: number;
  /** Answers to nothing that was asked. */
  unexpected: number;
  probesSent: number;
  /** Probes that a limit held back. */
  probesHeld: number;
  probesForged: number;
  probesReplayed: number;
  /** Probes of no punch that is under way. */
  probesStray: number;
}

/** Before anything has happened. */
export function noStatistics(): PunchStatistics {
  return {
    offersTaken: 0,
    malformed: 0,
    misdirected: 0,
    expired: 0,
    replayed: 0,
    forged: 0,
    limited: 0,
    unexpected: 0,
    probesSent: 0,
    probesHeld: 0,
    probesForged: 0,
    probesReplayed: 0,
    probesStray: 0,
  };
}
