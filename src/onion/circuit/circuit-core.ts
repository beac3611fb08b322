import { type Core, type Instant, type Random, unreachable } from "../../base/index.ts";
import { type TimerHandle, TimerQueue } from "../../retx/index.ts";
import type { Failure } from "../packet/failure.ts";
import { cellDataBytes } from "../packet/geometry.ts";
import type { HopTarget } from "../packet/header.ts";
import type { BuiltPacket, OnionParts } from "../packet/packet.ts";
import { isForMe } from "./cell.ts";
import { buildCircuitPacket, openAnswer } from "./circuit-build.ts";
import type { EndEvent } from "./circuit-end.ts";
import type { CircuitKeys } from "./circuit-keys.ts";
import { CIRCUIT_LIMITS, type CircuitLimits } from "./circuit-limits.ts";
import { BLOCKED_UNITS, SealedEnd } from "./sealed-end.ts";

/** What the origin's side of a circuit is told. Bytes are handed over. */
export type CircuitInput =
  | { readonly kind: "build" }
  | { readonly kind: "unit"; readonly unit: Uint8Array }
  | { readonly kind: "sent"; readonly count: number }
  /** The way to the first hop is gone. */
  | { readonly kind: "closed" }
  | { readonly kind: "request"; readonly request: number; readonly content: Uint8Array }
  | { readonly kind: "data"; readonly content: Uint8Array }
  /** Sends one cell at every beat, and has the last hop do so; 0 ends it. */
  | { readonly kind: "cover"; readonly intervalMs: number }
  | { readonly kind: "close" };

/** What the origin's side of a circuit asks its shell to do, in this order. */
export type CircuitEffect =
  | { readonly kind: "write"; readonly unit: Uint8Array }
  | { readonly kind: "ready" }
  | { readonly kind: "response"; readonly request: number; readonly content: Uint8Array }
  | { readonly kind: "data"; readonly content: Uint8Array }
  /** It will end soon: take another one for what is new. */
  | { readonly kind: "retire" }
  /** It is over; the channel is to be closed. Without a failure it was closed by this side. */
  | { readonly kind: "ended"; readonly failure?: Failure };

/**
 * The origin waits so much longer for a build than a hop does for the ones behind it: what a hop
 * says of them comes first.
 */
const PATIENCE = 1.5;

/** The part of its life after which a circuit takes nothing new. */
const RETIRE_AFTER = 0.9;

type CircuitTimer = "build" | "retire" | "end" | "beat";

/**
 * A circuit at its origin: built in one pass, then many requests and messages both ways, until it
 * is garbled, refused, closed or old.
 */
export class CircuitCore implements Core<CircuitInput, CircuitEffect> {
  readonly #parts: OnionParts;
  readonly #random: Random;
  readonly #limits: CircuitLimits;
  readonly #route: readonly HopTarget[];
  readonly #epoch: number;
  readonly #effects: CircuitEffect[] = [];
  readonly #timers: TimerQueue<CircuitTimer> = new TimerQueue({ capacity: 8 });
  #built: BuiltPacket | undefined;
  #hops: readonly CircuitKeys[] = [];
  #end: SealedEnd | undefined;
  #nextBeat: TimerHandle | undefined;
  #unsent = 0;
  #cells = 0;
  #isOver = false;
  #isRetired = false;

  constructor(
    components: { readonly parts: OnionParts; readonly random: Random },
    circuit: {
      readonly route: readonly HopTarget[];
      readonly epoch: number;
      readonly limits?: CircuitLimits;
    },
  ) {
    this.#parts = components.parts;
    this.#random = components.random;
    this.#route = circuit.route;
    this.#epoch = circuit.epoch;
    this.#limits = circuit.limits ?? CIRCUIT_LIMITS;
  }

  /** Cells that wait for credit. */
  get queuedCells(): number {
    return this.#end?.end.queuedCells ?? 0;
  }

