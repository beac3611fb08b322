import type { CulvertError } from "../../base/index.ts";
import type { Priority } from "../contract.ts";
import type { StreamId } from "./mux-frames.ts";

/** A stream that is wanted. */
export interface OpenRequest {
  /** Names the request. */
  readonly ticket: number;
  readonly protocol: string;
  readonly priority: Priority;
}

/** What the owner of a mux, or its peer, wants. */
export type MuxInput =
  /** Opens a stream; `opened` follows when there is room for one. */
  | ({ readonly kind: "open" } & OpenRequest)
  /** Takes a request back; one that was granted meanwhile has to be reset instead. */
  | { readonly kind: "cancel-open"; readonly ticket: number }
  /** Bytes to send, borrowed until `written`, which is told of all that was written so far. */
  | { readonly kind: "write"; readonly id: StreamId; readonly chunks: readonly Uint8Array[] }
  | { readonly kind: "end"; readonly id: StreamId }
  | { readonly kind: "reset"; readonly id: StreamId; readonly code: number }
  /** The owner has passed on data frames that cost so much credit. */
  | { readonly kind: "consumed"; readonly id: StreamId; readonly credit: number }
  /** The payload of a record of the peer. */
  | { readonly kind: "receive"; readonly payload: Uint8Array };

/** What a mux tells its owner. */
export type MuxEffect =
  /** `isLast`: there are no more numbers, and every further request is refused. */
  | {
      readonly kind: "opened";
      readonly ticket: number;
      readonly id: StreamId;
      readonly isLast: boolean;
    }
  | { readonly kind: "open-refused"; readonly ticket: number }
  /** The peer opened a stream. */
  | {
      readonly kind: "accept";
      readonly id: StreamId;
      readonly protocol: string;
      readonly priority: Priority;
    }
  /** The bytes are the owner's. */
  | { readonly kind: "data"; readonly id: StreamId; readonly bytes: Uint8Array }
  | { readonly kind: "ended"; readonly id: StreamId }
  /** All that was written is in records: its memory may be used again, and more be written. */
  | { readonly kind: "written"; readonly id: StreamId }
  /** The end was told: nothing that was written is lost while the link lives. */
  | { readonly kind: "end-sent"; readonly id: StreamId }
  /** The peer gave the stream up. */
  | { readonly kind: "reset"; readonly id: StreamId; readonly code: number }
  /** The last effect: the peer broke the protocol. */
  | { readonly kind: "fail"; readonly error: CulvertError };

/** What the peer said when the link began. */
export interface PeerLimits {
  /** Streams that it takes at once. */
  readonly streams: number;
  /** What may be sent on a new stream. */
  readonly streamWindow: number;
}
