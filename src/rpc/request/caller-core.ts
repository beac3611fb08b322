import {
  assert,
  type ErrorCode,
  type Instant,
  LruMap,
  NumberMap,
  toHex,
} from "../../base/index.ts";
import { isSameNode, type NodeId, nodeIdText } from "../../identity/index.ts";
import { type TimerHandle, TimerQueue } from "../../retx/index.ts";
import {
  encodeEnvelope,
  NONCE_BYTES,
  type ReplyEnvelope,
  referenceOf,
  SESSION_BYTES,
} from "../message/envelope.ts";
import {
  encodeRequest,
  type OutPeer,
  OutSession,
  type Pending,
  type SentRequest,
} from "./out-session.ts";
import type { CopyOf, RequestId, RequestInput, RequestOrder, RequestParts } from "./protocol.ts";
import { ResponseTimes } from "./response-times.ts";
import { RetryPauses } from "./retry-pauses.ts";

type Unsent = RequestInput & { readonly kind: "unsent" };

type Timer =
  | { readonly kind: "hard" | "soft" | "retry"; readonly pending: Pending }
  | { readonly kind: "hello" | "settle"; readonly out: OutPeer };

/**
 * The asking half of a request core. A request waits for a session with its peer, is sent and
 * repeated with the same bytes until its reply comes, its hard timeout passes or it is cancelled,
 * and is then settled: the peer is told that it may forget it.
 *
 * It never holds a request beyond its hard timeout, and touches it only for a reply whose
 * reference, sender and type are right.
 */
export class CallerCore {
  readonly #parts: RequestParts;
  readonly #times: ResponseTimes;
  readonly #pauses: RetryPauses;
  readonly #timers: TimerQueue<Timer>;
  readonly #peers = new LruMap<string, OutPeer>();
  readonly #pending = new NumberMap<Pending>();
  readonly #byReference = new Map<string, Pending>();

  constructor(parts: RequestParts) {
    const { limits, random, isReliable } = parts;
    this.#parts = parts;
    this.#times = new ResponseTimes({ unknownMs: limits.softMs, pairsMax: limits.timesMax });
    this.#pauses = new RetryPauses({ limits, random, isReliable });
    this.#timers = new TimerQueue({ capacity: 3 * limits.openMax + 2 * limits.peersMax });
  }

  /** Requests that are open. */
  get openCount(): number {
    return this.#pending.size;
  }

  /** Requests that are open at one peer: a connection that carries any is not closed. */
  openAt(peer: NodeId): number {
    return this.#peers.peek(nodeIdText(peer))?.openCount ?? 0;
  }

