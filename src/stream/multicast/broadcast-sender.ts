import type { Instant, Random } from "../../base/index.ts";
import { Chain } from "../../crypto/index.ts";
import { ReTx } from "../../retx/index.ts";
import type { Request } from "../exchange/exchange.ts";
import type { CoreIo } from "../exchange/outcome.ts";
import { FRAME_ID_BYTES } from "../frame/cell.ts";
import { type Acknowledgement, NO_ACKNOWLEDGEMENT, payloadBytesMax } from "../frame/frame.ts";
import { DATA_CONTEXT, FrameKeys } from "../frame/frame-keys.ts";
import { Sealer } from "../frame/sealer.ts";
import { Mode } from "../mode.ts";
import { Claim } from "../sender/claim.ts";
import { type FrameContent, Framer } from "../sender/framer.ts";
import { frameName, UnacknowledgedFrames } from "../sender/unacknowledged-frames.ts";
import { wantedOffsets } from "./broadcast-frame.ts";
import type { BroadcastState } from "./broadcast-state.ts";
import { Numbering } from "./numbering.ts";
import type { BroadcastOptions } from "./options.ts";
import { Retention } from "./retention.ts";
import { Upkeep } from "./upkeep.ts";

/** What the sender needs from the core around it. */
export interface BroadcastSenderInit extends CoreIo {
  readonly cellBytes: number;
  readonly random: Random;
  readonly options: BroadcastOptions;
  readonly waiting?: Uint8Array | undefined;
}

/** What of a sender survives a restart. */
export type BroadcastSenderState = Omit<
  BroadcastState,
  "cellBytes" | "writeSeed" | "readers" | "isDone"
>;

/** While there is something new to put, one put of so many is for what is in the Map already. */
const UPKEEP_SHARE = 4;
/** A frame is not repaired twice within so many RTOs. */
const REPAIR_RTOS = 8;

const NOTHING_READ = { acknowledgement: NO_ACKNOWLEDGEMENT, flags: 0 };
const RESET: FrameContent = { type: "reset", payload: new Uint8Array(0) };

/**
 * Seals the frames of a broadcast and keeps them in the Map.
 *
 * A frame is put until there is a receipt for it (`ReTx`), and kept from then on (`Upkeep`): put
 * again before its time in the Map ends, or when a reader lacks it, until its retention is over.
 */
export class BroadcastSender {
  readonly #init: BroadcastSenderInit;
  readonly #framer: Framer;
  readonly #keys: FrameKeys;
  readonly #sealer: Sealer;
  readonly #numbering: Numbering;
  readonly #retx: ReTx;
  readonly #upkeep: Upkeep;
  readonly #retention: Retention;
  readonly #unacknowledged: UnacknowledgedFrames;
  readonly #recalling = new Set<number>();
  readonly #claim: Claim;
  readonly #payloadMax: number;
  #oldest: Chain;
  #base: number;
  #next: number;
  #grantedSeconds: number;
  #resetIndex: number | undefined;
  #isResetAsked: boolean;
  #partialIndex = -1;
  #turns = 0;
  #storedBytes: number;
  #isAllStored: boolean;
  #unixOffsetMs = 0;
  /** Puts for readers who asked. */
  repairs = 0;

