import {
  type ErrorCode,
  equalBytes,
  type Instant,
  LruMap,
  NumberMap,
  toHex,
} from "../../base/index.ts";
import { type NodeId, nodeIdText } from "../../identity/index.ts";
import { FairPlaces, TimerQueue } from "../../retx/index.ts";
import {
  encodeEnvelope,
  NONCE_BYTES,
  type ReplyEnvelope,
  type RequestEnvelope,
  referenceOf,
  SESSION_BYTES,
  type SettledEnvelope,
} from "../message/envelope.ts";
import { encodeFailure } from "./failure.ts";
import { type Entry, InSession, type Run } from "./in-session.ts";
import type { AbortReason, Answer, CallId, RequestParts } from "./protocol.ts";

interface InPeer {
  readonly peer: NodeId;
  readonly key: string;
  /** The session that the last hello was offered; it begins with its first request. */
  offered: { readonly helloKey: string; readonly id: Uint8Array } | undefined;
  session: InSession | undefined;
  /** Handlers that run for it. */
  running: number;
}

type Timer =
  | { readonly kind: "deadline" | "cutOff"; readonly run: Run }
  | { readonly kind: "forget"; readonly session: InSession; readonly entry: Entry };

/**
 * The answering half of a request core: at most one run of a handler for each request.
 *
 * A request counts only inside a session, whose challenge is fresh from this process: what was
 * recorded before a restart, or under another session, is answered with `lost` and not looked at.
 * Inside, each number is used once. Its reply is kept and sent again to every further copy, until
 * the caller says that it is settled, its life is over, or others need the room of the one who has
 * most; the number itself stays used.
 */
export class ResponderCore {
  readonly #parts: RequestParts;
  readonly #timers: TimerQueue<Timer>;
  readonly #peers = new LruMap<string, InPeer>();
  readonly #runs = new NumberMap<Run>();
  /** By the peers that they run for: ids cost nothing, and some handlers wait for long. */
  readonly #places: FairPlaces<Run>;
  #nextCall: CallId = 1;
  #replies = 0;
  #replyBytes = 0;
  #isDraining = false;

  constructor(parts: RequestParts) {
    const { limits } = parts;
    this.#parts = parts;
    this.#timers = new TimerQueue({ capacity: 2 * limits.runningMax + limits.repliesMax });
    this.#places = new FairPlaces(limits.runningMax, (run) => this.#displace(run));
  }

  /** Handlers that run and count. */
  get runningCount(): number {
    return this.#runs.size;
  }

  /** Handlers that run for one peer. */
  runningFor(peer: NodeId): number {
    return this.#peers.peek(nodeIdText(peer))?.running ?? 0;
  }

  drain(): void {
    this.#isDraining = true;
  }

  hello(peer: NodeId, bytes: Uint8Array): void {
    const known = this.#peerOf(peer);
    if (known === undefined) return;
    const reference = referenceOf(bytes);
    const helloKey = toHex(reference);
    if (known.offered?.helloKey !== helloKey) {
      known.offered = { helloKey, id: this.#parts.random.bytes(SESSION_BYTES) };
    }
    const nonce = this.#parts.random.bytes(NONCE_BYTES);
    this.#send(
      peer,
      encodeEnvelope({ kind: "session", nonce, reference, session: known.offered.id }),
    );
  }

  request(peer: NodeId, envelope: RequestEnvelope, bytes: Uint8Array, now: Instant): void {
    const { statistics } = this.#parts;
    const known = this.#peers.peek(nodeIdText(peer));
    const session = known && this.#sessionOf(known, envelope.session, now);
    const reference = referenceOf(bytes);
    if (known === undefined || session === undefined) {
      statistics.strangers += 1;
      const nonce = this.#parts.random.bytes(NONCE_BYTES);
      this.#send(peer, encodeEnvelope({ kind: "lost", nonce, reference }));
      return;
    }
    this.#peers.get(known.key); // The quietest are forgotten first.
    this.#settleBelow(session, envelope.floor, now);
    const entry = session.entry(envelope.number);
    if (entry !== undefined) this.#repeat(known, entry, reference);
    else if (session.isUsed(envelope.number)) statistics.replays += 1;
    else this.#admit(known, session, { envelope, reference }, now);
  }

  settled(peer: NodeId, envelope: SettledEnvelope, now: Instant): void {
    const session = this.#peers.peek(nodeIdText(peer))?.session;
    if (session?.isNamed(envelope.session) !== true) return;
    this.#settleBelow(session, envelope.floor, now);
    for (const number of envelope.numbers) {
      const entry = session.entry(number);
      if (entry !== undefined) this.#settle(session, entry, now);
    }
  }

