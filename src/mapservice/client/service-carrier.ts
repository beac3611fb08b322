import {
  type Cancel,
  type Clock,
  CulvertError,
  type ErrorCode,
  type Instant,
  NumberMap,
  onAbort,
  resolveLimits,
  throwIfAborted,
} from "../../base/index.ts";
import { encodeRecord, type MapRecord, withTtl } from "../record/record.ts";
import { NO_STAMP, searchStamp } from "../record/work-stamp.ts";
import type { MapAnswer, RequestId } from "../service/protocol.ts";
import type { MapGreeting, Requester, RequesterEvents } from "../service/requester.ts";
import { DeadlineWatch } from "./deadline-watch.ts";
import { RecordAnswers } from "./record-answers.ts";
import type {
  CarrierGetOptions,
  CarrierPutOptions,
  RecordCarrier,
  StoredReply,
} from "./record-carrier.ts";

/** Bounds of a carrier. */
export interface ServiceCarrierLimits {
  /** Time for an answer, beyond the wait that a get asks for. */
  readonly answerMs: number;
  /** Requests that may be open at once; each costs its record and some 500 bytes. */
  readonly openMax: number;
  /** The most work that is done for a put; a node that asks for more is told no. */
  readonly workBitsMax: number;
}

/** Tuned for a node behind onion circuits; twenty bits of work are about a second. */
export const SERVICE_CARRIER_LIMITS: ServiceCarrierLimits = Object.freeze({
  answerMs: 30_000,
  openMax: 4_096,
  workBitsMax: 20,
});

/**
 * The limits with defaults for what is left out.
 *
 * @throws RangeError
 */
export function resolveCarrierLimits(given?: Partial<ServiceCarrierLimits>): ServiceCarrierLimits {
  return resolveLimits(SERVICE_CARRIER_LIMITS, given, "workBitsMax");
}

/** What a carrier is built from. */
export interface ServiceCarrierComponents {
  readonly clock: Clock;
  /** Called when a request was not answered in time: what the requester asks over may be dead. */
  readonly onSilence?: () => void;
}

/** Stamps that are tried in one go: about two milliseconds. */
const TRIES_AT_ONCE = 1_000;
/** How often a node may raise its demand while one put is made. */
const WORK_ATTEMPTS_MAX = 3;
/** After this nobody knows what a node asks for now: a put without work finds it out. */
const WORK_BELIEVED_MS = 30_000;

type MapRequest =
  | { readonly kind: "put"; readonly record: Uint8Array; readonly stamp: Uint8Array }
  | { readonly kind: "get"; readonly address: Uint8Array; readonly waitMs: number };

/** A request that is not answered, and who waits for that. */
interface OpenRequest {
  readonly request: MapRequest;
  readonly deadline: Instant;
  readonly answered: (answer: MapAnswer) => void;
  readonly failed: (error: unknown) => void;
  forgetSignal: Cancel | undefined;
}

/**
 * A {@link RecordCarrier} to a service, by one requester at a time: numbers requests, keeps their
 * promises, does the work that a node asks for. The requester may be lost and replaced: what was
 * sent by it then fails with `CULVERT_UNREACHABLE`, what was not yet sent waits for the next one,
 * within its timeout.
 */
export class ServiceCarrier implements RecordCarrier {
  readonly payloadSize: number;
  readonly isVerified: boolean;
  readonly handsOver = true;
  readonly putsAtOnce?: number;
  readonly #clock: Clock;
  readonly #onSilence: () => void;
  readonly #limits: ServiceCarrierLimits;
  readonly #open = new NumberMap<OpenRequest>();
  readonly #unsent = new NumberMap<OpenRequest>();
  readonly #records: RecordAnswers;
  readonly #watch: DeadlineWatch;
  #requester: Requester | undefined;
  #greeting: MapGreeting;
  /** What the node asked for last, and when. */
  #workBits: number;
  #workAskedAt: Instant;
  #requestCount = 0;
  #closedBy: CulvertError | undefined;

  constructor(
    components: ServiceCarrierComponents,
    options: {
      readonly greeting: MapGreeting;
      readonly limits?: Partial<ServiceCarrierLimits>;
      readonly isVerified?: boolean;
      readonly putsAtOnce?: number;
    },
  ) {
    this.#clock = components.clock;
    const hand = (id: RequestId, answer: MapAnswer): void => this.#settle(id, answer);
    this.#records = new RecordAnswers(components.clock, hand);
    this.#watch = new DeadlineWatch(components.clock, (now) => this.#expire(now));
    this.#onSilence = components.onSilence ?? (() => {});
    this.#limits = resolveCarrierLimits(options.limits);
    this.#greeting = options.greeting;
    this.#workBits = options.greeting.workBits;
    this.#workAskedAt = this.#clock.now();
    this.payloadSize = options.greeting.payloadSize;
    this.isVerified = options.isVerified ?? false;
    if (options.putsAtOnce !== undefined) this.putsAtOnce = options.putsAtOnce;
  }