  /** `begin` is the chain's state at the first frame; it is copied. */
  constructor(init: BroadcastSenderInit, begin: Chain, state?: BroadcastSenderState) {
    const { options } = init;
    this.#init = init;
    this.#base = state?.base ?? 0;
    this.#next = state?.next ?? 0;
    this.#resetIndex = state?.resetIndex;
    this.#isResetAsked = state?.resetIndex !== undefined;
    this.#grantedSeconds = state?.grantedSeconds ?? options.ttlSeconds;
    this.#payloadMax = payloadBytesMax(init.cellBytes);
    const framing = { ...init, ...options, payloadMax: this.#payloadMax, mode: Mode.Multicast };
    this.#framer = new Framer(framing, state?.framer);
    this.#oldest = Chain.fromBytes(state?.oldestChain ?? begin.toBytes());
    const head = Chain.fromBytes(state?.chain ?? begin.toBytes());
    this.#numbering = new Numbering(head.index, this.#next);
    this.#keys = new FrameKeys(head, this.#next, DATA_CONTEXT);
    this.#sealer = new Sealer({ ...init, keys: this.#keys }, state?.mark);
    this.#retx = new ReTx({ first: state?.storedBelow ?? 0 });
    const capacity = Math.max(options.retainFrames, this.keptFrames) + 1;
    this.#upkeep = new Upkeep({ ...options, capacity, random: init.random });
    this.#retention = new Retention(options.retainSeconds, state?.generations);
    this.#unacknowledged = new UnacknowledgedFrames(init.commits, { ...init, ...options }, state);
    this.#claim = new Claim(this.#next, state !== undefined);
    this.#isAllStored = this.#framer.isEmpty && this.#retx.base === this.#next;
    const storedAtLeast = this.#unacknowledged.endOffset(this.#retx.base - 1);
    this.#storedBytes = Math.max(storedAtLeast, state?.storedBytes ?? 0);
  }

  /** Bytes that are in frames: durable when the journal is. */
  get framedBytes(): number {
    return this.#framer.framedBytes;
  }

  get writtenBytes(): number {
    return this.#framer.writtenBytes;
  }

  /** Bytes of which the Map has everything, as far as this session knows. */
  get storedBytes(): number {
    return this.#storedBytes;
  }

  get isAllStored(): boolean {
    return this.#isAllStored;
  }

  get keptFrames(): number {
    return this.#next - this.#base;
  }

  get unstoredFrames(): number {
    return this.#retx.size;
  }

  get residentFrames(): number {
    return this.#unacknowledged.size;
  }

  get isFull(): boolean {
    return this.#framer.isFull;
  }

  /** The end was said and is in the Map, and no frame is kept any more. */
  get isThrough(): boolean {
    return this.#framer.isEndFramed && this.#base === this.#next;
  }

  /** The Map has the last frame there will be, and everything before it. */
  get isComplete(): boolean {
    return (this.#resetIndex !== undefined || this.#framer.isEndFramed) && this.#retx.size === 0;
  }

  /**
   * The chain's state at the next frame; after the last one, at that, so that who reads from there
   * learns that it was. Owned, secret.
   */
  headState(): Uint8Array {
    const isLast = this.#framer.isEndFramed || this.#resetIndex !== undefined;
    if (!isLast || this.#base === this.#next) return this.#keys.baseState();
    let chain = this.#oldest;
    for (let number = this.#base + 1; number < this.#next; number++) chain = chain.next();
    return chain.toBytes();
  }

  /** The chain's state at the oldest frame that is kept. Owned, secret. */
  oldestState(): Uint8Array {
    return this.#oldest.toBytes();
  }

  write(bytes: Uint8Array): void {
    this.#framer.write(bytes);
    this.#isAllStored = false;
  }

  /** Copies what is left of what was written: its owner may change it. */
  own(): void {
    this.#framer.own();
  }

  end(): void {
    this.#framer.end();
    this.#isAllStored = this.#framer.isEmpty && this.#retx.size === 0;
  }

  /** Drops what is not sealed, and tells the readers that nothing more will come. */
  abort(): void {
    if (this.#framer.isEndFramed) return;
    this.#framer.clear();
    this.#isResetAsked = true;
  }

  /** Begins, or goes on with the frames that an earlier session left. */
  start(now: Instant, unixMs: number): void {
    this.#unixOffsetMs = unixMs - now;
    const storedBelow = this.#retx.base;
    for (let index = storedBelow; index < this.#next; index++) {
      this.#retx.add(index);
      this.#retx.suspect(index);
    }
    for (let index = this.#base; index < storedBelow; index++) {
      const bornAt = this.#retention.bornAt(index) - this.#unixOffsetMs;
      const expiresAt = this.#expiry(bornAt, this.#grantedSeconds);
      this.#upkeep.resumed(index, { now, bornAt, expiresAt, endsAt: this.#endsAt(index) });
    }
  }

  /** Gives up what was kept long enough, and fills the free places of the window. */
  pump(now: Instant): void {
    this.#retireOld(now);
    while (this.#init.exchange.mayPut(now)) {
      if (!this.#putOne(now)) break;
    }
    if (this.#framer.drain()) this.#init.effects.push({ kind: "drain" });
  }

  timeout(now: Instant): void {
    this.#upkeep.timeout(now);
  }

  deadline(now: Instant): Instant {
    const hasWork = this.#hasFront() || this.#upkeep.isDue;
    const ready = hasWork ? this.#init.exchange.readyAt("put", now) : Number.POSITIVE_INFINITY;
    // What is over and not in the Map yet is given up when it is; no timer is needed for that.
    const isRetiring = this.#base < this.#retx.base;
    const retireAt = isRetiring ? this.#retention.deadline() : Number.POSITIVE_INFINITY;
    return Math.min(ready, this.#upkeep.deadline(), retireAt - this.#unixOffsetMs);
  }

  onStored(request: Request, ttlSeconds: number, now: Instant): void {
    const { index } = request;
    if (index < this.#base) return;
    this.#grantedSeconds = Math.min(this.#grantedSeconds, Math.max(Math.floor(ttlSeconds), 0));
    if (this.#retx.has(index)) this.#onFirstStored(index);
    this.#unacknowledged.stored(index);
    const expiresAt = this.#expiry(now, ttlSeconds);
    this.#upkeep.stored(index, { now, expiresAt, endsAt: this.#endsAt(index) });
  }

  #onFirstStored(index: number): void {
    this.#claim.stored(index);
    this.#retx.forget(index);
    const end = this.#unacknowledged.endOffset(this.#retx.base - 1);
    this.#storedBytes = Math.max(end, this.#storedBytes);
  }

  /** A put is late or has failed. */
  onLate(request: Request): void {
    if (this.#retx.has(request.index)) this.#retx.suspect(request.index);
    else this.#upkeep.late(request.index);
  }

  /** False when the journal has lost what it confirmed. */
  onRecalled(index: number, sealed: Uint8Array | undefined, now: Instant): boolean {
    if (!this.#recalling.delete(index)) return true;
    const isIntact = sealed?.length === FRAME_ID_BYTES + this.#init.cellBytes;
    if (index >= this.#base && isIntact) this.#put(index, sealed, now);
    else this.#init.exchange.releasePut();
    return isIntact || index < this.#base;
  }

  /** A reader lacks some frames: those that are kept are put again, within its budget. */
  repair(wanted: Acknowledgement, now: Instant): void {
    const since = now - REPAIR_RTOS * this.#init.exchange.rto.rtoMs();
    const first = this.#numbering.fromWire(wanted.next);
    let left = this.#init.options.repairFramesMax;
    for (const offset of wantedOffsets(wanted)) {
      const index = first + offset;
      if (index < this.#base || index >= this.#next || this.#retx.has(index)) continue;
      if (!this.#upkeep.repair(index, { now, since })) continue;
      this.repairs += 1;
      left -= 1;
      if (left === 0) return;
    }
  }

  /** Reports once that everything is stored. */
  report(): void {
    if (this.#isAllStored || !this.#framer.isEmpty || this.#retx.size > 0) return;
    this.#isAllStored = true;
    this.#init.commits.touch();
    this.#init.effects.push({ kind: "all-stored" });
  }

  /** `whole`: all bytes that wait for a frame are counted. */
  save(whole: boolean): BroadcastSenderState {
    return {
      base: this.#base,
      storedBelow: this.#retx.base,
      next: this.#next,
      storedBytes: this.#storedBytes,
      framer: whole ? this.#framer.save() : this.#framer.saveFramed(),
      generations: this.#retention.generations,
      grantedSeconds: this.#grantedSeconds,
      oldestChain: this.oldestState(),
      mark: this.#sealer.mark,
      chain: this.#keys.baseState(),
      resetIndex: this.#resetIndex,
    };
  }

  /** What is in memory alone, by journal name: sealed frames, borrowed, and what waits for one. */
  residentByName(): Map<string, Uint8Array> {
    return new Map([...this.#unacknowledged.byName(), ...this.#framer.waiting()]);
  }

  /** Whether there is something that the Map does not have. */
  #hasFront(): boolean {
    return this.#retx.hasRetransmission(false) || this.#mayHaveNew();
  }

  #putOne(now: Instant): boolean {
    const hasFront = this.#hasFront();
    const isUpkeep = !hasFront || this.#turns % UPKEEP_SHARE === 0;
    const kept = isUpkeep ? this.#upkeep.next() : undefined;
    if (kept === undefined && !hasFront) return false;
    this.#turns += 1;
    const again = kept ?? this.#retx.nextRetransmission(false);
    if (again === undefined) this.#sealNext(now);
    else this.#putAgain(again, now);
    return true;
  }

  #putAgain(index: number, now: Instant): void {
    // Its recall was late, and is under way: what comes of it is one put.
    if (this.#recalling.has(index)) return;
    this.#init.exchange.reservePut(now);
    const sealed = this.#unacknowledged.get(index);
    if (sealed !== undefined) {
      this.#put(index, sealed, now);
      return;
    }
    this.#recalling.add(index);
    this.#init.effects.push({ kind: "recall", name: frameName(index) });
  }

  #put(index: number, sealed: Uint8Array, now: Instant): void {
    this.#retx.sent(index, now);
    this.#init.exchange.put("data-put", index, sealed, now);
  }

  #mayHaveNew(): boolean {
    const { retainFrames, unstoredFramesMax, noDelay } = this.#init.options;
    if (this.#retx.size >= unstoredFramesMax || !this.#claim.allows(this.#next)) return false;
    const hasRoom = this.keptFrames < retainFrames || this.#base < this.#retx.base;
    if (!hasRoom || this.#resetIndex !== undefined) return false;
    const isAlone = noDelay || !this.#retx.has(this.#partialIndex);
    const mayBePartial = isAlone || this.#init.exchange.isPaced;
    return this.#isResetAsked || this.#framer.hasFrame(this.#next, mayBePartial);
  }

  #sealNext(now: Instant): void {
    const { retainFrames } = this.#init.options;
    while (this.keptFrames >= retainFrames && this.#base < this.#retx.base) this.#retire();
    if (this.#isResetAsked) this.#resetIndex = this.#next;
    this.#init.exchange.reservePut(now);
    this.#retention.sealed(this.#next, now + this.#unixOffsetMs);
    this.#seal(this.#isResetAsked ? RESET : this.#framer.take(this.#next));
  }

  /** Seals the next frame and puts it once it is durable; a place has been reserved. */
  #seal({ type, payload }: FrameContent): void {
    const number = this.#next++;
    const sealed = this.#unacknowledged.place(number);
    this.#sealer.seal(number, { type, payload }, NOTHING_READ, sealed);
    this.#retx.add(number);
    this.#unacknowledged.noteEnd(number, this.framedBytes);
    if (payload.length < this.#payloadMax) this.#partialIndex = number;
    this.#init.commits.stage(frameName(number), sealed, (now) => {
      if (this.#retx.has(number)) this.#put(number, sealed, now);
      else this.#init.exchange.releasePut();
    });
  }

  #retireOld(now: Instant): void {
    const kept = this.#retention.firstKept(now + this.#unixOffsetMs);
    const first = Math.min(kept, this.#retx.base);
    if (this.#base >= first) return;
    while (this.#base < first) this.#retire();
    this.#init.commits.touch();
  }

  /** Gives the oldest frame up, and the keys that open it. */
  #retire(): void {
    const passed = this.#oldest;
    this.#oldest = passed.next();
    passed.wipe();
    this.#unacknowledged.drop(this.#base);
    this.#upkeep.forget(this.#base);
    this.#base += 1;
  }

  /** A promise of the Map that is as long as the retention need not be renewed. */
  #expiry(since: Instant, ttlSeconds: number): Instant {
    const isEnough = ttlSeconds >= this.#init.options.retainSeconds;
    return isEnough ? Number.POSITIVE_INFINITY : since + ttlSeconds * 1_000;
  }

  #endsAt(index: number): Instant {
    return this.#retention.endsAt(index) - this.#unixOffsetMs;
  }
}