  /** A handler's answer; nothing if nobody waits for it any more. */
  answer(call: CallId, answer: Answer): void {
    const run = this.#runs.get(call);
    if (run === undefined) return;
    this.#endRun(run);
    if (run.entry !== undefined) this.#keepReply(run, run.entry, answer);
  }

  timeout(now: Instant): void {
    for (let due = this.#timers.due(now); due !== undefined; due = this.#timers.due(now)) {
      if (due.kind === "forget") this.#forget(due.session, due.entry);
      else if (due.kind === "deadline") this.#abort(due.run, "deadline", now);
      else this.#cutOff(due.run);
    }
  }

  deadline(): Instant {
    return this.#timers.deadline();
  }

  #sessionOf(known: InPeer, id: Uint8Array, now: Instant): InSession | undefined {
    if (known.session?.isNamed(id) === true) return known.session;
    const { offered } = known;
    if (offered === undefined || !equalBytes(offered.id, id)) return undefined;
    // Only who got our answer to its last hello can name it: the peer has begun anew.
    if (known.session !== undefined) this.#endSession(known.session, now);
    known.session = new InSession(offered.id);
    known.offered = undefined;
    return known.session;
  }

  #endSession(session: InSession, now: Instant): void {
    for (const entry of [...session.entries]) this.#settle(session, entry, now);
  }

  #repeat(known: InPeer, entry: Entry, reference: Uint8Array): void {
    const { statistics } = this.#parts;
    if (!equalBytes(entry.reference, reference)) {
      statistics.malformed += 1;
      return;
    }
    statistics.duplicates += 1;
    if (entry.reply === undefined) return;
    statistics.repeated += 1;
    this.#send(known.peer, encodeEnvelope(entry.reply));
  }

  #admit(
    known: InPeer,
    session: InSession,
    asked: { envelope: RequestEnvelope; reference: Uint8Array },
    now: Instant,
  ): void {
    const { limits, statistics } = this.#parts;
    const { envelope, reference } = asked;
    const repliesMax = limits.repliesPerPeerMax;
    const isFull = this.#replies >= limits.repliesMax;
    if (!session.hasRoom(repliesMax) || (isFull && !this.#giveUpOne("replies", session))) {
      statistics.refused += 1; // Nothing is known to have happened: a later copy may find room.
      return;
    }
    const lifeMs = Math.min(envelope.hardMs, limits.hardMsMax);
    const entry: Entry = { number: envelope.number, reference, type: envelope.type };
    session.enter(entry);
    this.#replies += 1;
    const run: Run = { call: this.#nextCall, key: known.key, peer: known.peer, session, entry };
    this.#nextCall += 1;
    entry.forgetAt = now + lifeMs;
    entry.run = run;
    const refusal = this.#refusal(known, run);
    if (refusal !== undefined) {
      statistics.refused += 1;
      this.#keepReply(run, entry, { isFailure: true, body: encodeFailure({ code: refusal }) });
      return;
    }
    this.#start(known, run, { envelope, deadlineAt: now + lifeMs });
  }

  #start(
    known: InPeer,
    run: Run,
    { envelope, deadlineAt }: { envelope: RequestEnvelope; deadlineAt: Instant },
  ): void {
    this.#parts.statistics.run += 1;
    known.running += 1;
    this.#runs.set(run.call, run);
    run.timer = this.#timers.push(deadlineAt, { kind: "deadline", run });
    const { type, meta, body } = envelope;
    const { call, peer } = run;
    this.#parts.perform({ kind: "run", call, peer, type, meta, body, deadlineAt });
  }

  /** Why a handler cannot run; where it can, it has its place. */
  #refusal(known: InPeer, run: Run): ErrorCode | undefined {
    const { session } = run;
    const { limits } = this.#parts;
    if (this.#isDraining) return "CULVERT_CLOSED";
    const isFull =
      known.running >= limits.runningPerPeerMax ||
      session.replyBytes >= limits.replyBytesPerPeerMax ||
      !this.#makeRoomForBytes(session) ||
      !this.#places.take(known.key, run);
    return isFull ? "CULVERT_BUSY" : undefined;
  }

  #makeRoomForBytes(session: InSession): boolean {
    while (this.#replyBytes >= this.#parts.limits.replyBytesMax) {
      if (!this.#giveUpOne("replyBytes", session)) return false;
    }
    return true;
  }

  /**
   * Forgets the oldest reply of whoever has most of them kept: ids cost nothing, and some that
   * acknowledge nothing must not be in the way of all. False when that is who asks.
   */
  #giveUpOne(measure: "replies" | "replyBytes", asking?: InSession): boolean {
    let heaviest = asking;
    for (const { session } of this.#peers.values()) {
      if (session !== undefined && session[measure] > (heaviest?.[measure] ?? 0)) {
        heaviest = session;
      }
    }
    if (heaviest === undefined || heaviest === asking) return false;
    for (const entry of heaviest.entries) {
      if (entry.reply === undefined) continue;
      this.#forget(heaviest, entry);
      return true;
    }
    return false;
  }

  #keepReply(run: Run, entry: Entry, { isFailure, body }: Answer): void {
    const nonce = this.#parts.random.bytes(NONCE_BYTES);
    const { reference, type } = entry;
    entry.run = undefined;
    entry.reply = { kind: "reply", nonce, reference, type, isFailure, body };
    const { session } = run;
    const keptBytes = bytesOf(entry.reply);
    session.replies += 1;
    session.replyBytes += keptBytes;
    this.#replyBytes += keptBytes;
    const at = entry.forgetAt ?? 0;
    entry.forget = this.#timers.push(at, { kind: "forget", session, entry });
    this.#send(run.peer, encodeEnvelope(entry.reply));
    // Handlers that were let run when there was room may all answer at once.
    while (this.#replyBytes > this.#parts.limits.replyBytesMax) {
      if (!this.#giveUpOne("replyBytes")) break;
    }
  }

  #settleBelow(session: InSession, floor: number, now: Instant): void {
    for (const entry of session.takeBelow(floor)) this.#settle(session, entry, now);
  }

  /** The caller is done with it: the reply is forgotten, a handler that runs is stopped. */
  #settle(session: InSession, entry: Entry, now: Instant): void {
    const { run } = entry;
    this.#forget(session, entry);
    if (run !== undefined) this.#abort(run, "cancelled", now);
  }

  #forget(session: InSession, entry: Entry): void {
    if (!session.remove(entry)) return;
    if (entry.forget !== undefined) this.#timers.cancel(entry.forget);
    if (entry.run !== undefined) entry.run.entry = undefined;
    this.#replies -= 1;
    if (entry.reply === undefined) return;
    const keptBytes = bytesOf(entry.reply);
    session.replies -= 1;
    session.replyBytes -= keptBytes;
    this.#replyBytes -= keptBytes;
  }

  #abort(run: Run, reason: AbortReason, now: Instant): void {
    if (run.timer !== undefined) this.#timers.cancel(run.timer);
    const at = now + this.#parts.limits.cutOffMs;
    run.timer = this.#timers.push(at, { kind: "cutOff", run });
    this.#parts.perform({ kind: "abort", call: run.call, reason });
  }

  #cutOff(run: Run): void {
    this.#parts.statistics.cutOff += 1;
    this.#stop(run);
  }

  /** Its place is somebody else's. Its caller is not told `busy`: the handler has begun. */
  #displace(run: Run): void {
    this.#parts.statistics.displaced += 1;
    this.#parts.perform({ kind: "abort", call: run.call, reason: "displaced" });
    this.#stop(run);
  }

  #stop(run: Run): void {
    this.#endRun(run);
    if (run.entry !== undefined) {
      const body = encodeFailure({ code: "CULVERT_TIMEOUT" });
      this.#keepReply(run, run.entry, { isFailure: true, body });
    }
    this.#parts.perform({ kind: "cutOff", call: run.call });
  }

  #endRun(run: Run): void {
    if (run.timer !== undefined) this.#timers.cancel(run.timer);
    run.timer = undefined;
    this.#runs.delete(run.call);
    this.#places.leave(run.key, run);
    const known = this.#peers.peek(run.key);
    if (known !== undefined) known.running -= 1;
  }

  #peerOf(peer: NodeId): InPeer | undefined {
    const key = nodeIdText(peer);
    const known = this.#peers.peek(key);
    if (known !== undefined) return known;
    if (this.#peers.size >= this.#parts.limits.peersMax && !this.#forgetPeer()) return undefined;
    const fresh = { peer: peer.slice(), key, offered: undefined, session: undefined, running: 0 };
    this.#peers.set(key, fresh);
    return fresh;
  }

  /** Forgets the quietest peer that no handler runs for; its session dies with its window. */
  #forgetPeer(): boolean {
    for (const known of this.#peers.values()) {
      if (known.running > 0) continue;
      this.#peers.delete(known.key);
      for (const entry of known.session?.entries ?? []) {
        if (known.session !== undefined) this.#forget(known.session, entry);
      }
      return true;
    }
    return false;
  }

  #send(peer: NodeId, bytes: Uint8Array): void {
    this.#parts.perform({ kind: "send", peer, bytes, copyOf: { kind: "other" } });
  }
}

/** What a reply counts for while it is kept; each copy of it is written anew. */
function bytesOf({ nonce, reference, type, body }: ReplyEnvelope): number {
  return nonce.length + reference.length + type.length + body.length;
}
