import { Canceller, type Clock, Driver } from "../../base/index.ts";
import type { NodeId } from "../../identity/index.ts";
import type { ChannelEvents, OnionChannel, OnionLinks } from "../links.ts";
import { requestBytes } from "../packet/geometry.ts";
import type { HopComponents } from "../packet/packet.ts";
import { RelayCore } from "./relay-core.ts";
import type { RelayOptions } from "./relay-options.ts";
import type { ChannelId, CircuitId, RelayEffect, RelayInput } from "./relay-protocol.ts";

/** A circuit that ends at this node. */
export interface IncomingCircuit {
  /** Unique at this node while it runs. */
  readonly id: CircuitId;
  /** Whom it counts for, by what all share: where the neighbour is that it comes through. */
  readonly source: string;
  /** Sends a message to its origin; dropped when too much waits. Copied. */
  sendData(content: Uint8Array): void;
  /** Ends it; the origin learns that this hop has done so. */
  refuse(): void;
}

/** What a node does with circuits that end at it. Called from event handlers: must not throw. */
export interface CircuitHandlers {
  /**
   * Serves a request, of the network's size, whose bytes are handed over; the response is padded.
   * A rejection, or a response that is too long, ends the circuit. The signal says that nobody
   * waits any more.
   */
  request(content: Uint8Array, signal: AbortSignal, circuit: IncomingCircuit): Promise<Uint8Array>;
  incoming(circuit: IncomingCircuit): void;
  data(circuit: IncomingCircuit, content: Uint8Array): void;
  gone(circuit: IncomingCircuit): void;
}

interface Served {
  readonly circuit: IncomingCircuit;
  /** One for each request that is being served. */
  readonly open: Set<Canceller>;
}

/** Runs a {@link RelayCore} on links: its effects become channels, its requests promises. */
export class RelayShell {
  readonly #core: RelayCore;
  readonly #driver: Driver<RelayInput, RelayEffect>;
  readonly #links: OnionLinks;
  readonly #responseBytesMax: number;
  readonly #handlers: () => Partial<CircuitHandlers>;
  readonly #channels = new Map<ChannelId, OnionChannel>();
  readonly #served = new Map<CircuitId, Served>();
  #accepted = 0;
  #isClosed = false;

  constructor(
    components: HopComponents & {
      readonly clock: Clock;
      readonly links: OnionLinks;
      readonly handlers: () => Partial<CircuitHandlers>;
    },
    options: Partial<RelayOptions> = {},
  ) {
    this.#core = new RelayCore(components, options);
    this.#links = components.links;
    this.#responseBytesMax = requestBytes(components.parts.geometry);
    this.#handlers = components.handlers;
    this.#driver = new Driver(this.#core, components.clock, (effect) => this.#perform(effect));
    this.#driver.setBackground(true);
  }

  get circuits(): number {
    return this.#core.circuits;
  }

  get counts(): ReadonlyMap<string, number> {
    return this.#core.counts;
  }

  accept(from: NodeId, channel: OnionChannel, source?: string): ChannelEvents {
    const id = 2 * this.#accepted++ + 1;
    if (this.#isClosed) {
      channel.close();
      return this.#eventsOf(id);
    }
    this.#channels.set(id, channel);
    this.#driver.handle({ kind: "opened", channel: id, from, source });
    return this.#eventsOf(id);
  }

  close(): void {
    this.#isClosed = true;
    this.#driver.stop();
    for (const served of this.#served.values()) abortAll(served);
    for (const channel of this.#channels.values()) channel.close();
    this.#served.clear();
    this.#channels.clear();
  }

  #eventsOf(channel: ChannelId): ChannelEvents {
    return {
      unit: (unit) => this.#driver.handle({ kind: "unit", channel, unit }),
      sent: (count) => this.#driver.handle({ kind: "sent", channel, count }),
      closed: () => {
        this.#channels.delete(channel);
        this.#driver.handle({ kind: "closed", channel });
      },
    };
  }

  #perform(effect: RelayEffect): void {
    switch (effect.kind) {
      case "open":
        this.#channels.set(
          effect.channel,
          this.#links.open(effect.to, this.#eventsOf(effect.channel), effect.from),
        );
        break;
      case "write":
        this.#channels.get(effect.channel)?.send(effect.unit);
        break;
      case "close":
        this.#channels.get(effect.channel)?.close(effect.isStuck);
        this.#channels.delete(effect.channel);
        break;
      default:
        this.#performExit(effect);
    }
  }

  #performExit(effect: Exclude<RelayEffect, { readonly kind: "open" | "write" | "close" }>): void {
    if (effect.kind === "incoming") {
      const served = { circuit: this.#incoming(effect), open: new Set<Canceller>() };
      this.#served.set(effect.circuit, served);
      this.#handlers().incoming?.(served.circuit);
      return;
    }
    const served = this.#served.get(effect.circuit);
    if (served === undefined) return;
    if (effect.kind === "data") {
      this.#handlers().data?.(served.circuit, effect.content);
    } else if (effect.kind === "request") {
      this.#serve(served, effect.request, effect.content);
    } else {
      this.#served.delete(effect.circuit);
      abortAll(served);
      this.#handlers().gone?.(served.circuit);
    }
  }

  #serve({ circuit, open }: Served, request: number, content: Uint8Array): void {
    const { request: serve } = this.#handlers();
    if (serve === undefined) {
      this.#driver.handle({ kind: "refuse", circuit: circuit.id, reason: "policy" });
      return;
    }
    const abort = new Canceller();
    open.add(abort);
    serve(content, abort.signal, circuit)
      .finally(() => open.delete(abort))
      .then(
        (response) => this.#respond(circuit, request, response),
        () => circuit.refuse(),
      );
  }

  #respond({ id, refuse }: IncomingCircuit, request: number, content: Uint8Array): void {
    if (content.length > this.#responseBytesMax) refuse();
    else this.#driver.handle({ kind: "respond", circuit: id, request, content });
  }

  #incoming({ circuit, source }: RelayEffect & { readonly kind: "incoming" }): IncomingCircuit {
    return {
      id: circuit,
      source,
      sendData: (content) => this.#driver.handle({ kind: "data", circuit, content }),
      refuse: () => this.#driver.handle({ kind: "refuse", circuit, reason: "destination-refused" }),
    };
  }
}

/** Nobody waits for what this circuit has asked for. */
function abortAll({ open }: Served): void {
  for (const abort of open) abort.abort();
}
