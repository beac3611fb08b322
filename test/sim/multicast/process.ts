import { type Core, Driver } from "../../../src/base/index.ts";
import {
  type IoEffect,
  type IoInput,
  isIo,
  type StreamEffect,
} from "../../../src/stream/exchange/protocol.ts";
import type { RepairEffect } from "../../../src/stream/multicast/repair-core.ts";
import type { VirtualClock } from "../../../src/testing/virtual-clock.ts";
import type { Side } from "../../../src/testing/world/faults.ts";
import type { Figures, FigureWatch } from "../../../src/testing/world/figures.ts";
import type { Referee } from "../../../src/testing/world/referee.ts";
import type { Trace } from "../../../src/testing/world/trace.ts";
import { VirtualClient } from "../../../src/testing/world/virtual-client.ts";
import type { VirtualJournal } from "../../../src/testing/world/virtual-journal.ts";
import type { PutRequest, VirtualMap } from "../../../src/testing/world/virtual-map.ts";

/** Whatever the cores of multicast ask for, and what of it is no affair of the Map or a disk. */
export type MulticastEffect = StreamEffect | RepairEffect;
export type Announcement = Exclude<MulticastEffect, IoEffect>;

/** Changes what comes out of the cores of one side: a planted bug, by which a world is judged. */
export type Tamper = (side: Side, effect: MulticastEffect) => readonly MulticastEffect[];

/** Changes what the cores of one side tell of themselves: another kind of planted bug. */
export type FigureTamper = (side: Side, figures: Figures) => Figures;

/** What all processes of a world share. */
export interface Surroundings {
  readonly clock: VirtualClock;
  readonly map: VirtualMap;
  readonly referee: Referee;
  readonly trace: Trace;
  readonly hardTimeoutMs: number;
  readonly tamper?: Tamper | undefined;
  readonly tamperFigures?: FigureTamper | undefined;
}

/** What a process is made of. */
export interface ProcessInit<Input> extends Surroundings {
  readonly side: Side;
  readonly name: string;
  readonly core: Core<Input | IoInput, MulticastEffect>;
  readonly journal: VirtualJournal | undefined;
  readonly onEvent: (event: Announcement) => void;
  readonly onPut?: (put: PutRequest) => void;
  /** What the core tells of itself, and who watches that over all its lives. */
  readonly figures?: { readonly of: () => Figures; readonly watch: FigureWatch };
  /** Asked between any two steps: whether the process dies here. It has to stop it then. */
  readonly diesNow: () => boolean;
}

/** One core at work in a world, until it is stopped or dies. */
export class Process<Input> {
  readonly #init: ProcessInit<Input>;
  readonly #driver: Driver<Input | IoInput, MulticastEffect>;
  readonly #client: VirtualClient;
  #isAlive = true;

  constructor(init: ProcessInit<Input>) {
    this.#init = init;
    init.figures?.watch.begin();
    this.#driver = new Driver(init.core, init.clock, (effect) => this.#perform(effect));
    this.#client = new VirtualClient({ ...init, answer: (answer) => this.handle(answer) });
  }

  get isAlive(): boolean {
    return this.#isAlive;
  }

  start(): void {
    this.handle({ kind: "start", unixMs: this.#init.clock.unixMs() });
  }

  /** Hands an input over, unless the process is gone. */
  handle(input: Input | IoInput): void {
    if (!this.#isAlive || this.#init.diesNow()) return;
    this.#look();
    this.#driver.handle(input);
  }

  stop(): void {
    this.#isAlive = false;
    this.#driver.stop();
    this.#client.close();
  }

  #perform(effect: MulticastEffect): void {
    if (!this.#isAlive || this.#init.diesNow()) return;
    const { side, tamper } = this.#init;
    for (const changed of tamper?.(side, effect) ?? [effect]) {
      if (isIo(changed)) this.#act(changed);
      else this.#announce(changed);
    }
  }

  #announce(event: Announcement): void {
    const { clock, name, trace, onEvent } = this.#init;
    trace.event(clock.now(), name, event.kind);
    this.#look();
    onEvent(event);
  }

  #look(): void {
    const { figures, side, tamperFigures } = this.#init;
    if (figures === undefined) return;
    const told = figures.of();
    figures.watch.see(tamperFigures?.(side, told) ?? told);
  }

  #act(effect: IoEffect): void {
    const { clock, journal, onPut } = this.#init;
    switch (effect.kind) {
      case "put":
        onPut?.(effect);
        this.#client.put(effect);
        break;
      case "get":
        this.#client.get(effect);
        break;
      case "cancel":
        this.#client.cancel(effect.request);
        break;
      case "journal":
        this.#look();
        journal?.commit(effect.changes, () => {
          this.handle({ kind: "journaled", commit: effect.commit });
        });
        break;
      case "recall":
        journal?.read(effect.name, (bytes) => {
          this.handle({ kind: "recalled", name: effect.name, bytes });
        });
        break;
      case "turn":
        clock.schedule(clock.now(), () => this.handle(effect));
        break;
    }
  }
}
