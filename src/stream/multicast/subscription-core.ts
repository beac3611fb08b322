import type { ErrorCode, Instant, Random } from "../../base/index.ts";
import { Chain, type ReadCapability, type WriteCapability } from "../../crypto/index.ts";
import { AHEAD_START, ChainReader } from "../exchange/chain-reader.ts";
import type { Request } from "../exchange/exchange.ts";
import { FrameCore } from "../exchange/frame-core.ts";
import type { GotInput, IoInput, TakenInput } from "../exchange/protocol.ts";
import { openFrame } from "../frame/cell.ts";
import { contentOf, finalLengthOf } from "../frame/content.ts";
import { type Frame, markOf, payloadBytesMax } from "../frame/frame.ts";
import { DATA_CONTEXT, FrameKeys } from "../frame/frame-keys.ts";
import { resolveOptions } from "../options.ts";
import { Arrivals, type ArrivalsStart } from "../receiver/arrivals.ts";
import { UnreadLife } from "../receiver/unread-life.ts";
import { problemOf } from "./broadcast-frame.ts";
import { Lookout, quietAskMsOf, type Resumption, type Standing } from "./lookout.ts";
import { Numbering } from "./numbering.ts";
import type { SubscriptionOptions } from "./options.ts";
import { RepairAsker } from "./repair-asker.ts";
import type { SubscriptionProgress } from "./subscription-progress.ts";
import { encodeSubscriptionState, type SubscriptionState } from "./subscription-state.ts";

/** What a subscription core is told. */
export type SubscriptionInput = IoInput | TakenInput;

/** What a subscription core is made of. */
export interface SubscriptionCoreInit {
  /** The right to read, at the first index; of a state, as it is there. */
  readonly read: ReadCapability;
  /** Where it asks for repairs, if it may. */
  readonly repair: WriteCapability | undefined;
  readonly cellBytes: number;
  readonly random: Random;
  readonly options: SubscriptionOptions;
  readonly state?: SubscriptionState;
}

/** Who joins does not know what came before. */
const JOINING: ArrivalsStart = { next: 0, nextOffset: 0, takenOffset: 0, mark: undefined };

/** Places beyond a missing one that are asked for before it, once more, when gets are rationed. */
const BROADCAST_FRESH_FIRST_PLACES = 8;

/**
 * One reader of a multicast stream: sealed frames in, the application's bytes out, in order, once.
 * It puts nothing, but for its questions on a repair chain of its own.
 */
export class SubscriptionCore extends FrameCore<TakenInput> {
  readonly #fixed: Pick<SubscriptionState, "cellBytes" | "root">;
  readonly #options: SubscriptionOptions;
  readonly #keys: FrameKeys;
  readonly #numbering: Numbering;
  readonly #reader: ChainReader;
  readonly #arrivals: Arrivals;
  readonly #lookout: Lookout;
  readonly #asker: RepairAsker | undefined;
  readonly #unreadLife = new UnreadLife();
  #isWhole: boolean;
  #skippedFrames: number;
  #endIndex: number | undefined;

