import { assert, type Core, type Instant, isCulvertError, unreachable } from "../base/index.ts";
import type { SessionLimits } from "./limits.ts";
import { MessageBuffer } from "./message.ts";

/** How a server speaks: what it takes, and what it says when something goes wrong. */
export interface ServerDialect<Request> {
  /**
   * Reads one whole message.
   *
   * @throws CulvertError `CULVERT_PROTOCOL` when it is no request of this protocol
   */
  read(message: Uint8Array): Request;
  /** What is said about bytes that are no request; without it the connection closes. */
  readonly refusal?: Uint8Array;
  /** What is said when a request could not be served, or not in time. */
  failure(request: Request): Uint8Array | "nothing" | "close";
  /** Whether it has no answer: then it is served although the client has left. */
  isOneWay?(request: Request): boolean;
  /** Whether clients may come to hear, and ask for nothing: then nobody gives way for that. */
  readonly hasListeners?: boolean;
}

/** Why a session ended. */
export type SessionEnd =
  | "protocol"
  | "slow-reader"
  | "timeout"
  | "idle"
  | "finished"
  | "gone"
  /** Another client has its place. */
  | "displaced";

/** What a session is told. */
export type SessionInput =
  /** Bytes from the client, handed over. */
  | { readonly kind: "received"; readonly bytes: Uint8Array }
  /** How many bytes were written and are not on their way yet. */
  | { readonly kind: "unsent"; readonly unsentBytes: number }
  /** A request was served; without bytes there is nothing to say. */
  | { readonly kind: "answered"; readonly request: number; readonly bytes: Uint8Array | undefined }
  /** A request could not be served. */
  | { readonly kind: "failed"; readonly request: number }
  /** A request that could be read is not allowed now. */
  | { readonly kind: "violated" }
  /** Something to say that nobody asked for; it may be lost when the client is slow. */
  | { readonly kind: "push"; readonly bytes: Uint8Array; readonly mayBeLost: boolean }
  /** The server is closing, or has no room for this client. */
  | { readonly kind: "finish" }
  /** Somebody else needs its place. */
  | { readonly kind: "displaced" }
  /** The connection is over: what has come and has no answer is still served. */
  | { readonly kind: "ended" };

/** What a session wants done. */
export type SessionEffect<Request> =
  | { readonly kind: "serve"; readonly request: number; readonly message: Request }
  /** The answer to this request is not wanted any more. */
  | { readonly kind: "cancel"; readonly request: number }
  | { readonly kind: "send"; readonly bytes: Uint8Array }
  | { readonly kind: "reading"; readonly isReading: boolean }
  /** Last of all. Abruptly: without waiting for what is unsent. */
  | { readonly kind: "close"; readonly isAbrupt: boolean; readonly reason: SessionEnd };

interface OpenRequest<Request> {
  readonly message: Request;
  readonly bytes: number;
  readonly until: Instant;
}

/**
 * The server's side of one connection, for every VoidPhone protocol: cuts bytes into messages, lets
 * requests be served, at most so many at once and each in time, and says what the protocol says
 * when they fail. Answers leave in the order in which they come.
 *
 * A message of the right size that is no request gets the protocol's refusal, and the connection
 * goes on; after a size that cannot be, nobody knows where the next message begins, and it closes.
 */
export class SessionCore<Request> implements Core<SessionInput, SessionEffect<Request>> {
  readonly #dialect: ServerDialect<Request>;
  readonly #limits: SessionLimits;
  readonly #buffer = new MessageBuffer();
  readonly #effects: SessionEffect<Request>[] = [];
  /** In the order of their deadlines, since all have the same time. */
  readonly #open = new Map<number, OpenRequest<Request>>();
  #openBytes = 0;
  #requestCount = 0;
  #faultCount = 0;
  #unsentBytes = 0;
  #isReading = true;
  #isOver = false;
  /** The client has left. */
  #isGone = false;
  #hasSpoken = false;
  readonly #openedAt: Instant;
  #activeAt: Instant;
  /** When the message that is not all here began. */
  #partialSince: Instant | undefined;
  /** Since when the client does not read what it asked for. */
  #stalledSince: Instant | undefined;

