import { type Clock, Driver, unreachable } from "../../base/index.ts";
import type { DialTarget, LinkHost, LinkStream } from "../contract.ts";
import { RELAY_PROTOCOL } from "./frames.ts";
import { HolderCore, type HolderEffect, type HolderInput } from "./holder-core.ts";
import type { RelayLimits } from "./limits.ts";
import type { Voucher } from "./voucher.ts";

/** What a place is made of. */
export interface RelayPlaceOptions {
  readonly host: LinkHost;
  readonly clock: Clock;
  readonly relay: DialTarget;
  readonly limits: RelayLimits;
  /** The place was got, renewed or lost; with `isFinal` it is given up, because the relay lies. */
  readonly changed: (isFinal: boolean) => void;
}

/** One place at one relay: the shell of a {@link HolderCore} on a host's links. */
export class RelayPlace {
  readonly #options: RelayPlaceOptions;
  readonly #core: HolderCore;
  readonly #driver: Driver<HolderInput, HolderEffect>;
  #stream: LinkStream | undefined;
  #opening: AbortController | undefined;

  constructor(options: RelayPlaceOptions) {
    const { host, clock, relay, limits } = options;
    this.#options = options;
    this.#core = new HolderCore({ self: host.id, relay: relay.id, limits });
    this.#driver = new Driver(this.#core, clock, (effect) => this.#perform(effect));
    this.#driver.setBackground(true);
  }

  get voucher(): Voucher | undefined {
    return this.#core.voucher;
  }

  start(): void {
    this.#driver.handle({ kind: "start" });
  }

  stop(): void {
    this.#driver.handle({ kind: "stop" });
    this.#driver.stop();
  }

  /** A circuit is over. */
  circuitEnded(): void {
    this.#driver.handle({ kind: "ended" });
  }

  /** So many bytes went through a circuit. */
  passed(bytes: number): void {
    this.#driver.handle({ kind: "passed", bytes });
  }

  #perform(effect: HolderEffect): void {
    switch (effect.kind) {
      case "open":
        this.#open();
        break;
      case "send":
        this.#stream?.write(effect.bytes);
        break;
      case "cut":
        this.#cut();
        break;
      case "held":
        this.#options.changed(false);
        break;
      case "lost":
        this.#options.changed(effect.isFinal);
        break;
      default:
        unreachable(effect);
    }
  }

  #open(): void {
    const opening = new AbortController();
    this.#opening = opening;
    this.#openStream(opening.signal).catch(() => {
      if (opening === this.#opening) this.#driver.handle({ kind: "opened", isOpen: false });
    });
  }

  async #openStream(signal: AbortSignal): Promise<void> {
    const { host, relay, clock } = this.#options;
    const link = await host.dial({ ...relay, signal });
    const stream = await link.openStream(RELAY_PROTOCOL, { signal });
    stream.on("error", () => {});
    if (signal.aborted) {
      // The place was left when the stream was there, and nobody had it yet.
      stream.destroy();
      return;
    }
    this.#stream = stream;
    stream.on("data", (bytes: Uint8Array) => {
      if (stream !== this.#stream) return;
      this.#driver.handle({ kind: "bytes", bytes, unixMs: clock.unixMs() });
    });
    stream.on("close", () => {
      if (stream !== this.#stream) return;
      this.#stream = undefined;
      this.#driver.handle({ kind: "closed" });
    });
    this.#driver.handle({ kind: "opened", isOpen: true });
  }

  #cut(): void {
    const stream = this.#stream;
    this.#stream = undefined;
    this.#opening?.abort();
    this.#opening = undefined;
    stream?.destroy();
  }
}
