import type { ErrorCode, JournalChanges } from "../../base/index.ts";

/** Names one put or get of one stream; never reused within the life of a core. */
export type RequestId = number;

/** A get was answered. */
export interface GotInput {
  readonly kind: "got";
  readonly request: RequestId;
  /** Handed over: it may be opened where it lies. */
  readonly cell: Uint8Array;
  /** For how many seconds the Map still keeps the cell, if it tells; not checked. */
  readonly ttlSeconds?: number | undefined;
}

/** What a transport says about how it is best used. */
export interface TransportHints {
  /** A positive whole number, as {@link Transport.putsAtOnce}. */
  readonly putsAtOnce?: number | undefined;
}

/** What every core hears from its engine. Byte arrays are handed over: the giver forgets them. */
export type IoInput =
  /** Begin, or go on after a restart; `unixMs` is the wall clock of this instant. Comes first. */
  | ({ readonly kind: "start"; readonly unixMs: number } & TransportHints)
  /** What is asked of the Map goes over another transport from now on. */
  | ({ readonly kind: "transport" } & TransportHints)
  /** A put was acknowledged by the Map. */
  | { readonly kind: "stored"; readonly request: RequestId; readonly ttlSeconds: number }
  | GotInput
  /** A put or get ended without effect, or with an unknown one. */
  | { readonly kind: "failed"; readonly request: RequestId; readonly code: ErrorCode }
  /** The journal commit with this number is durable. */
  | { readonly kind: "journaled"; readonly commit: number }
  /** What the journal holds under a name that was recalled; `undefined` when it holds nothing. */
  | { readonly kind: "recalled"; readonly name: string; readonly bytes: Uint8Array | undefined }
  /** Other events had their chance: more may be put and asked for. */
  | { readonly kind: "turn" };

const IO_INPUT_KINDS: ReadonlySet<string> = new Set<IoInput["kind"]>([
  "start",
  "transport",
  "stored",
  "got",
  "failed",
  "journaled",
  "recalled",
  "turn",
]);

/** Whether an input comes from the engine, and not from the application. */
export function isIoInput(input: { readonly kind: string }): input is IoInput {
  return IO_INPUT_KINDS.has(input.kind);
}

/** The application has taken (or, in manual mode, confirmed) all bytes below `offset`. */
export interface TakenInput {
  readonly kind: "taken";
  readonly offset: number;
  readonly begun?: BegunInput | undefined;
}

/** What the application has read and cannot use before more of it comes. */
export interface BegunInput {
  /** How many of the last taken bytes that are. */
  readonly length: number;
  /** Those of them that no `taken` before had. */
  readonly bytes: Uint8Array;
}

/** What the application tells a stream core. */
export type StreamOrder =
  /** Application bytes to carry. Accepted at any length; `drain` tells when to go on. */
  | { readonly kind: "write"; readonly bytes: Uint8Array }
  /** No more bytes will be written (half-close). */
  | { readonly kind: "end" }
  /** Give up: drop everything, and tell the peer, with a code if it is not 0. */
  | { readonly kind: "abort"; readonly code?: number }
  | TakenInput;

/** What a stream core is told. */
export type StreamInput = IoInput | StreamOrder;

/** What every core asks of its engine, in this order. */
export type IoEffect =
  | {
      readonly kind: "put";
      readonly request: RequestId;
      readonly frameId: Uint8Array;
      readonly cell: Uint8Array;
      readonly ttlSeconds: number;
    }
  | {
      readonly kind: "get";
      readonly request: RequestId;
      readonly frameId: Uint8Array;
      /** How long the Map may hold the get while the place is empty. */
      readonly waitMs: number;
    }
  /** The answer to this request is of no more use; no input about it is needed. */
  | { readonly kind: "cancel"; readonly request: RequestId }
  /** Make this durable in one step, then answer with `journaled`. Commits are in order. */
  | { readonly kind: "journal"; readonly commit: number; readonly changes: JournalChanges }
  /** Read a sealed frame back from the journal, then answer with `recalled`. */
  | { readonly kind: "recall"; readonly name: string }
  /** There is more to put or to ask for: tell `turn` once other events had their chance. */
  | { readonly kind: "turn" };

const IO_KINDS: ReadonlySet<string> = new Set<IoEffect["kind"]>([
  "put",
  "get",
  "cancel",
  "journal",
  "recall",
  "turn",
]);

/** Whether an effect concerns the Map, the journal or the clock, and not the application. */
export function isIo(effect: { readonly kind: string }): effect is IoEffect {
  return IO_KINDS.has(effect.kind);
}

/** What an error will be made of. */
export interface Failure {
  readonly code: ErrorCode;
  readonly message: string;
  /** Of `CULVERT_LAGGED`: how many frames are lost; of `CULVERT_PEER_ABORTED`: the peer's code. */
  readonly detail?: { readonly frames?: number; readonly offset?: number; readonly code?: number };
}

/** What a stream core asks its shell to do, in this order. */
export type StreamEffect =
  | IoEffect
  /** Hand bytes to the application; `offset` is the position of the first one in the stream. */
  | { readonly kind: "deliver"; readonly offset: number; readonly bytes: Uint8Array }
  /** The peer ended its side after `length` bytes, all delivered before. */
  | { readonly kind: "delivered-end"; readonly length: number }
  /** The write buffer has room again after it was full. */
  | { readonly kind: "drain" }
  /** Everything that was written, and the end if it was asked for, is in the Map. */
  | { readonly kind: "all-stored" }
  /** Everything that was written, and the end if it was asked for, is acknowledged. */
  | { readonly kind: "all-acknowledged" }
  /** Something worth telling the application that does not end the stream. */
  | ({ readonly kind: "warning" } & Failure)
  /** The stream is over by an error; nothing follows. */
  | ({ readonly kind: "fail" } & Failure)
  /** Both directions are over and everything is acknowledged; nothing follows. */
  | { readonly kind: "done" };
