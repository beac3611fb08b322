import type { Cancel } from "../../base/index.ts";
import type { RequestId } from "../../stream/exchange/protocol.ts";
import type { VirtualClock } from "../virtual-clock.ts";
import type { Side } from "./faults.ts";
import type { Referee } from "./referee.ts";
import type { Trace } from "./trace.ts";
import {
  type AnswerTo,
  type GetRequest,
  type MapAnswer,
  type PutRequest,
  placeKey,
  type VirtualMap,
} from "./virtual-map.ts";

/** What a client works with. */
export interface VirtualClientInit {
  readonly side: Side;
  readonly clock: VirtualClock;
  readonly map: VirtualMap;
  readonly referee: Referee;
  readonly trace: Trace;
  /** When it gives up on a request and says so; `Infinity`: never. */
  readonly hardTimeoutMs: number;
  /** Takes every answer, until the client is closed. */
  readonly answer: AnswerTo;
}

/**
 * One process's way to the Map: shows each request to the referee, passes answers on, and gives up
 * on requests after the hard timeout. It dies with its process; what it sent stays on its way.
 */
export class VirtualClient {
  readonly #init: VirtualClientInit;
  readonly #timeouts = new Map<RequestId, Cancel>();
  #isOpen = true;

  constructor(init: VirtualClientInit) {
    this.#init = init;
  }

  put(put: PutRequest): void {
    const { side, clock, map, referee, trace } = this.#init;
    const key = placeKey(put.frameId);
    const hash = referee.put(side, key, put, clock.now());
    trace.event(clock.now(), side, "put", put.request);
    trace.detail(hash);
    this.#arm(put.request);
    map.put(side, key, put, (answer) => this.#answered(answer));
  }

  get(get: GetRequest): void {
    const { side, clock, map, referee, trace } = this.#init;
    referee.get(side, clock.now());
    trace.event(clock.now(), side, "get", get.request);
    this.#arm(get.request);
    map.get(side, placeKey(get.frameId), get, (answer) => this.#answered(answer));
  }

  /** Forgets the hard timeout; an answer is passed on all the same, as a race would have it. */
  cancel(request: RequestId): void {
    this.#timeouts.get(request)?.();
    this.#timeouts.delete(request);
  }

  close(): void {
    this.#isOpen = false;
    for (const cancel of this.#timeouts.values()) cancel();
    this.#timeouts.clear();
  }

  #arm(request: RequestId): void {
    const { clock, hardTimeoutMs } = this.#init;
    if (hardTimeoutMs === Number.POSITIVE_INFINITY) return;
    const giveUp = (): void => {
      this.#answered({ kind: "failed", request, code: "CULVERT_TIMEOUT" });
    };
    this.#timeouts.set(request, clock.schedule(clock.now() + hardTimeoutMs, giveUp));
  }

  #answered(answer: MapAnswer): void {
    if (!this.#isOpen) return;
    const { side, clock, trace } = this.#init;
    const what = answer.kind === "failed" ? answer.code : answer.kind;
    trace.event(clock.now(), side, what, answer.request);
    this.cancel(answer.request);
    this.#init.answer(answer);
  }
}
