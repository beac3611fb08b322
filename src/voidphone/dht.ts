import type { VoidphoneContact } from "./peer/peer-messages.ts";

/** A value as its publisher sends it. */
export interface VoidphoneEntry {
  /** 32 bytes, borrowed. */
  readonly key: Uint8Array;
  /** At least one byte, borrowed: who keeps it copies it. */
  readonly value: Uint8Array;
  /** From 1 to 65,535. */
  readonly ttlSeconds: number;
  /** On how many nodes it is wanted, from 1 to 20. */
  readonly replication: number;
  /** Who it counts for: an address, or a network for IPv6. */
  readonly source: string;
}

/** The network as local clients see it, behind the messages 650 to 653. */
export interface VoidphoneDht {
  /**
   * Stores a value in the network; nobody is told whether that succeeds, or waits for it: it goes
   * on when the client has left.
   */
  put(entry: VoidphoneEntry): Promise<void>;
  /** The value of a key, wherever in the network it is; `undefined` when it is not found. */
  get(key: Uint8Array, options: { readonly signal: AbortSignal }): Promise<Uint8Array | undefined>;
}

/** This node as foreign peers see it, behind the messages 660 to 680. Nothing here asks others. */
export interface VoidphonePeer {
  /** How others reach this node; `undefined` while nobody can. */
  self(): VoidphoneContact | undefined;
  /**
   * Keeps a value here.
   *
   * @returns `not-acceptable` when this node is not the one to keep it, or it is not what the key
   *   calls for
   */
  store(entry: VoidphoneEntry): Promise<"stored" | "not-acceptable">;
  /** The value of a key, when it is here. */
  find(key: Uint8Array): Promise<Uint8Array | undefined>;
  /** Up to `count` known contacts, the closest to `target` first. */
  closest(target: Uint8Array, count: number): readonly VoidphoneContact[];
  /** A peer has been heard: it says that it is there. Nothing of that is proven. */
  learn(contact: VoidphoneContact): void;
}

/** What a time to live of 0 stands for: the writer has no wish. */
export const TTL_SECONDS_DEFAULT = 3_600;

/** Wishes within the bounds of {@link VoidphoneEntry}. */
export function withinBounds(wish: {
  readonly ttlSeconds: number;
  readonly replication: number | undefined;
}): { readonly ttlSeconds: number; readonly replication: number } {
  const replication = wish.replication ?? 0;
  return {
    ttlSeconds: wish.ttlSeconds === 0 ? TTL_SECONDS_DEFAULT : wish.ttlSeconds,
    replication: replication === 0 ? REPLICATION_MAX : Math.min(replication, REPLICATION_MAX),
  };
}

/** Nodes that keep a value at the most; also what a wish for 0 stands for. */
export const REPLICATION_MAX = 20;
