import { SeededRandom } from "../../src/base/index.ts";
import { resolveRequestLimits } from "../../src/rpc/limits.ts";
import {
  decodeEnvelope,
  type Envelope,
  encodeEnvelope,
  referenceOf,
} from "../../src/rpc/message/envelope.ts";
import type { CopyOf, RequestInput } from "../../src/rpc/request/protocol.ts";
import { RequestCore } from "../../src/rpc/request/request-core.ts";
import { effectsOf } from "../effects-of.ts";
import { changed } from "./fuzz.ts";

const LIMITS = resolveRequestLimits({
  bodyBytesMax: 600,
  openMax: 12,
  openPerPeerMax: 6,
  runningMax: 4,
  runningPerPeerMax: 2,
  repliesPerPeerMax: 6,
  repliesMax: 12,
  replyBytesMax: 3_000,
  peersMax: 3,
  timesMax: 4,
});
const PEERS = Array.from({ length: 5 }, (_, at) => new Uint8Array(32).fill(at + 1));
const NOTHING = new Uint8Array(0);

/** What the peers of the core have heard last, so that they can answer it. */
interface Heard {
  readonly peer: Uint8Array;
  readonly bytes: Uint8Array;
  readonly envelope: Envelope;
}

/** Requests of a node that lives through the whole run, among peers that say anything. */
export class RequestLife {
  readonly #random = new SeededRandom(39);
  readonly #core = new RequestCore({ limits: LIMITS, random: this.#random, isReliable: false });
  readonly #open = new Set<number>();
  readonly #running = new Set<number>();
  /** Sessions that peers were given. */
  readonly #sessions = new Map<Uint8Array, Uint8Array>();
  #heard: Heard[] = [];
  /** The last copy that may turn out not to have left. */
  #sent: { readonly peer: Uint8Array; readonly copyOf: CopyOf } | undefined;
  /** What was said to the core last: it may come twice. */
  #said: RequestInput = { kind: "disturbed", peer: NOTHING };
  #now = 0;
  #request = 0;
  #number = 0;

  next(bytes: Uint8Array, dice: SeededRandom): void {
    this.#now += dice.below(500);
    if (this.#core.deadline() <= this.#now) this.#core.timeout(this.#now);
    this.#drain();
    this.#core.handle(this.#happens(bytes, dice), this.#now);
    this.#drain();
    const { openCount, runningCount } = this.#core;
    if (openCount !== this.#open.size) throw new Error("a request has no end, or two");
    if (runningCount !== this.#running.size || runningCount > 4 || openCount > 12) {
      throw new Error("more than its limits say");
    }
    if (dice.below(2_000) === 0) this.#expectNothingOpen();
  }

  #happens(bytes: Uint8Array, dice: SeededRandom): RequestInput {
    const peer = PEERS[dice.below(PEERS.length)] ?? NOTHING;
    const kind = dice.below(24);
    if (kind < 4) {
      this.#request += 1;
      this.#open.add(this.#request);
      const order = { type: "test.ask", meta: NOTHING, body: dice.bytes(dice.below(700)) };
      const life = { hardMs: 1_000 + dice.below(60_000), isIdempotent: dice.below(2) === 0 };
      return { kind: "request", request: this.#request, peer, ...order, ...life };
    }
    if (kind === 4) {
      const request = this.#request - dice.below(6);
      this.#open.delete(request);
      return { kind: "cancel", request };
    }
    if (kind === 5) return { kind: "disturbed", peer };
    if (kind === 6 && this.#sent !== undefined) return { kind: "unsent", ...this.#sent };
    if (kind < 10) {
      const call = [...this.#running][dice.below(this.#running.size)] ?? 0;
      this.#running.delete(call);
      const body = dice.bytes(dice.below(700));
      return { kind: "answer", call, isFailure: dice.below(2) === 0, body };
    }
    if (kind === 10) return this.#said;
    if (kind < 13) return { kind: "receive", peer, bytes: bytes.slice() };
    const heard = this.#heard[dice.below(this.#heard.length)];
    const envelope = (kind < 19 && heard && answerTo(heard, dice)) || this.#asks(peer, dice);
    const said = encodeEnvelope(envelope).slice();
    const isChanged = dice.below(6) === 0;
    const from = kind < 19 && heard !== undefined && dice.below(8) > 0 ? heard.peer : peer;
    this.#said = { kind: "receive", peer: from, bytes: isChanged ? changed(dice, said) : said };
    return this.#said;
  }

  /** What a peer may begin with: a hello, then requests, over again or done with. */
  #asks(peer: Uint8Array, dice: SeededRandom): Envelope {
    const nonce = dice.bytes(32);
    const session = this.#sessions.get(peer);
    if (session === undefined || dice.below(16) === 0) return { kind: "hello", nonce };
    const floor = Math.max(0, this.#number - dice.below(12));
    if (dice.below(4) === 0)
      return { kind: "settled", nonce, session, floor, numbers: [floor + 1] };
    this.#number += dice.below(3);
    const number = Math.max(1, this.#number - dice.below(4));
    const what = { type: "test.ask", meta: NOTHING, body: dice.bytes(dice.below(40)) };
    const times = { number, floor: Math.min(floor, number), hardMs: dice.below(9_000) };
    return { kind: "request", nonce, session, ...times, ...what };
  }

  #drain(): void {
    for (const effect of effectsOf(this.#core)) {
      if (effect.kind === "replied" || effect.kind === "failed") {
        if (!this.#open.delete(effect.request)) throw new Error("the end of no request");
      } else if (effect.kind === "run") this.#running.add(effect.call);
      else if (effect.kind === "cutOff") this.#running.delete(effect.call);
      else if (effect.kind === "send") {
        const { peer, copyOf, bytes } = effect;
        if (copyOf.kind !== "other") this.#sent = { peer, copyOf };
        this.#hear(peer, bytes.slice());
      }
    }
  }

  #hear(to: Uint8Array, bytes: Uint8Array): void {
    const peer = PEERS.find((one) => one[0] === to[0]) ?? to;
    const envelope = decodeEnvelope(bytes, LIMITS.bodyBytesMax + 400);
    this.#heard = [{ peer, bytes, envelope }, ...this.#heard].slice(0, 12);
    if (envelope.kind === "session") this.#sessions.set(peer, envelope.session);
    if (envelope.kind === "lost") this.#sessions.delete(peer);
  }

  #expectNothingOpen(): void {
    const core = this.#core;
    for (let at = core.deadline(); at < Number.POSITIVE_INFINITY; at = core.deadline()) {
      this.#now = Math.max(this.#now, at);
      core.timeout(this.#now);
      this.#drain();
    }

    if (core.openCount + this.#open.size > 0) throw new Error("a request is left");
  }
}

/** What a peer says to what it has heard. */
function answerTo({ bytes, envelope }: Heard, dice: SeededRandom): Envelope | undefined {
  const nonce = dice.bytes(32);
  const reference = referenceOf(bytes);
  if (envelope.kind === "hello") {
    return { kind: "session", nonce, reference, session: dice.bytes(16) };
  }
  if (envelope.kind !== "request") return undefined;
  if (dice.below(6) === 0) return { kind: "lost", nonce, reference };
  const body = dice.bytes(dice.below(30));
  const { type } = envelope;
  return { kind: "reply", nonce, reference, type, isFailure: dice.below(2) === 0, body };
}
