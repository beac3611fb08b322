import { concatBytes, type SeededRandom } from "../../src/base/index.ts";
import { Reader } from "../../src/codec/index.ts";
import { LinkCore } from "../../src/link/host/link-core.ts";
import type { LinkEffect, LinkInput } from "../../src/link/host/protocol.ts";
import { resolveLinkLimits } from "../../src/link/index.ts";
import { encodeControl } from "../../src/link/mux/link-records.ts";
import { MuxCore } from "../../src/link/mux/mux-core.ts";
import { encodeControlFrame, encodeDataHead, readFrame } from "../../src/link/mux/mux-frames.ts";
import type { MuxEffect, MuxInput } from "../../src/link/mux/mux-protocol.ts";
import { creditCost } from "../../src/link/mux/mux-stream.ts";

const LIMITS = resolveLinkLimits({
  streamsInMax: 6,
  streamsOutMax: 6,
  openingsWaitingMax: 4,
  streamWindowBytes: 2_048,
  streamWindowBytesMax: 8_192,
  linkWindowBytesMax: 16_384,
  unackedBytesMax: 32_768,
});
const PEER = { streams: 6, streamWindow: 2_048 };
/** Every stream with its first window, and what all of them may grow to. */
const UNREAD_BYTES_MAX = 12 * LIMITS.streamWindowBytes + LIMITS.linkWindowBytesMax;

/** Numbered records begin with the type of a frame, which is less. */
const CONTROL_FIRST = 0x40;
/** The numbers of a few streams. */
const IDS = 10;
/** A peer that knows the protocol breaks it so seldom: a link would end before it has begun. */
const BROKEN_ONE_IN = 64;

/** The other end of the streams: it says what it may, mostly. */
class Peer {
  /** What it may still say on each stream, and what may still come. */
  readonly #credits = new Map<number, number>();
  readonly #granted = new Map<number, number>();
  /** Streams that it has ended, and those that either end has. */
  readonly #ended = new Set<number>();
  readonly #halves = new Set<number>();
  #newest = -1;
  #own = 0;

  /** A stream is there, whoever opened it. */
  met(id: number): void {
    this.#credits.set(id, LIMITS.streamWindowBytes);
    this.#granted.set(id, LIMITS.streamWindowBytes);
  }

  /** Hears a record of streams. */
  heard(record: Uint8Array): void {
    const reader = new Reader(record);
    while (reader.remaining > 0) {
      const frame = readFrame(reader);
      const { id } = frame;
      if (frame.kind === "credit") this.#grant(id, frame.amount);
      else if (frame.kind === "end") this.#halfOver(id);
      else if (frame.kind === "reset") this.#lost(id);
    }
  }

