import type { ErrorCode, Instant, Random } from "../../base/index.ts";
import type { NodeId } from "../../identity/index.ts";
import type { RequestLimits } from "../limits.ts";

/** Names an open request of this node; chosen by the shell, never used twice. */
export type RequestId = number;

/** Names a run of a handler; chosen by the core. */
export type CallId = number;

/**
 * What a message on its way is a copy of: whoever cannot send it has to say so. The reference, in
 * hexadecimal, tells it from those of a session that is lost.
 */
export type CopyOf =
  | { readonly kind: "request"; readonly request: RequestId; readonly referenceKey: string }
  | { readonly kind: "hello"; readonly referenceKey: string }
  | { readonly kind: "other" };

/** A request as its caller gives it. Bytes are handed over. */
export interface RequestOrder {
  readonly peer: NodeId;
  readonly type: string;
  readonly meta: Uint8Array;
  readonly body: Uint8Array;
  /** After so long everything is freed and a late answer is dropped. */
  readonly hardMs: number;
  /** When a notice is wanted, `Infinity` for never; by what was measured if absent. */
  readonly softMs?: number | undefined;
  /** Running it twice does no harm: it goes on in a new session when the peer has restarted. */
  readonly isIdempotent: boolean;
}

/** What a handler answers: a reply, or why there is none. */
export interface Answer {
  readonly isFailure: boolean;
  readonly body: Uint8Array;
}

/** What a request core is told. */
export type RequestInput =
  | ({ readonly kind: "request"; readonly request: RequestId } & RequestOrder)
  /** The caller does not want the answer any more; nothing more is told of it. */
  | { readonly kind: "cancel"; readonly request: RequestId }
  /** A message came; the carrier vouches for who sent it and for nothing else. */
  | { readonly kind: "receive"; readonly peer: NodeId; readonly bytes: Uint8Array }
  /**
   * A message could not leave this machine: a local cause, known for sure. `isBusy`: the peer may
   * well be there, but there was no room for the message.
   */
  | {
      readonly kind: "unsent";
      readonly peer: NodeId;
      readonly copyOf: CopyOf;
      readonly isBusy?: boolean;
    }
  /** What was on its way to and from a peer may be lost. */
  | { readonly kind: "disturbed"; readonly peer: NodeId }
  /** A handler is done; the body is handed over. */
  | ({ readonly kind: "answer"; readonly call: CallId } & Answer)
  /** Takes no more requests of others; those that run go on. */
  | { readonly kind: "drain" };

/** What a request core wants done, in this order. */
export type RequestEffect =
  | {
      readonly kind: "send";
      readonly peer: NodeId;
      readonly bytes: Uint8Array;
      readonly copyOf: CopyOf;
    }
  /** The soft timeout: nothing came yet, and may still come. */
  | { readonly kind: "late"; readonly request: RequestId }
  | ({ readonly kind: "replied"; readonly request: RequestId } & Answer)
  | { readonly kind: "failed"; readonly request: RequestId; readonly code: ErrorCode }
  | {
      readonly kind: "run";
      readonly call: CallId;
      readonly peer: NodeId;
      readonly type: string;
      readonly meta: Uint8Array;
      readonly body: Uint8Array;
      readonly deadlineAt: Instant;
    }
  /** The handler's signal is to be aborted; its answer is awaited for `cutOffMs` more. */
  | { readonly kind: "abort"; readonly call: CallId; readonly reason: AbortReason }
  /** The handler's time is over: nothing that it does counts any more. */
  | { readonly kind: "cutOff"; readonly call: CallId };

/** A handler is to be run. */
export type RunEffect = Extract<RequestEffect, { kind: "run" }>;

/** Why a handler is stopped. */
export type AbortReason = "cancelled" | "deadline" | "displaced";

/** What was dropped, and why; counts since the start. */
export interface RequestStatistics {
  /** Requests that handlers were run for. */
  run: number;
  /** Copies of a request whose handler runs or whose reply is kept. */
  duplicates: number;
  /** Requests whose number was used up before. */
  replays: number;
  /** Messages that are none. */
  malformed: number;
  /** Replies whose sender or type is not that of the request. */
  wrongReplies: number;
  /** Replies to nothing that is open. */
  lateReplies: number;
  /** Requests of a session that is not known. */
  strangers: number;
  /** Requests that found no room, or no free handler. */
  refused: number;
  /** Handlers that were stopped since others had none, and their peer most. */
  displaced: number;
  /** Handlers that did not stop when they were told to. */
  cutOff: number;
  /** Messages that were sent again. */
  repeated: number;
}

/** Statistics of a core that has seen nothing. */
export function noRequestStatistics(): RequestStatistics {
  return {
    run: 0,
    duplicates: 0,
    replays: 0,
    malformed: 0,
    wrongReplies: 0,
    lateReplies: 0,
    strangers: 0,
    refused: 0,
    displaced: 0,
    cutOff: 0,
    repeated: 0,
  };
}

/** What both halves of a request core share. */
export interface RequestParts {
  readonly limits: RequestLimits;
  readonly random: Random;
  readonly statistics: RequestStatistics;
  /** Whether the carrier itself repeats what is lost, so that we need not be quick to. */
  readonly isReliable: boolean;
  perform(effect: RequestEffect): void;
}