  request(request: RequestId, order: RequestOrder, now: Instant): void {
    assert(!this.#pending.has(request), "a request id is used once");
    const { limits } = this.#parts;
    const out = this.#peerOf(order.peer, now);
    if (order.body.length > limits.bodyBytesMax) {
      this.#refuse(request, "CULVERT_TOO_LARGE");
      return;
    }
    const isFull = this.#pending.size >= limits.openMax;
    if (out === undefined || isFull || out.openCount >= limits.openPerPeerMax) {
      this.#refuse(request, "CULVERT_BUSY");
      return;
    }
    const pending = this.#open(request, order, out, now);
    this.#expireSession(out, now);
    if (out.session !== undefined) this.#sendFirst(pending, out.session, now);
    else this.#wait(pending, now);
  }

  /** The caller has turned away; the peer is told at once. */
  cancel(request: RequestId, now: Instant): void {
    const pending = this.#pending.get(request);
    if (pending !== undefined) this.#leave(pending, now, { isUrgent: true });
  }

  /** A challenge came: true when it answers our hello. */
  session(peer: NodeId, reference: Uint8Array, id: Uint8Array, now: Instant): void {
    const out = this.#peers.peek(nodeIdText(peer));
    const hello = out?.hello;
    if (out === undefined || hello === undefined || hello.referenceKey !== toHex(reference)) return;
    assert(id.length === SESSION_BYTES, "the envelope was checked");
    if (hello.copies === 1) this.#pauses.sample(out.key, now - hello.sentAt);
    this.#cancelTimer(hello.retry);
    out.hello = undefined;
    out.session = new OutSession(id.slice());
    out.usedAt = now;
    const waiting = [...out.waiting];
    out.waiting.clear();
    for (const pending of waiting) this.#sendFirst(pending, out.session, now);
  }

  reply(peer: NodeId, envelope: ReplyEnvelope, now: Instant): void {
    const { statistics } = this.#parts;
    const pending = this.#byReference.get(toHex(envelope.reference));
    if (pending?.sent === undefined) {
      statistics.lateReplies += 1;
      return;
    }
    const { out, request, type, place, sent } = pending;
    if (!isSameNode(out.peer, peer) || type !== envelope.type) {
      statistics.wrongReplies += 1;
      return;
    }
    const tookMs = now - sent.firstAt;
    this.#times.sample(place, tookMs);
    if (sent.copies === 1) this.#pauses.sample(place, tookMs);
    out.usedAt = now;
    this.#leave(pending, now, { isUrgent: false });
    const { isFailure, body } = envelope;
    this.#parts.perform({ kind: "replied", request, isFailure, body });
  }

  /** The peer does not know the session of a request of ours: it has restarted, most likely. */
  lost(peer: NodeId, reference: Uint8Array, now: Instant): void {
    const pending = this.#byReference.get(toHex(reference));
    const { session } = pending?.out ?? {};
    if (pending === undefined || session === undefined) return;
    if (!isSameNode(pending.out.peer, peer)) {
      this.#parts.statistics.wrongReplies += 1;
      return;
    }
    const { out } = pending;
    const open = [...session.open.values()];
    out.session = undefined;
    this.#cancelTimer(out.settle);
    out.settle = undefined;
    for (const other of open) {
      this.#unsend(other);
      other.losses += 1;
      if (other.isIdempotent) this.#wait(other, now);
      else this.#fail(other, "CULVERT_SESSION_LOST", now);
    }
  }

  /** A copy did not leave this machine. If none ever did, there is nothing to wait for. */
  unsent({ peer, copyOf, isBusy }: Unsent, now: Instant): void {
    const code = isBusy === true ? "CULVERT_BUSY" : "CULVERT_UNREACHABLE";
    if (copyOf.kind === "request") {
      const pending = this.#byReference.get(copyOf.referenceKey);
      if (pending?.sent === undefined) return;
      pending.sent.copiesOut -= 1;
      if (pending.sent.copiesOut <= 0) this.#fail(pending, code, now);
      return;
    }
    const out = this.#peers.peek(nodeIdText(peer));
    if (copyOf.kind !== "hello" || out?.hello?.referenceKey !== copyOf.referenceKey) return;
    out.hello.copiesOut -= 1;
    if (out.hello.copiesOut > 0) return;
    for (const pending of [...out.waiting]) this.#fail(pending, code, now);
  }

  /** Repeats soon what is open at a peer: the carrier lost what it had. */
  disturbed(peer: NodeId, now: Instant): void {
    const out = this.#peers.peek(nodeIdText(peer));
    if (out === undefined) return;
    const pauseMs = this.#pauses.soon();
    const { hello, session } = out;
    const helloAt = now + pauseMs(hello?.copies ?? 1);
    if (hello?.retry !== undefined && helloAt < hello.retry.at) this.#armHello(out, helloAt);
    for (const pending of session?.open.values() ?? []) {
      const at = now + pauseMs(pending.sent?.copies ?? 1);
      if (pending.retry === undefined || at >= pending.retry.at) continue;
      this.#cancelTimer(pending.retry);
      pending.retry = this.#timers.push(at, { kind: "retry", pending });
    }
  }

  timeout(now: Instant): void {
    for (let due = this.#timers.due(now); due !== undefined; due = this.#timers.due(now)) {
      switch (due.kind) {
        case "hard":
          this.#fail(due.pending, "CULVERT_TIMEOUT", now);
          break;
        case "soft":
          due.pending.soft = undefined;
          this.#parts.perform({ kind: "late", request: due.pending.request });
          break;
        case "retry":
          due.pending.retry = undefined;
          this.#repeat(due.pending, now);
          break;
        case "hello":
          this.#sendHello(due.out, now);
          break;
        default:
          due.out.settle = undefined;
          this.#saySettled(due.out);
      }
    }
  }

  deadline(): Instant {
    return this.#timers.deadline();
  }

  #open(request: RequestId, order: RequestOrder, out: OutPeer, now: Instant): Pending {
    const hardMs = Math.min(order.hardMs, this.#parts.limits.hardMsMax);
    const { type, meta, body, isIdempotent } = order;
    const place = `${out.key} ${type}`;
    const softMs = order.softMs ?? this.#times.softMs(place);
    // One literal: a request is too frequent to be put together from others.
    const pending: Pending = {
      request,
      peer: out.peer,
      type,
      place,
      meta,
      body,
      hardMs,
      isIdempotent,
      out,
      sent: undefined,
      hard: undefined,
      soft: undefined,
      retry: undefined,
      losses: 0,
    };
    pending.hard = this.#timers.push(now + hardMs, { kind: "hard", pending });
    if (softMs < hardMs) pending.soft = this.#timers.push(now + softMs, { kind: "soft", pending });
    this.#pending.set(request, pending);
    out.openCount += 1;
    return pending;
  }

  #refuse(request: RequestId, code: ErrorCode): void {
    this.#parts.perform({ kind: "failed", request, code });
  }