  /** What the node told with the last requester. */
  get greeting(): MapGreeting {
    return this.#greeting;
  }

  /** Requests that were made and are not answered. */
  get openRequests(): number {
    return this.#open.size;
  }

  /** Whether there is a requester now. */
  get isAttached(): boolean {
    return this.#requester !== undefined;
  }

  /** What a requester has to tell: hand these to whoever makes it. */
  events(): Pick<RequesterEvents, "answer" | "ready"> {
    return {
      answer: (request, answer) => this.#answer(request, answer),
      ready: () => this.#flush(),
    };
  }

  /** Asks by `requester` from now on, which is open and of the same network. */
  attach(requester: Requester, greeting: MapGreeting): void {
    this.#requester = requester;
    this.#greeting = greeting;
    this.#noteWork(greeting.workBits);
    this.#flush();
  }

  /** The requester is lost: what was sent by it fails, what was not waits for the next one. */
  detach(): void {
    this.#requester = undefined;
    for (const id of this.#open.keys()) {
      if (!this.#unsent.has(id)) this.#fail(id, new CulvertError("CULVERT_UNREACHABLE"));
    }
  }

  /** Fails everything, now and later, with `error`. */
  close(error: CulvertError = new CulvertError("CULVERT_CLOSED")): void {
    if (this.#closedBy !== undefined) return;
    this.#closedBy = error;
    for (const id of this.#open.keys()) this.#fail(id, error);
    this.#requester?.close();
    this.#requester = undefined;
  }

  put(record: MapRecord, { signal }: CarrierPutOptions = {}): Promise<StoredReply> {
    return new Promise((resolve, failed) => {
      const bytes = encodeRecord(record);
      let attempts = 0;
      const ask = (stamp: Uint8Array): void => {
        attempts += 1;
        const request = { kind: "put", record: bytes, stamp } as const;
        this.#ask(request, { timeoutMs: this.#limits.answerMs, signal, answered, failed });
      };
      const attempt = (): void => {
        const bits = this.#believedWork();
        if (bits === 0) ask(NO_STAMP);
        else this.#stamp(record, bits, signal).then(ask).catch(failed);
      };
      const answered = (answer: MapAnswer): void => {
        if (answer.kind === "stored") resolve(answer);
        else if (answer.kind !== "work-required" || attempts >= WORK_ATTEMPTS_MAX) {
          failed(failure(answer));
        } else {
          this.#noteWork(answer.bits);
          try {
            attempt();
          } catch (error) {
            failed(error);
          }
        }
      };
      attempt();
    });
  }

  get(address: Uint8Array, options: CarrierGetOptions = {}): Promise<MapRecord> {
    return new Promise((resolve, failed) => {
      const wishMs = Math.max(Math.floor(options.waitMs ?? 0), 0);
      const waitMs = Math.min(wishMs, this.#greeting.waitMsMax);
      const request = { kind: "get", address: address.slice(), waitMs } as const;
      const answered = (answer: MapAnswer): void => {
        if (answer.kind === "found") resolve(withTtl(answer.record, answer.ttlSeconds));
        else failed(failure(answer));
      };
      const timeoutMs = this.#limits.answerMs + waitMs;
      this.#ask(request, { timeoutMs, signal: options.signal, answered, failed });
    });
  }

  /** Makes a request; throws when none can be made. */
  #ask(
    request: MapRequest,
    options: {
      readonly timeoutMs: number;
      readonly signal: AbortSignal | undefined;
      readonly answered: (answer: MapAnswer) => void;
      readonly failed: (error: unknown) => void;
    },
  ): void {
    const { timeoutMs, signal, answered, failed } = options;
    throwIfAborted(signal);
    if (this.#closedBy !== undefined) throw this.#closedBy;
    if (this.#open.size >= this.#limits.openMax) {
      throw new CulvertError("CULVERT_BUSY", "too many requests are open");
    }
    const id = this.#nextId();
    const deadline = this.#clock.now() + timeoutMs;
    const open: OpenRequest = { request, deadline, answered, failed, forgetSignal: undefined };
    this.#open.set(id, open);
    if (signal) open.forgetSignal = onAbort(signal, (error) => this.#giveUp(id, error));
    this.#watch.note(deadline);
    if (this.#unsent.size === 0 && this.#maySend) {
      this.#send(id, request);
      return;
    }
    this.#unsent.set(id, open);
    this.#flush();
  }

  #settle(id: RequestId, answer: MapAnswer): void {
    this.#leave(id)?.answered(answer);
  }

  #fail(id: RequestId, error: Error): void {
    this.#leave(id)?.failed(error);
  }

  #leave(id: RequestId): OpenRequest | undefined {
    const open = this.#open.get(id);
    if (open === undefined) return undefined;
    open.forgetSignal?.();
    this.#open.delete(id);
    this.#unsent.delete(id);
    this.#records.forget(id);
    if (this.#open.size === 0) this.#watch.rest();
    return open;
  }

  #answer(id: RequestId, answer: MapAnswer): void {
    if (!this.#open.has(id)) return;
    if (answer.kind === "found" && !this.isVerified) this.#records.push(id, answer);
    else this.#settle(id, answer);
  }

  #giveUp(id: RequestId, error: Error): void {
    const open = this.#open.get(id);
    if (open?.request.kind === "get" && !this.#unsent.has(id)) this.#requester?.cancel(id);
    this.#fail(id, error);
  }

  /** Gives up what is overdue; the earliest deadline of the others. */
  #expire(now: Instant): Instant {
    let next = Number.POSITIVE_INFINITY;
    for (const id of this.#open.keys()) {
      const deadline = this.#open.get(id)?.deadline;
      // The silence of one may have ended the others.
      if (deadline === undefined) continue;
      if (deadline > now) {
        next = Math.min(next, deadline);
        continue;
      }
      const isSent = !this.#unsent.has(id);
      this.#giveUp(id, new CulvertError(isSent ? "CULVERT_TIMEOUT" : "CULVERT_UNREACHABLE"));
      if (isSent) this.#onSilence();
    }
    return next;
  }

  get #maySend(): boolean {
    return this.#requester !== undefined && !this.#requester.isCongested;
  }

  #flush(): void {
    for (const id of this.#unsent.keys()) {
      if (!this.#maySend) return;
      const request = this.#unsent.get(id)?.request;
      this.#unsent.delete(id);
      // What is asked meanwhile is sent after all that waited before it.
      if (request !== undefined) this.#send(id, request);
    }
  }

  #send(id: RequestId, request: MapRequest): void {
    if (request.kind === "put") this.#requester?.put(id, request.record, request.stamp);
    else this.#requester?.get(id, request.address, request.waitMs);
  }

