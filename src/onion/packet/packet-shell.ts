import { type Clock, CulvertError, Driver, isCulvertError } from "../../base/index.ts";
import type { NodeId } from "../../identity/index.ts";
import type { OnionLinks } from "../links.ts";
import type { BackwardContent } from "./backward.ts";
import type { HopComponents } from "./packet.ts";
import { PacketCore } from "./packet-core.ts";
import type { PacketEffect, PacketInput, PacketLimits, PacketOutcome } from "./packet-protocol.ts";
import type { SurbOpener } from "./surb.ts";

/** What a node does with packets that end at it. Called from event handlers: must not throw. */
export interface PacketHandlers {
  /**
   * A payload for this node, whose bytes are handed over. With `answer` its origin waits for one
   * answer along the hops that have kept state; calls after the first do nothing.
   *
   * @param source whom the payload counts for, by what all share
   * @param from the neighbour that has brought it
   */
  deliver(
    content: Uint8Array,
    answer: ((answer: BackwardContent) => void) | undefined,
    source: string,
    from: NodeId,
  ): void;
  /** A reply came home along a reply block of this node's own. */
  home(name: Uint8Array, content: Uint8Array): void;
}

/** Runs a {@link PacketCore} on links: its effects become units, its outcomes promises. */
export class PacketShell {
  readonly #core: PacketCore;
  readonly #driver: Driver<PacketInput, PacketEffect>;
  readonly #links: OnionLinks;
  readonly #handlers: () => Partial<PacketHandlers>;
  readonly #asked = new Map<number, (outcome: PacketOutcome) => void>();
  #askedCount = 0;
  #isClosed = false;

  constructor(
    components: HopComponents & {
      readonly clock: Clock;
      readonly links: OnionLinks;
      readonly handlers: () => Partial<PacketHandlers>;
    },
    options: { readonly limits?: Partial<PacketLimits>; readonly isRelay?: boolean } = {},
  ) {
    this.#core = new PacketCore(components, options);
    this.#links = components.links;
    this.#handlers = components.handlers;
    this.#driver = new Driver(this.#core, components.clock, (effect) => this.#perform(effect));
    this.#driver.setBackground(true);
  }

  get counts(): ReadonlyMap<string, number> {
    return this.#core.counts;
  }

  receive(from: NodeId, unit: Uint8Array, source?: string): void {
    this.#driver.handle({ kind: "unit", from, unit, source });
  }

  /** @param from the neighbour whose packet names `first`, if one does */
  send(first: NodeId, unit: Uint8Array, from?: NodeId): void {
    this.#driver.handle({ kind: "send", first, unit, from });
  }

  ask(first: NodeId, unit: Uint8Array, layers: readonly Uint8Array[]): Promise<PacketOutcome> {
    if (this.#isClosed) return Promise.reject(new CulvertError("CULVERT_CLOSED"));
    const id = this.#askedCount++;
    return new Promise((resolve) => {
      this.#asked.set(id, resolve);
      this.#driver.handle({ kind: "send", first, unit, expects: { id, layers } });
    });
  }

  /** Waits for what a reply block brings home; false when it is one too many. */
  awaitHome(name: Uint8Array, opener: SurbOpener): boolean {
    const hasRoom = this.#core.hasRoomForSurb;
    this.#driver.handle({ kind: "await", name, opener });
    return hasRoom;
  }

  forgetHome(name: Uint8Array): void {
    this.#driver.handle({ kind: "forget", name });
  }

  close(): void {
    this.#isClosed = true;
    this.#driver.stop();
    for (const settle of this.#asked.values()) {
      settle({ kind: "failure", failure: { reason: "expired", hop: -1 } });
    }
    this.#asked.clear();
  }

  #perform(effect: PacketEffect): void {
    switch (effect.kind) {
      case "send":
        this.#transmit(effect);
        break;
      case "deliver":
        this.#deliver(effect);
        break;
      case "home":
        this.#handlers().home?.(effect.name, effect.content);
        break;
      default:
        this.#asked.get(effect.id)?.(effect.outcome);
        this.#asked.delete(effect.id);
    }
  }

  #deliver(effect: PacketEffect & { readonly kind: "deliver" }): void {
    const { content, token, source, from } = effect;
    this.#handlers().deliver?.(content, this.#answerOf(token), source, from);
  }

  #transmit({ to, unit, from, ticket }: PacketEffect & { readonly kind: "send" }): void {
    this.#links.send(to, unit, from).catch((error: unknown) => {
      const isBusy = isCulvertError(error, "CULVERT_BUSY");
      if (ticket !== undefined) this.#driver.handle({ kind: "unsent", ticket, isBusy });
    });
  }

  #answerOf(token: number | undefined): ((answer: BackwardContent) => void) | undefined {
    if (token === undefined) return undefined;
    return (answer) => this.#driver.handle({ kind: "answer", token, answer });
  }
}
