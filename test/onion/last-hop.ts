import { type Instant, SeededRandom } from "../../src/base/index.ts";
import { type Cell, writeCell } from "../../src/onion/circuit/cell.ts";
import { buildCircuitPacket, openAnswer } from "../../src/onion/circuit/circuit-build.ts";
import type { CircuitKeys } from "../../src/onion/circuit/circuit-keys.ts";
import { RelayCore } from "../../src/onion/relay/relay-core.ts";
import type { RelayInput, RelayLimits } from "../../src/onion/relay/relay-protocol.ts";
import { fastSuite, GEOMETRY, makeHops } from "./fixtures.ts";

const PARTS = { suite: fastSuite(), geometry: GEOMETRY };

/** A last hop that answers all requests, with circuits of one hop. */
export class LastHop {
  readonly core: RelayCore;
  /** Cells that went to each channel. */
  readonly written = new Map<number, number>();
  /** Whether its links take what they are given. */
  areLinksOpen = true;
  now: Instant = 0;
  readonly #random = new SeededRandom(3);
  readonly #hop = makeHops(PARTS, 1)[0];
  #last: Uint8Array = new Uint8Array(0);

  constructor(limits: Partial<RelayLimits>) {
    const { peeler, id: self } = this.#own;
    const components = { parts: PARTS, peeler, self, random: this.#random };
    this.core = new RelayCore(components, { limits });
  }

  /** A circuit on a channel, which counts for a source. */
  open(channel: number, source?: string): CircuitKeys {
    const { target, id: from, epoch } = this.#own;
    const built = buildCircuitPacket(PARTS, { epoch, route: [target], random: this.#random });
    if (built === undefined) throw new Error("the keys are good");
    this.#tell({ kind: "opened", channel, from, source });
    this.#tell({ kind: "unit", channel, unit: built.unit });
    const outcome = openAnswer(PARTS.suite, built, [target], this.#last);
    const keys = outcome.kind === "built" ? outcome.hops[0] : undefined;
    if (keys === undefined) throw new Error("the circuit is built");
    return keys;
  }

  /** The origin of a circuit says something. */
  say(channel: number, keys: CircuitKeys, cell: Cell): void {
    const unit = writeCell(GEOMETRY.cellBytes, cell);
    keys.forward.seal(unit);
    this.#tell({ kind: "unit", channel, unit });
  }

  /** The origin of a circuit asks for cover. */
  cover(channel: number, keys: CircuitKeys, intervalMs: number): void {
    this.say(channel, keys, { command: "cover", request: intervalMs, data: new Uint8Array(0) });
  }

  /** Lets time pass. */
  pass(ms: number): void {
    const until = this.now + ms;
    while (this.core.deadline() <= until) {
      this.now = Math.max(this.now, this.core.deadline());
      this.core.timeout(this.now);
      this.#perform();
    }
    this.now = until;
  }

  get #own() {
    if (this.#hop === undefined) throw new Error("one hop");
    return this.#hop;
  }

  #tell(input: RelayInput): void {
    this.core.handle(input, this.now);
    this.#perform();
  }

  #perform(): void {
    for (let effect = this.core.poll(); effect !== undefined; effect = this.core.poll()) {
      if (effect.kind === "write") {
        const { channel } = effect;
        this.#last = effect.unit;
        this.written.set(channel, (this.written.get(channel) ?? 0) + 1);
        if (this.areLinksOpen) this.core.handle({ kind: "sent", channel, count: 1 }, this.now);
      } else if (effect.kind === "request") {
        const { circuit, request } = effect;
        this.core.handle(
          { kind: "respond", circuit, request, content: new Uint8Array(1) },
          this.now,
        );
      }
    }
  }
}