  constructor(dialect: ServerDialect<Request>, limits: SessionLimits, now: Instant) {
    this.#dialect = dialect;
    this.#limits = limits;
    this.#openedAt = now;
    this.#activeAt = now;
  }

  /** Whether the client has asked for anything yet. */
  get hasSpoken(): boolean {
    return this.#hasSpoken;
  }

  /** Whether anything that it asked for is being served. */
  get isServing(): boolean {
    return this.#open.size > 0;
  }

  handle(input: SessionInput, now: Instant): void {
    if (this.#isOver) return;
    switch (input.kind) {
      case "received":
        this.#buffer.push(input.bytes);
        this.#activeAt = now;
        break;
      case "unsent":
        if (input.unsentBytes < this.#unsentBytes) this.#activeAt = now;
        this.#unsentBytes = input.unsentBytes;
        break;
      case "answered":
        if (this.#settle(input.request) && input.bytes !== undefined) this.#send(input.bytes, now);
        break;
      case "failed":
        this.#fail(input.request, now);
        break;
      case "violated":
        this.#end("protocol", { isAbrupt: false });
        break;
      case "push":
        this.#push(input, now);
        break;
      case "finish":
        this.#end("finished", { isAbrupt: false });
        break;
      case "displaced":
        this.#end("displaced", { isAbrupt: true });
        break;
      case "ended":
        if (this.#dialect.isOneWay === undefined) this.#end("gone", { isAbrupt: true });
        else this.#leave();
        break;
      default:
        unreachable(input);
    }
    this.#goOn(now);
  }

  timeout(now: Instant): void {
    for (const [request, { until }] of this.#open) {
      if (until > now || this.#isOver) break;
      this.#effects.push({ kind: "cancel", request });
      this.#fail(request, now);
    }
    this.#goOn(now);
    if (this.#isOver || this.#isGone) return;
    const { openMs, messageMs, idleMs } = this.#limits;
    const isPast = (since: Instant | undefined, ms: number): boolean =>
      since !== undefined && now >= since + ms;
    if (isPast(this.#stalledSince, messageMs)) this.#end("slow-reader", { isAbrupt: true });
    else if (isPast(this.#partialSince, messageMs)) this.#end("timeout", { isAbrupt: true });
    else if (!this.#hasSpoken && isPast(this.#openedAt, openMs)) {
      this.#end("timeout", { isAbrupt: true });
    } else if (isPast(this.#activeAt, idleMs)) this.#end("idle", { isAbrupt: true });
  }

  poll(): SessionEffect<Request> | undefined {
    return this.#effects.shift();
  }

  deadline(): Instant {
    if (this.#isOver) return Number.POSITIVE_INFINITY;
    const { openMs, messageMs, idleMs } = this.#limits;
    const never = Number.POSITIVE_INFINITY;
    const [oldest] = this.#open.values();
    if (this.#isGone) return oldest?.until ?? never;
    return Math.min(
      oldest?.until ?? never,
      this.#hasSpoken ? never : this.#openedAt + openMs,
      (this.#partialSince ?? never) + messageMs,
      (this.#stalledSince ?? never) + messageMs,
      this.#activeAt + idleMs,
    );
  }

  /** Takes what may be taken, and looks whether to read on. */
  #goOn(now: Instant): void {
    this.#takeMessages(now);
    if (this.#isGone && this.#open.size === 0) this.#end("gone", { isAbrupt: true });
    if (this.#isOver || this.#isGone) return;
    const mayRead = this.#hasRoom();
    if (mayRead !== this.#isReading) {
      this.#isReading = mayRead;
      this.#effects.push({ kind: "reading", isReading: mayRead });
    }
    const isSlow = this.#unsentBytes > this.#limits.unsentBytesHigh;
    this.#stalledSince = isSlow ? (this.#stalledSince ?? now) : undefined;
    // A client that trickles bytes does not restart the time of its message.
    const isPartial = mayRead && this.#buffer.length > 0;
    this.#partialSince = isPartial ? (this.#partialSince ?? now) : undefined;
  }

  #hasRoom(): boolean {
    const { openRequestsMax, openBytesMax, unsentBytesHigh } = this.#limits;
    return (
      this.#open.size < openRequestsMax &&
      this.#openBytes < openBytesMax &&
      (this.#isGone || this.#unsentBytes <= unsentBytesHigh)
    );
  }

  #takeMessages(now: Instant): void {
    try {
      while (!this.#isOver && this.#hasRoom()) {
        const message = this.#buffer.take();
        if (message === undefined) return;
        this.#partialSince = undefined;
        this.#serve(message, now);
      }
    } catch (error) {
      if (!isCulvertError(error, "CULVERT_PROTOCOL")) throw error;
      if (this.#dialect.refusal !== undefined) this.#send(this.#dialect.refusal, now);
      this.#end("protocol", { isAbrupt: false });
    }
  }

  /** @throws CulvertError `CULVERT_PROTOCOL` when the message ends the connection */
  #serve(bytes: Uint8Array, now: Instant): void {
    const message = this.#read(bytes, now);
    if (message === undefined || (this.#isGone && !this.#isOneWay(message))) return;
    this.#hasSpoken = true;
    this.#requestCount += 1;
    const request = this.#requestCount;
    const until = now + this.#limits.answerMs;
    this.#open.set(request, { message, bytes: bytes.length, until });
    this.#openBytes += bytes.length;
    this.#effects.push({ kind: "serve", request, message });
  }

  #read(bytes: Uint8Array, now: Instant): Request | undefined {
    try {
      return this.#dialect.read(bytes);
    } catch (error) {
      if (!isCulvertError(error, "CULVERT_PROTOCOL")) throw error;
      this.#faultCount += 1;
      const { refusal } = this.#dialect;
      if (refusal === undefined || this.#faultCount > this.#limits.faultsMax) throw error;
      this.#send(refusal, now);
      return undefined;
    }
  }

  /** False when the request was over already. */
  #settle(request: number): boolean {
    const open = this.#open.get(request);
    if (open === undefined) return false;
    this.#open.delete(request);
    this.#openBytes -= open.bytes;
    assert(this.#openBytes >= 0, "no request is settled twice");
    return true;
  }

  #fail(request: number, now: Instant): void {
    const open = this.#open.get(request);
    if (open === undefined || !this.#settle(request)) return;
    const failure = this.#dialect.failure(open.message);
    if (failure === "close") this.#end("finished", { isAbrupt: false });
    else if (failure !== "nothing") this.#send(failure, now);
  }

  #push(input: SessionInput & { readonly kind: "push" }, now: Instant): void {
    if (input.mayBeLost && this.#unsentBytes > this.#limits.unsentBytesHigh) return;
    this.#send(input.bytes, now);
  }

  #send(bytes: Uint8Array, now: Instant): void {
    if (this.#isOver || this.#isGone) return;
    this.#effects.push({ kind: "send", bytes });
    this.#unsentBytes += bytes.length;
    this.#activeAt = now;
    if (this.#unsentBytes > this.#limits.unsentBytesMax)
      this.#end("slow-reader", { isAbrupt: true });
  }

  /** Nobody hears answers any more; what has none goes on, and so does what came behind it. */
  #leave(): void {
    this.#isGone = true;
    for (const [request, { message }] of this.#open) {
      if (this.#isOneWay(message)) continue;
      this.#effects.push({ kind: "cancel", request });
      this.#settle(request);
    }
  }

  #isOneWay(request: Request): boolean {
    return this.#dialect.isOneWay?.(request) ?? false;
  }

  #end(reason: SessionEnd, { isAbrupt }: { readonly isAbrupt: boolean }): void {
    if (this.#isOver) return;
    this.#isOver = true;
    for (const request of this.#open.keys()) this.#effects.push({ kind: "cancel", request });
    this.#open.clear();
    this.#effects.push({ kind: "close", isAbrupt, reason });
  }
}
