import type { NodeId } from "../identity/index.ts";
import type { ByteDuplex } from "./byte-duplex.ts";

/** What a carrier of messages has to tell. Must not throw. */
export interface CarrierEvents {
  /** A message came. The carrier vouches for the sender; the bytes are the receiver's. */
  received(peer: NodeId, bytes: Uint8Array): void;
  /** A connection to `peer` broke: what was on its way, either way, may be lost. */
  disturbed(peer: NodeId): void;
}

/**
 * Carries whole messages between nodes: the one thing that requests need from below. Messages may
 * be lost, repeated and reordered; who sent one is certain. A carrier connects by itself.
 */
export interface RequestCarrier {
  /** Whether nothing is lost without `disturbed` being told: then less is repeated. */
  readonly isReliable: boolean;
  /** Starts to tell; called once, before anything is sent. */
  start(events: CarrierEvents): void;
  /**
   * Sends a message, which is handed over. `unsent` is called at most once, and only for a cause on
   * this machine: no way to the peer is known, or nothing accepts a connection there; with `true`
   * where only a limit, here or there, leaves no room. Once another machine has it, a relay too, it
   * is not called any more. While the message waits here, `isWanted` says whether it still has to
   * go: if not, it may be dropped without a word.
   */
  send(
    peer: NodeId,
    bytes: Uint8Array,
    unsent: (isBusy?: boolean) => void,
    isWanted?: () => boolean,
  ): void;
  /**
   * The peers for which `isBusy` holds keep their connection; what those send for which `isAwaited`
   * holds is read, however much waits for them here.
   */
  setBusy?(isBusy: (peer: NodeId) => boolean, isAwaited: (peer: NodeId) => boolean): void;
  /** Ends all connections; nothing is told any more. */
  close(): Promise<void>;
}

/** Carries byte streams between nodes: what streaming calls need from below, one for each call. */
export interface StreamCarrier {
  /**
   * Opens a stream to `peer`.
   *
   * @throws CulvertError `CULVERT_UNREACHABLE`, `CULVERT_CLOSED`, `CULVERT_BUSY`
   * @throws Error `AbortError`
   */
  openStream(
    peer: NodeId,
    options?: { readonly signal?: AbortSignal | undefined },
  ): Promise<ByteDuplex>;
  /** Takes the streams that peers open; called once. */
  onStream(listener: (peer: NodeId, stream: ByteDuplex) => void): void;
}