  constructor(init: SubscriptionCoreInit) {
    // Nothing is kept of the chains that it is given but those that move on.
    const { options, random, state, cellBytes, read, repair } = init;
    const isOver = state?.isDone ?? false;
    super({ options: resolveOptions(options), random, cellBytes, isOver });
    this.#fixed = { cellBytes, root: read.root };
    this.#options = options;
    this.#isWhole = state?.isWhole ?? false;
    this.#skippedFrames = state?.skippedFrames ?? 0;
    const start = state?.position ?? JOINING;
    const chain = Chain.fromBytes(read.chain.toBytes());
    this.#numbering = new Numbering(chain.index, start.next);
    this.#keys = new FrameKeys(chain, start.next, DATA_CONTEXT);
    this.#arrivals = new Arrivals(start);
    const parts = { cellBytes, random, exchange: this.exchange, numbering: this.#numbering };
    this.#reader = new ChainReader(this.exchange, this.#keys, start.next, {
      purpose: "data-get",
      aheadMin: Math.min(AHEAD_START, options.window),
      aheadMax: () => this.exchange.getsAhead,
      aheadGrowth: 4,
      quietAskMsMax: quietAskMsOf(options),
      quietPlaces: 1,
      // Nobody learns from the places that have arrived which one to put again.
      freshFirstPlaces: BROADCAST_FRESH_FIRST_PLACES,
    });
    this.#lookout = new Lookout({ ...parts, ...options, context: DATA_CONTEXT });
    if (repair === undefined) return;
    const early = (): Iterable<number> => this.#arrivals.early;
    const asking = { ...parts, ...this.io, early };
    this.#asker = new RepairAsker(asking, repair, state?.repair);
  }

  get progress(): SubscriptionProgress {
    const { puts, gets, answers } = this.exchange.counts;
    return {
      deliveredBytes: this.#arrivals.offset,
      takenBytes: this.#arrivals.takenOffset,
      isWhole: this.#isWhole,
      skippedFrames: this.#skippedFrames,
      framesInMemory: this.#arrivals.heldFrames,
      isEnded: this.#endIndex !== undefined || this.isOver,
      roundTripMs: this.exchange.rto.meanMs,
      puts,
      gets,
      answers,
      expiresAt: this.#unreadLife.endsAt,
    };
  }

  /** Everything but the sealed questions. Holds secrets. */
  state(): SubscriptionState {
    return {
      ...this.#fixed,
      position: this.#arrivals.save(),
      chain: this.#keys.baseState(),
      isWhole: this.#isWhole,
      skippedFrames: this.#skippedFrames,
      repair: this.#asker?.save(),
      isDone: this.isOver,
    };
  }

  override encodedState(): Uint8Array {
    return encodeSubscriptionState(this.state());
  }

  protected override head(): Uint8Array {
    return this.encodedState();
  }

  /** Of its sealed questions. */
  override residentFrames(): Map<string, Uint8Array> {
    return this.#asker?.residentByName() ?? new Map();
  }

  protected override ownDeadline(now: Instant): Instant {
    const reading = this.#reader.deadline(now, this.#limit());
    // Nobody looks around or asks for what there is no room for.
    if (!this.#hasRoom) return reading;
    const askAt = this.#asker?.deadline(now) ?? Number.POSITIVE_INFINITY;
    return Math.min(reading, this.#lookout.deadline(now, this.#standing), askAt);
  }

  get #standing(): Pick<Standing, "base" | "asks"> {
    const { base, asksInVain } = this.#reader;
    return { base, asks: this.#arrivals.heldFrames > 0 ? asksInVain : Number.POSITIVE_INFINITY };
  }

  get #hasRoom(): boolean {
    return this.#reader.base < this.#limit();
  }

  /** The first index that must not be asked for: what memory, or the end, allows. */
  #limit(): number {
    if (this.#endIndex !== undefined) return this.#endIndex + 1;
    const { receiveFramesMax } = this.#options;
    return this.#arrivals.limit(receiveFramesMax, payloadBytesMax(this.#fixed.cellBytes));
  }

  protected override begin(_unixMs: number, now: Instant): void {
    this.#lookout.start(now);
  }

  protected override obey({ offset }: TakenInput, now: Instant): void {
    const hadRoom = this.#hasRoom;
    this.#arrivals.take(offset);
    this.#advance();
    if (!hadRoom && this.#hasRoom) this.#lookout.resume(now);
  }

  protected override settle(now: Instant): void {
    // Looking around comes after what is asked for anyway: gets may be rationed.
    this.#reader.pump(now, this.#limit());
    this.#look(now);
    if (this.isOver) return;
    // Before the position behind the end is written: without the end, nobody would ever find one.
    const { taken } = this.#arrivals;
    if (this.#endIndex !== undefined && taken > this.#endIndex) this.outcome.finish(now);
    if (this.isOver) return;
    this.#ask(now);
    this.commits.flush(now);
  }

  /** Goes on behind what is gone for good. */
  #look(now: Instant): void {
    if (!this.#hasRoom) return;
    const { early } = this.#arrivals;
    const stateAt = (index: number): Uint8Array => this.#keys.stateAt(index);
    const goesOn = this.#lookout.pump(now, { ...this.#standing, early, stateAt });
    if (goesOn !== undefined) this.#lag(goesOn, now);
  }

  #ask(now: Instant): void {
    if (!this.#hasRoom) return;
    const { base } = this.#reader;
    const since = this.#lookout.missingSince(base);
    this.#asker?.pump(now, { base, seen: this.#lookout.seen, since });
  }

  protected override onStored(request: Request | undefined, _ttl: number, now: Instant): void {
    this.#lookout.answered(now);
    if (request !== undefined) this.#asker?.onStored(request);
  }

  protected override onGot(
    request: Request | undefined,
    { cell, ttlSeconds }: GotInput,
    now: Instant,
  ): void {
    this.#lookout.answered(now);
    if (request?.purpose === "scout-get") this.#lookout.onGot(request, cell);
    if (request?.purpose !== "data-get" || this.#arrivals.has(request.index)) return;
    const { index } = request;
    const opened = openFrame(cell, this.#keys.at(index), this.#fixed.cellBytes);
    if (opened.kind === "closed") {
      this.outcome.warn("CULVERT_DECRYPT_FAILED", "a cell did not open; it is asked for again");
      this.#reader.spoiled(index, now);
      return;
    }
    const problem = opened.kind === "frame" ? problemOf(opened.frame, index === 0) : opened.field;
    if (opened.kind !== "frame" || problem !== undefined) {
      this.outcome.fail("CULVERT_PROTOCOL", `the writer sealed a frame with a bad ${problem}`);
      return;
    }
    this.#unreadLife.note(index, ttlSeconds, now);
    this.#arrivals.add(index, opened.frame, markOf(cell));
    this.#reader.arrived(index, now);
    this.#keys.spend(index);
    this.#lookout.saw(index, now);
    this.#deliver();
  }

  protected override onFailed(request: Request, code: ErrorCode, now: Instant): void {
    if (code === "CULVERT_NOT_FOUND") this.#lookout.answered(now);
    if (request.purpose === "ack-put" && code === "CULVERT_CONFLICT") {
      this.#asker?.onTaken(request, now);
      return;
    }
    if (code !== "CULVERT_NOT_FOUND" || request.purpose === "ack-put") {
      this.outcome.setback(code);
      this.exchange.pause(code, now);
    }
    if (request.purpose === "data-get") this.#reader.failed(request, now);
    else if (request.purpose === "ack-put") this.#asker?.onLate(request);
    else if (code === "CULVERT_NOT_FOUND") this.#lookout.onEmpty(request);
    else this.#lookout.onLate(request);
  }

  protected override onLate(request: Request): void {
    if (request.purpose === "data-get") this.#reader.late(request);
    else if (request.purpose === "scout-get") this.#lookout.onLate(request);
    else this.#asker?.onLate(request);
  }

  protected override onRecalled(
    name: string,
    bytes: Uint8Array | undefined,
    now: Instant,
  ): boolean {
    return this.#asker?.onRecalled(Number(name.slice(1)), bytes, now) !== false;
  }

  #advance(): void {
    if (!this.#arrivals.advance()) return;
    this.#keys.advance(this.#arrivals.taken);
    this.commits.touch();
  }

  #deliver(): void {
    for (;;) {
      if (this.#arrivals.isTorn) {
        this.outcome.fail(
          "CULVERT_PROTOCOL",
          "the writer's frames are of two sessions: an old state",
        );
        return;
      }
      const frame = this.#arrivals.shift();
      if (frame === undefined) break;
      if (this.#endIndex !== undefined) {
        this.outcome.fail("CULVERT_PROTOCOL", "the writer sealed a frame after its end");
        return;
      }
      if (frame.type === "start") this.#isWhole = true;
      const piece = this.#arrivals.deliver(contentOf(frame));
      if (piece.bytes.length > 0) this.effects.push({ kind: "deliver", ...piece });
      if (frame.type === "reset") {
        this.outcome.fail("CULVERT_PEER_ABORTED", "the writer gave the broadcast up");
        return;
      }
      if (frame.type === "end" && !this.#end(frame)) return;
    }
    this.#advance();
  }

  #end(frame: Frame): boolean {
    const length = finalLengthOf(frame);
    const { next, offset } = this.#arrivals;
    if (this.#isWhole ? length !== offset : length < offset) {
      this.outcome.fail("CULVERT_PROTOCOL", "the end does not tell the length of its stream");
      return false;
    }
    this.#endIndex = next - 1;
    this.effects.push({ kind: "delivered-end", length: offset });
    return true;
  }

  /** Frames are gone for good: that is the end, or reading goes on behind them. */
  #lag({ index, chain }: Resumption, now: Instant): void {
    const frames = index - this.#arrivals.next;
    const message = `${frames} frames are gone from the Map, or never reached it`;
    if (this.#options.onLag === "error") {
      this.outcome.fail("CULVERT_LAGGED", message, { frames });
      return;
    }
    this.#isWhole = false;
    this.#skippedFrames += frames;
    if (chain !== undefined) this.#keys.leap(index, chain);
    this.#arrivals.skipTo(index);
    this.#reader.passTo(index, now);
    this.#advance();
    const detail = { frames, offset: this.#arrivals.offset };
    this.effects.push({ kind: "warning", code: "CULVERT_LAGGED", message, detail });
    this.#deliver();
    if (!this.isOver) this.#reader.pump(now, this.#limit());
  }
}
