import type { Instant } from "../../base/index.ts";
import type { NodeId } from "../../identity/index.ts";
import type { RunEffect } from "./protocol.ts";

/** A request of another node, as its handler sees it. */
export interface IncomingRequest {
  readonly peer: NodeId;
  readonly type: string;
  readonly meta: Uint8Array;
  readonly body: Uint8Array;
  /** Aborted when the caller turns away, and at the deadline. */
  readonly signal: AbortSignal;
  /** On the clock of this node. */
  readonly deadlineAt: Instant;
}

/**
 * A handler that runs, and the request as it sees it. Its signal is made when it is asked for: most
 * handlers never do, and a signal costs more than the rest of a request.
 */
export class HandlerRun implements IncomingRequest {
  readonly peer: NodeId;
  readonly type: string;
  readonly meta: Uint8Array;
  readonly body: Uint8Array;
  readonly deadlineAt: Instant;
  #controller: AbortController | undefined;
  #reason: Error | undefined;

  constructor({ peer, type, meta, body, deadlineAt }: RunEffect) {
    this.peer = peer;
    this.type = type;
    this.meta = meta;
    this.body = body;
    this.deadlineAt = deadlineAt;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#reason !== undefined) this.#controller.abort(this.#reason);
    }
    return this.#controller.signal;
  }

  /** Tells the handler to stop; the first reason stays. */
  abort(reason: Error): void {
    this.#reason ??= reason;
    this.#controller?.abort(reason);
  }
}
