import type { CulvertError, Instant } from "../../base/index.ts";
import type { MuxEffect, MuxInput } from "../mux/mux-protocol.ts";

/** What happens to a link. */
export type LinkInput =
  | Exclude<MuxInput, { readonly kind: "receive" }>
  /**
   * A path is there, in the place of the one before. `peerReceived` numbered records are with the
   * peer; the first one that comes over the path has the number `receivedTold`, which the peer was
   * told.
   */
  | { readonly kind: "path"; readonly peerReceived: number; readonly receivedTold: number }
  | { readonly kind: "path-lost" }
  /** There will be no path again. */
  | { readonly kind: "abandon"; readonly error: CulvertError }
  /** So many bytes may be handed to the path now. */
  | { readonly kind: "room"; readonly bytes: number }
  /** The payload of a record that came over the path. */
  | { readonly kind: "message"; readonly payload: Uint8Array }
  /** A piece of a record came over the path. */
  | { readonly kind: "partial" }
  /** The peer may be out of reach: it is asked for a sign of life. */
  | { readonly kind: "doubt" }
  /** A record that came beside the ordered ones: whatever is no good datagram is dropped. */
  | { readonly kind: "loose"; readonly payload: Uint8Array }
  /** Closes the link: after the open streams, or at once. */
  | { readonly kind: "close"; readonly isGraceful: boolean };

/** What a link wants done. */
export type LinkEffect =
  | Exclude<MuxEffect, { readonly kind: "fail" }>
  /** Sends the payload, which is borrowed; with a number also a copy, where packets get lost. */
  | { readonly kind: "send"; readonly payload: Uint8Array; readonly number?: number }
  /** Copies such a record once more: one that was sent a little earlier. */
  | { readonly kind: "copy"; readonly payload: Uint8Array; readonly number: number }
  | { readonly kind: "datagram"; readonly protocol: string; readonly bytes: Uint8Array }
  /** The peer owes an answer, and was not heard since then: others may be out of reach as well. */
  | { readonly kind: "late"; readonly since: Instant }
  /** The path is dead: nothing comes from it. */
  | { readonly kind: "silence" }
  /** The last effect; with an error unless one of the ends closed the link. */
  | { readonly kind: "over"; readonly error: CulvertError | undefined };
