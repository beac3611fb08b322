import type { Cancel } from "../../base/index.ts";
import type { NodeId } from "../../identity/index.ts";
import type { ByteDuplex } from "../byte-duplex.ts";

/** The streams of a link that carry requests, and those that carry one streaming call each. */
export const MESSAGE_PROTOCOL = "rpc";
/** See {@link MESSAGE_PROTOCOL}. */
export const CALL_PROTOCOL = "rpc.call";

/** An authenticated connection with streams, as far as requests need it: a link of `src/link`. */
export interface PeerLink {
  /** Who is at the other end, proved. */
  readonly peer: NodeId;
  readonly isOpen: boolean;
  openStream(
    protocol: string,
    options?: {
      readonly signal?: AbortSignal | undefined;
      readonly priority?: "urgent" | "normal";
    },
  ): Promise<ByteDuplex>;
  /** Takes the streams of `protocol` that the peer opens. */
  handle(protocol: string, onStream: (stream: ByteDuplex) => void): Cancel;
  /** Calls back once when the link is over, at once if it is. */
  onClose(listener: () => void): Cancel;
}

/** Who makes links, and closes those that nobody uses. */
export interface LinkDialler {
  /**
   * A link to the peer: the one that is open, or one made by whatever way leads there.
   *
   * @throws CulvertError whichever, for a cause on this machine
   */
  dial(peer: NodeId): Promise<PeerLink>;
  /** Calls back for every new link, whoever dialled. */
  onLink(listener: (link: PeerLink) => void): Cancel;
}