  /** Data of its own has come, on a stream that may have been reset behind it. */
  delivered(id: number, credit: number): void {
    const left = (this.#granted.get(id) ?? 0) - credit;
    if (left < 0) throw new Error("data without credit");
    this.#granted.set(id, left);
  }

  says(dice: SeededRandom): Uint8Array {
    if (dice.below(BROKEN_ONE_IN) === 0) return this.#frame(dice, dice.below(IDS), true);
    const ids = [...this.#credits.keys()].filter((id) => !this.#ended.has(id));
    const id = ids[dice.below(ids.length + 1)];
    if (id !== undefined) return this.#frame(dice, id, false);
    if (this.#own >= LIMITS.streamsInMax) return this.#frame(dice, dice.below(IDS), true);
    this.#newest += 2;
    this.#own += 1;
    const [protocol, priority] = ["p", "normal"] as const;
    return encodeControlFrame({ kind: "open", id: this.#newest, protocol, priority });
  }

  #frame(dice: SeededRandom, id: number, mayLie: boolean): Uint8Array {
    const kind = dice.below(24);
    if (kind === 0) {
      this.#ended.add(id);
      this.#halfOver(id);
      return encodeControlFrame({ kind: "end", id });
    }
    if (kind === 1) {
      this.#lost(id);
      return encodeControlFrame({ kind: "reset", id, code: dice.below(9) });
    }
    if (kind < 8) return encodeControlFrame({ kind: "credit", id, amount: dice.below(3_000) });
    const length = 1 + dice.below(mayLie ? 4_000 : 600);
    if (kind < 12 || (creditCost(length) > this.#credit(id) && !mayLie)) {
      return encodeControlFrame({ kind: "blocked", id });
    }
    if (this.#credits.has(id)) this.#credits.set(id, this.#credit(id) - creditCost(length));
    return concatBytes(encodeDataHead(id, length), dice.bytes(length));
  }

  #grant(id: number, amount: number): void {
    if (this.#credits.has(id)) this.#credits.set(id, this.#credit(id) + amount);
    this.#granted.set(id, (this.#granted.get(id) ?? 0) + amount);
  }

  #credit(id: number): number {
    return this.#credits.get(id) ?? 0;
  }

  #halfOver(id: number): void {
    if (this.#halves.has(id)) this.#lost(id);
    else this.#halves.add(id);
  }

  #lost(id: number): void {
    if (this.#credits.delete(id) && id % 2 === 1) this.#own -= 1;
  }
}

/** What the owner of streams does with them: anything that its contract allows. */
class Owner {
  readonly #unread = new Map<number, number>();
  /** Streams that may be written to. */
  readonly #writable = new Set<number>();
  readonly #peer: Peer;
  #ticket = 0;

  constructor(peer: Peer) {
    this.#peer = peer;
  }

  /** Takes what happened to streams, and leaves what is not about one. */
  take(effect: MuxEffect | LinkEffect): void {
    switch (effect.kind) {
      case "opened":
      case "accept":
        if (this.#unread.has(effect.id)) throw new Error("a stream opened twice");
        this.#unread.set(effect.id, 0);
        this.#writable.add(effect.id);
        this.#peer.met(effect.id);
        break;
      case "written":
        this.#writable.add(effect.id);
        break;
      case "data": {
        const unread = this.#unread.get(effect.id);
        if (unread === undefined) throw new Error("data of no stream");
        const credit = creditCost(effect.bytes.length);
        this.#peer.delivered(effect.id, credit);
        this.#unread.set(effect.id, unread + credit);
        break;
      }
      case "reset":
        this.#forget(effect.id);
        break;
    }
  }

  /** Something that it wants of its streams. */
  wish(dice: SeededRandom): MuxInput & LinkInput {
    const ids = [...this.#unread.keys()];
    const id = ids[dice.below(ids.length)] ?? 0;
    const kind = dice.below(32);
    const isWritable = this.#writable.has(id);
    if (kind < 8 && isWritable) {
      this.#writable.delete(id);
      const chunks = [dice.bytes(dice.below(50)), dice.bytes(dice.below(4_000))];
      return { kind: "write", id, chunks };
    }
    if (kind === 8 && isWritable) {
      this.#writable.delete(id);
      return { kind: "end", id };
    }
    if (kind === 9) {
      this.#forget(id);
      return { kind: "reset", id, code: 1 };
    }
    if (kind === 10) return { kind: "cancel-open", ticket: this.#ticket - dice.below(4) };
    if (kind < 16) {
      this.#ticket += 1;
      return { kind: "open", ticket: this.#ticket, protocol: "p", priority: "normal" };
    }
    const unread = this.#unread.get(id) ?? 0;
    const credit = dice.below(unread + 1);
    if (unread > 0) this.#unread.set(id, unread - credit);
    return { kind: "consumed", id, credit };
  }

  expectBounded(streams: number): void {
    let bytes = 0;
    for (const unread of this.#unread.values()) bytes += unread;
    if (streams > 12 || bytes > UNREAD_BYTES_MAX) throw new Error("more than its limits say");
  }

  #forget(id: number): void {
    this.#unread.delete(id);
    this.#writable.delete(id);
  }
}

/** Streams that live until a frame is wrong; then others begin. */
export class MuxLife {
  #mux = new MuxCore({ limits: LIMITS, isInitiator: true, peer: PEER });
  #peer = new Peer();
  #owner = new Owner(this.#peer);

  next(bytes: Uint8Array, dice: SeededRandom): void {
    const isKnowing = dice.below(64) > 0;
    const payload = isKnowing ? this.#peer.says(dice) : bytes.slice();
    this.#mux.handle({ kind: "receive", payload }, 0);
    if (this.#drain()) return;
    this.#mux.handle(this.#owner.wish(dice), 0);
    if (this.#drain()) return;
    const bytesMax = 200 + dice.below(3_000);
    const record = dice.below(2) === 0 ? this.#mux.fill(bytesMax) : undefined;
    if (record !== undefined && record.length > bytesMax) throw new Error("a record is too long");
    this.#peer.heard(record ?? new Uint8Array(0));
    if (this.#drain()) return;
    this.#owner.expectBounded(this.#mux.streamCount);
  }

  /** Takes all effects; true when it was the end. */
  #drain(): boolean {
    let isOver = false;
    for (let effect = this.#mux.poll(); effect !== undefined; effect = this.#mux.poll()) {
      if (isOver) throw new Error("something after the end");
      if (effect.kind !== "fail") this.#owner.take(effect);
      else if (effect.error.code === "CULVERT_PROTOCOL") isOver = true;
      else throw effect.error;
    }
    if (!isOver) return false;
    this.#mux = new MuxCore({ limits: LIMITS, isInitiator: true, peer: PEER });
    this.#peer = new Peer();
    this.#owner = new Owner(this.#peer);
    return true;
  }
}

/** A link that lives until its peer goes too far; then another one begins. */
export class LinkLife {
  #now = 0;
  #core = this.#begin();
  #peer = new Peer();
  #owner = new Owner(this.#peer);
  /** Numbered records of the peer, and the number of the next one that it sends over this path. */
  #said: Uint8Array[] = [];
  #saidNext = 0;
  /** Numbered records that the link has sent, and the number of the next one over its path. */
  #sent = 0;
  #next = 0;

  next(bytes: Uint8Array, dice: SeededRandom): void {
    this.#now += dice.below(300);
    if (this.#core.deadline() <= this.#now) this.#core.timeout(this.#now);
    if (this.#drain()) return;
    const input = this.#happens(bytes, dice);
    if (input.kind === "path") {
      this.#next = input.peerReceived;
      this.#saidNext = input.receivedTold;
    }
    this.#core.handle(input, this.#now);
    if (this.#drain()) return;
    if (dice.below(2) === 0) this.#core.handle(this.#owner.wish(dice), this.#now);
    if (this.#drain()) return;
    this.#owner.expectBounded(this.#core.streamCount);
  }

  #happens(bytes: Uint8Array, dice: SeededRandom): LinkInput {
    const known = this.#core.received;
    switch (dice.below(48)) {
      case 0:
        return { kind: "path-lost" };
      case 1:
        return { kind: "path", peerReceived: this.#near(dice), receivedTold: known };
      case 2:
        return {
          kind: "path",
          peerReceived: this.#near(dice),
          receivedTold: dice.below(known + 1),
        };
      case 3:
        return { kind: "partial" };
      case 4:
        return { kind: "loose", payload: bytes.slice() };
      case 5: {
        const number = Math.min(Math.max(0, known + dice.below(6) - 2), this.#said.length);
        const payload = this.#record(number, dice);
        return { kind: "loose", payload: encodeControl({ kind: "copy", number, payload }) };
      }
      case 6:
      case 7:
      case 8:
        return { kind: "message", payload: encodeControl({ kind: "ack", received: this.#sent }) };
      case 9:
        if (dice.below(2) === 0) return { kind: "close", isGraceful: dice.below(8) > 0 };
        if ((bytes[0] ?? 0xff) < CONTROL_FIRST) this.#said[this.#saidNext++] = bytes.slice();
        return { kind: "message", payload: bytes.slice() };
      case 10:
      case 11:
      case 12:
      case 13:
        return { kind: "room", bytes: dice.below(20_000) };
      default:
        this.#saidNext += 1;
        return { kind: "message", payload: this.#record(this.#saidNext - 1, dice) };
    }
  }

  /** What the peer says in the record of this number, however often. */
  #record(number: number, dice: SeededRandom): Uint8Array {
    const payload = this.#said[number] ?? this.#peer.says(dice);
    this.#said[number] = payload;
    return payload.slice();
  }

  /** A number of records that the peer may say it has: mostly what it does have. */
  #near(dice: SeededRandom): number {
    return Math.max(0, this.#sent + (dice.below(4) === 0 ? dice.below(7) - 3 : 0));
  }

  #begin(): LinkCore {
    const core = new LinkCore({ limits: LIMITS, isInitiator: true, peer: PEER, now: this.#now });
    core.handle({ kind: "path", peerReceived: 0, receivedTold: 0 }, this.#now);
    core.handle({ kind: "room", bytes: 10_000 }, this.#now);
    return core;
  }

  /** Takes all effects; true when it was the end. */
  #drain(): boolean {
    let isOver = false;
    for (let effect = this.#core.poll(); effect !== undefined; effect = this.#core.poll()) {
      if (isOver) throw new Error("something after the end");
      if (effect.kind === "over") isOver = true;
      else if (effect.kind === "send") this.#count(effect.payload);
      else this.#owner.take(effect);
    }
    if (!isOver) return false;
    if (this.#core.deadline() !== Number.POSITIVE_INFINITY) throw new Error("a timer is left");
    this.#core = this.#begin();
    this.#peer = new Peer();
    this.#owner = new Owner(this.#peer);
    this.#sent = 0;
    this.#next = 0;
    this.#said = [];
    this.#saidNext = 0;
    return true;
  }

  /** A record that was sent: the peer hears it once, if it is numbered. */
  #count(payload: Uint8Array): void {
    if ((payload[0] ?? 0xff) >= CONTROL_FIRST) return;
    this.#next += 1;
    if (this.#next <= this.#sent) return;
    this.#sent = this.#next;
    this.#peer.heard(payload);
  }
}