  #fail(pending: Pending, code: ErrorCode, now: Instant): void {
    this.#leave(pending, now, { isUrgent: true });
    this.#parts.perform({ kind: "failed", request: pending.request, code });
  }

  /** Frees everything that a request holds, and has the peer told that it is settled. */
  #leave(pending: Pending, now: Instant, { isUrgent }: { isUrgent: boolean }): void {
    const { out, sent } = pending;
    this.#cancelTimer(pending.hard);
    this.#cancelTimer(pending.soft);
    this.#pending.delete(pending.request);
    out.waiting.delete(pending);
    out.openCount -= 1;
    if (out.waiting.size === 0 && out.hello !== undefined) {
      this.#cancelTimer(out.hello.retry);
      out.hello = undefined;
    }
    this.#unsend(pending);
    if (sent === undefined || out.session === undefined) return;
    out.session.settle(sent.number);
    if (isUrgent || out.session.isUnsaidFull) this.#saySettled(out);
    else if (out.settle === undefined) {
      const at = now + this.#parts.limits.settleMs;
      out.settle = this.#timers.push(at, { kind: "settle", out });
    }
  }

  /** Takes away a request's place in its session. */
  #unsend(pending: Pending): void {
    this.#cancelTimer(pending.retry);
    pending.retry = undefined;
    if (pending.sent !== undefined) this.#byReference.delete(pending.sent.referenceKey);
    pending.sent = undefined;
  }

  #saySettled(out: OutPeer): void {
    const said = out.session?.sayAll();
    if (out.session === undefined || said === undefined) return;
    const nonce = this.#parts.random.bytes(NONCE_BYTES);
    const bytes = encodeEnvelope({ kind: "settled", nonce, session: out.session.id, ...said });
    this.#parts.perform({ kind: "send", peer: out.peer, bytes, copyOf: { kind: "other" } });
  }

  #sendFirst(pending: Pending, session: OutSession, now: Instant): void {
    const { number, floor } = session.enter(pending);
    const nonce = this.#parts.random.bytes(NONCE_BYTES);
    const bytes = encodeRequest(pending, session, { nonce, number, floor });
    const referenceKey = toHex(referenceOf(bytes));
    const counts = { firstAt: now, copies: 0, copiesOut: 0 };
    const sent = { number, nonce, floor, referenceKey, ...counts };
    pending.sent = sent;
    this.#byReference.set(referenceKey, pending);
    this.#send(pending, sent, bytes, now);
  }

  #repeat(pending: Pending, now: Instant): void {
    const { sent, out } = pending;
    if (sent === undefined || out.session === undefined) return;
    this.#parts.statistics.repeated += 1;
    this.#send(pending, sent, encodeRequest(pending, out.session, sent), now);
  }

  #send(pending: Pending, sent: SentRequest, bytes: Uint8Array, now: Instant): void {
    const { request, out, place, hardMs } = pending;
    sent.copies += 1;
    sent.copiesOut += 1;
    out.usedAt = now;
    const pauseMs = this.#pauses.after(sent.copies, { place, hardMs });
    pending.retry = this.#timers.push(now + pauseMs, { kind: "retry", pending });
    const copyOf: CopyOf = { kind: "request", request, referenceKey: sent.referenceKey };
    this.#parts.perform({ kind: "send", peer: out.peer, bytes, copyOf });
  }

  #wait(pending: Pending, now: Instant): void {
    const { out } = pending;
    out.waiting.add(pending);
    if (out.hello !== undefined) return;
    const nonce = this.#parts.random.bytes(NONCE_BYTES);
    const referenceKey = toHex(referenceOf(encodeEnvelope({ kind: "hello", nonce })));
    const counts = { copies: 0, copiesOut: 0, retry: undefined };
    out.hello = { nonce, referenceKey, sentAt: now, ...counts };
    // None that waits was lost more often: it was the first to enter the session, too.
    const pauseMs = this.#pauses.afterLosses(pending.losses, pending.hardMs);
    if (pauseMs > 0) this.#armHello(out, now + pauseMs);
    else this.#sendHello(out, now);
  }

  #sendHello(out: OutPeer, now: Instant): void {
    const { hello } = out;
    if (hello === undefined) return;
    if (hello.copies > 0) this.#parts.statistics.repeated += 1;
    else hello.sentAt = now;
    hello.copies += 1;
    hello.copiesOut += 1;
    let { hardMs } = this.#parts.limits;
    for (const pending of out.waiting) hardMs = Math.min(hardMs, pending.hardMs);
    const place = { place: out.key, hardMs };
    this.#armHello(out, now + this.#pauses.after(hello.copies, place));
    const copyOf: CopyOf = { kind: "hello", referenceKey: hello.referenceKey };
    const bytes = encodeEnvelope({ kind: "hello", nonce: hello.nonce });
    this.#parts.perform({ kind: "send", peer: out.peer, bytes, copyOf });
  }

  #armHello(out: OutPeer, at: Instant): void {
    if (out.hello === undefined) return;
    this.#cancelTimer(out.hello.retry);
    out.hello.retry = this.#timers.push(at, { kind: "hello", out });
  }

  #expireSession(out: OutPeer, now: Instant): void {
    const idleMs = now - out.usedAt;
    if (out.session === undefined || idleMs <= this.#parts.limits.sessionIdleMs) return;
    if (out.session.open.size === 0) out.session = undefined;
  }

  #peerOf(peer: NodeId, now: Instant): OutPeer | undefined {
    const key = nodeIdText(peer);
    const known = this.#peers.get(key);
    if (known !== undefined) return known;
    if (this.#peers.size >= this.#parts.limits.peersMax && !this.#forgetOne()) return undefined;
    const fresh: OutPeer = {
      ...{ peer: peer.slice(), key, session: undefined, hello: undefined, settle: undefined },
      ...{ waiting: new Set<Pending>(), openCount: 0, usedAt: now },
    };
    this.#peers.set(key, fresh);
    return fresh;
  }

  /** Forgets the peer that was quiet for longest and has nothing open. */
  #forgetOne(): boolean {
    for (const out of this.#peers.values()) {
      if (out.openCount > 0) continue;
      this.#cancelTimer(out.settle);
      this.#peers.delete(out.key);
      return true;
    }
    return false;
  }

  #cancelTimer(timer: TimerHandle | undefined): void {
    if (timer !== undefined) this.#timers.cancel(timer);
  }
}