  /** Whether a message of `bytes` finds room in the queue now. */
  hasRoom(bytes: number): boolean {
    const cells = Math.ceil(bytes / cellDataBytes(this.#parts.geometry)) + 1;
    return this.queuedCells + cells <= this.#limits.queuedCellsMax;
  }

  handle(input: CircuitInput, now: Instant): void {
    if (this.#isOver) return;
    switch (input.kind) {
      case "build":
        this.#build(now);
        break;
      case "unit":
        this.#receive(input.unit, now);
        break;
      case "sent":
        this.#unsent = Math.max(this.#unsent - input.count, 0);
        break;
      case "closed":
        this.#finish({ reason: "next-unreachable", hop: -1 });
        break;
      case "request":
        this.#end?.end.sendRequest(input.request, input.content);
        break;
      case "data":
        this.#end?.end.sendData(input.content);
        break;
      case "cover":
        this.#startCover(input.intervalMs, now);
        break;
      case "close":
        this.#finish(undefined);
        break;
      default:
        unreachable(input);
    }
    this.#flush();
  }

  timeout(now: Instant): void {
    for (let timer = this.#timers.due(now); timer !== undefined; timer = this.#timers.due(now)) {
      if (timer === "beat") this.#beat(now);
      else if (timer === "retire") this.#retire();
      else if (timer === "build" && this.#end === undefined) this.#giveUp();
      else if (timer === "end") this.#finish({ reason: "expired" });
    }
  }

  poll(): CircuitEffect | undefined {
    return this.#effects.shift();
  }

  deadline(): Instant {
    return this.#timers.deadline();
  }

  #build(now: Instant): void {
    const options = { epoch: this.#epoch, route: this.#route, random: this.#random };
    this.#built = buildCircuitPacket(this.#parts, options);
    if (this.#built === undefined) {
      this.#finish({ reason: "protocol" });
      return;
    }
    this.#write(this.#built.unit);
    this.#timers.push(now + PATIENCE * this.#limits.buildMs, "build");
  }

  /** Not even the first hop has said that nothing came. */
  #giveUp(): void {
    this.#finish({ reason: "timeout", hop: -1 });
  }

  #receive(unit: Uint8Array, now: Instant): void {
    if (unit.length !== this.#parts.geometry.cellBytes) {
      this.#finish({ reason: "protocol" });
      return;
    }
    if (this.#end === undefined) {
      this.#answer(unit, now);
      return;
    }
    this.#countCell();
    for (const [hop, keys] of this.#hops.entries()) {
      keys.backward.open(unit);
      if (!isForMe(unit)) continue;
      this.#take(hop, this.#end, unit);
      return;
    }
    this.#finish({ reason: "protocol" });
  }

  #answer(unit: Uint8Array, now: Instant): void {
    if (this.#built === undefined) return;
    const outcome = openAnswer(this.#parts.suite, this.#built, this.#route, unit);
    this.#built = undefined;
    if (outcome.kind === "garbled") {
      this.#finish({ reason: "protocol" });
    } else if (outcome.kind === "refused") {
      this.#finish({ reason: outcome.reason, hop: outcome.hop });
    } else {
      this.#open(outcome.hops, now);
    }
  }

  #open(hops: readonly CircuitKeys[], now: Instant): void {
    const last = hops.at(-1);
    if (last === undefined) return;
    this.#hops = hops;
    const inwards = hops.toReversed();
    this.#end = new SealedEnd(
      {
        geometry: this.#parts.geometry,
        layers: {
          seal: (cell) => {
            for (const { forward } of inwards) forward.seal(cell);
          },
          sealedProof: () => last.forward.proof(),
          openedProof: () => last.backward.proof(),
        },
        write: (cell) => this.#write(cell),
      },
      this.#limits,
    );
    const { lifeMs, lifeSpreadMs } = this.#limits;
    const life = lifeMs + (2 * this.#random.unit() - 1) * lifeSpreadMs;
    this.#timers.push(now + life * RETIRE_AFTER, "retire");
    this.#timers.push(now + life, "end");
    this.#effects.push({ kind: "ready" });
  }

  /** Acts on a cell that `hop` has made. Hops half-way only ever say that they cannot go on. */
  #take(hop: number, end: SealedEnd, cell: Uint8Array): void {
    const isLast = hop === this.#hops.length - 1;
    const event: EndEvent = end.receive(cell);
    if (event.kind === "failure") {
      this.#finish({ reason: event.reason, hop });
    } else if (event.kind === "violation" || event.kind === "cover" || !isLast) {
      this.#finish({ reason: "protocol", hop, isProven: true });
    } else if (event.kind === "request") {
      const { request, content } = event;
      this.#effects.push({ kind: "response", request, content });
    } else if (event.kind === "data") {
      this.#effects.push({ kind: "data", content: event.content });
    }
  }

  #startCover(intervalMs: number, now: Instant): void {
    if (this.#end === undefined) return;
    if (this.#nextBeat !== undefined) this.#timers.cancel(this.#nextBeat);
    this.#nextBeat = undefined;
    this.#end.end.sendCover(intervalMs);
    // The request for cover is the first beat.
    this.#end.beat();
    this.#end.coverMs = intervalMs;
    if (intervalMs > 0) this.#beatAt(now + intervalMs);
  }

  #beat(now: Instant): void {
    this.#nextBeat = undefined;
    if (this.#end === undefined || this.#isOver) return;
    if (this.#unsent < BLOCKED_UNITS) this.#end.beat();
    this.#beatAt(now + this.#end.coverMs);
  }

  #beatAt(at: Instant): void {
    this.#nextBeat = this.#timers.push(at, "beat");
  }

  #flush(): void {
    if (!this.#isOver) this.#end?.flush(() => this.#unsent >= BLOCKED_UNITS);
  }

  #write(unit: Uint8Array): void {
    this.#unsent += 1;
    this.#countCell();
    this.#effects.push({ kind: "write", unit });
  }

  #countCell(): void {
    this.#cells += 1;
    if (this.#cells >= this.#limits.cellsMax * RETIRE_AFTER) this.#retire();
    if (this.#cells >= this.#limits.cellsMax) this.#finish({ reason: "expired" });
  }

  #retire(): void {
    if (this.#isRetired || this.#isOver) return;
    this.#isRetired = true;
    this.#effects.push({ kind: "retire" });
  }

  #finish(failure: Failure | undefined): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#timers.clear();
    this.#effects.push(failure === undefined ? { kind: "ended" } : { kind: "ended", failure });
  }
}