  #nextId(): RequestId {
    do {
      this.#requestCount = (this.#requestCount + 1) % 2 ** 32;
    } while (this.#open.has(this.#requestCount));
    return this.#requestCount;
  }

  #noteWork(bits: number): void {
    this.#workBits = bits;
    this.#workAskedAt = this.#clock.now();
  }

  /** What is asked for goes by the load of a moment, which passes. */
  #believedWork(): number {
    return this.#clock.now() < this.#workAskedAt + WORK_BELIEVED_MS ? this.#workBits : 0;
  }

  async #stamp(
    record: MapRecord,
    bits: number,
    signal: AbortSignal | undefined,
  ): Promise<Uint8Array> {
    if (bits > this.#limits.workBitsMax) throw failure({ kind: "work-required", bits });
    for (let from = 0; ; from += TRIES_AT_ONCE) {
      throwIfAborted(signal);
      if (this.#closedBy !== undefined) throw this.#closedBy;
      const search = { bits, from, tries: TRIES_AT_ONCE };
      const stamp = searchStamp(record, this.#greeting.nodeKey, search);
      if (stamp !== undefined) return stamp;
      await this.#breathe();
    }
  }

  #breathe(): Promise<void> {
    return new Promise((resolve) => {
      this.#clock.schedule(this.#clock.now(), resolve);
    });
  }
}

const CODES = {
  "not-found": "CULVERT_NOT_FOUND",
  conflict: "CULVERT_CONFLICT",
  refused: "CULVERT_REFUSED",
  full: "CULVERT_FULL",
  busy: "CULVERT_BUSY",
  "work-required": "CULVERT_WORK_REQUIRED",
  // An answer to what was not asked.
  stored: "CULVERT_PROTOCOL",
  found: "CULVERT_PROTOCOL",
} as const satisfies Record<MapAnswer["kind"], ErrorCode>;

function failure(answer: MapAnswer): CulvertError {
  return new CulvertError(CODES[answer.kind], undefined, { remote: true, detail: detail(answer) });
}

function detail(answer: MapAnswer): Record<string, string | number> {
  if (answer.kind === "refused") return { fault: answer.fault };
  return answer.kind === "work-required" ? { bits: answer.bits } : {};
}
