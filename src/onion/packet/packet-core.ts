import { type Core, type Instant, type Random, toHex, unreachable } from "../../base/index.ts";
import { isSameNode, type NodeId, nodeIdText } from "../../identity/index.ts";
import { FairShare, type TimerHandle, TimerQueue } from "../../retx/index.ts";
import {
  BACKWARD_VERSION,
  type BackwardContent,
  backwardEdge,
  type FailureReason,
  makeBackward,
  openBackward,
  passBackward,
} from "./backward.ts";
import { edgeId } from "./hop-keys.ts";
import { outcomeOf } from "./outcome.ts";
import { isLoop, type OnionParts, openPayload, type PeeledPacket, type Peeler } from "./packet.ts";
import {
  PACKET_LIMITS,
  type PacketEffect,
  type PacketInput,
  type PacketLimits,
} from "./packet-protocol.ts";
import { openReply, type SurbOpener } from "./surb.ts";

/** Where a packet comes from, and whom it counts for. */
interface Neighbour {
  readonly id: NodeId;
  readonly source: string;
}

/** What a hop needs for one backward unit. */
interface BackState {
  /** This packet on the edge to the neighbour before. */
  readonly edge: Uint8Array;
  readonly from: NodeId;
  /** Whom it counts for. */
  readonly source: string;
  readonly key: Uint8Array;
}

/** Who may still hear of a packet: the hop before this one, or this node itself. */
type Listener =
  | ({ readonly kind: "hop" } & BackState)
  | { readonly kind: "origin"; readonly id: number; readonly layers: readonly Uint8Array[] };

/** A packet that a backward unit may still belong to. */
interface Pending {
  readonly ticket: number;
  readonly listener: Listener;
  /** Where the unit has to come from, and under which name; neither at the last hop. */
  readonly to: NodeId | undefined;
  readonly name: string;
  readonly timer: TimerHandle;
}

/** A reply block of this node's own. */
interface AwaitedSurb {
  readonly opener: SurbOpener;
  readonly timer: TimerHandle;
}

/** A packet on its way to the next node. */
type Send = Omit<PacketEffect & { readonly kind: "send" }, "kind">;

type Timer =
  | { readonly kind: "forward"; readonly source: string; readonly send: Send }
  | { readonly kind: "pending"; readonly ticket: number }
  | { readonly kind: "surb"; readonly name: string };

/**
 * One-time packets at one node: opened, passed on, delivered, brought home. A hop keeps nothing of
 * a packet that did not ask for it; of one that did, what one backward unit needs, for 30 s.
 */
export class PacketCore implements Core<PacketInput, PacketEffect> {
  readonly #parts: OnionParts;
  readonly #peeler: Peeler;
  readonly #self: NodeId;
  readonly #random: Random;
  readonly #limits: PacketLimits;
  readonly #isRelay: boolean;
  readonly #effects: PacketEffect[] = [];
  readonly #counts = new Map<string, number>();
  readonly #timers: TimerQueue<Timer>;
  readonly #pending = new Map<number, Pending>();
  /** Of those that went on to a neighbour. */
  readonly #byName = new Map<string, Pending>();
  readonly #surbs = new Map<string, AwaitedSurb>();
  #delayed = 0;
  readonly #delayedFrom = new FairShare();
  readonly #statesFrom = new FairShare();
  #tickets = 0;

  constructor(
    components: {
      readonly parts: OnionParts;
      readonly peeler: Peeler;
      readonly self: NodeId;
      readonly random: Random;
    },
    options: { readonly limits?: Partial<PacketLimits>; readonly isRelay?: boolean } = {},
  ) {
    this.#parts = components.parts;
    this.#peeler = components.peeler;
    this.#self = components.self;
    this.#random = components.random;
    this.#limits = { ...PACKET_LIMITS, ...options.limits };
    this.#isRelay = options.isRelay ?? true;
    const { delayedMax, statesMax, surbsMax } = this.#limits;
    this.#timers = new TimerQueue({ capacity: delayedMax + statesMax + surbsMax });
  }

  /** What was passed on, delivered, dropped and refused, by name. */
  get counts(): ReadonlyMap<string, number> {
    return this.#counts;
  }

  /** States that wait for a backward unit. */
  get states(): number {
    return this.#pending.size;
  }

  /** Whether one more reply block can be waited for. */
  get hasRoomForSurb(): boolean {
    return this.#surbs.size < this.#limits.surbsMax;
  }

  handle(input: PacketInput, now: Instant): void {
    switch (input.kind) {
      case "unit":
        if (input.unit[0] === BACKWARD_VERSION) this.#backward(input.from, input.unit);
        else this.#forward(input, now);
        break;
      case "unsent":
        this.#unsent(input.ticket, input.isBusy);
        break;
      case "send":
        this.#send(input, now);
        break;
      case "await":
        this.#await(toHex(input.name), input.opener, now);
        break;
      case "forget":
        this.#takeSurb(toHex(input.name));
        break;
      case "answer":
        this.#answer(input.token, input.answer);
        break;
      default:
        unreachable(input);
    }
  }

  timeout(now: Instant): void {
    for (let timer = this.#timers.due(now); timer !== undefined; timer = this.#timers.due(now)) {
      if (timer.kind === "forward") {
        this.#delayed -= 1;
        this.#delayedFrom.leave(timer.source);
        this.#effects.push({ kind: "send", ...timer.send });
      } else if (timer.kind === "pending") {
        this.#expire(timer.ticket);
      } else {
        this.#surbs.delete(timer.name);
      }
    }
  }

  poll(): PacketEffect | undefined {
    return this.#effects.shift();
  }

  deadline(): Instant {
    return this.#timers.deadline();
  }

  #forward(input: PacketInput & { readonly kind: "unit" }, now: Instant): void {
    const { from, unit, source = nodeIdText(from) } = input;
    const peeled = this.#peeler.peel(unit, source);
    if (peeled.kind === "dropped") {
      this.#count(peeled.reason);
      return;
    }
    switch (peeled.routing.command) {
      case "relay":
        this.#pass({ id: from, source }, peeled, now);
        break;
      case "deliver":
        this.#deliver({ id: from, source }, peeled, now);
        break;
      case "home":
        this.#home(peeled);
        break;
      default:
        // Circuits are built through channels.
        this.#count("protocol");
    }
  }

  #pass(from: Neighbour, peeled: PeeledPacket, now: Instant): void {
    const { delayMs, next } = peeled.routing;
    const to = next.slice();
    const listener = this.#listenerOf(from, peeled);
    if (!this.#isRelay || isLoop(peeled, this.#self)) {
      this.#count("loop");
      this.#tell(listener, "policy");
      return;
    }
    const free = this.#limits.delayedMax - this.#delayed;
    if (delayMs > 0 && !this.#delayedFrom.take(from.source, free)) {
      this.#count("overload");
      this.#tell(listener, "overload");
      return;
    }
    const name = edgeId(this.#parts.suite, peeled.nextEphemeral);
    const ticket = listener && this.#keep(listener, now, { to, name: toHex(name) });
    if (listener !== undefined && ticket === undefined) {
      if (delayMs > 0) this.#delayedFrom.leave(from.source);
      return;
    }
    this.#count("relayed");
    const send = { to, unit: peeled.unit, from: from.id, ...(ticket !== undefined && { ticket }) };
    if (delayMs === 0) {
      this.#effects.push({ kind: "send", ...send });
    } else {
      this.#delayed += 1;
      this.#timers.push(now + delayMs, { kind: "forward", source: from.source, send });
    }
  }

  #deliver(from: Neighbour, peeled: PeeledPacket, now: Instant): void {
    const content = openPayload(peeled.payload);
    const listener = this.#listenerOf(from, peeled);
    if (content === undefined) {
      this.#count("payload");
      this.#tell(listener, "protocol");
      return;
    }
    const token = listener && this.#keep(listener, now);
    if (listener !== undefined && token === undefined) return;
    this.#count("delivered");
    const delivered = { content, source: from.source, ...(token !== undefined && { token }) };
    this.#effects.push({ kind: "deliver", ...delivered });
  }

  /** The ticket of a packet that is kept; without room its listener is told instead. */
  #keep(
    listener: Listener,
    now: Instant,
    on?: { readonly to: NodeId; readonly name: string },
  ): number | undefined {
    const isTaken = on !== undefined && this.#byName.has(on.name);
    const free = this.#limits.statesMax - this.#pending.size;
    if (isTaken || !this.#hasRoom(listener, free)) {
      this.#count("overload");
      this.#tell(listener, "overload");
      return undefined;
    }
    const ticket = this.#tickets++;
    const timer = this.#timers.push(now + this.#limits.stateMs, { kind: "pending", ticket });
    const pending = { ticket, listener, to: on?.to, name: on?.name ?? "", timer };
    this.#pending.set(ticket, pending);
    if (on !== undefined) this.#byName.set(on.name, pending);
    return ticket;
  }

  /** Counts one more for a neighbour; this node's own go by what is free alone. */
  #hasRoom(listener: Listener, free: number): boolean {
    if (listener.kind === "origin") return free > 0;
    return this.#statesFrom.take(listener.source, free);
  }

  #forget(pending: Pending): void {
    this.#pending.delete(pending.ticket);
    const { listener } = pending;
    if (listener.kind === "hop") this.#statesFrom.leave(listener.source);
    if (pending.to !== undefined) this.#byName.delete(pending.name);
    this.#timers.cancel(pending.timer);
  }

  #home({ routing, payload }: PeeledPacket): void {
    const awaited = this.#takeSurb(toHex(routing.next));
    const content = awaited && openReply(this.#parts.suite, awaited.opener, payload);
    if (content === undefined) {
      this.#count(awaited === undefined ? "unknown-surb" : "payload");
      return;
    }
    this.#count("home");
    this.#effects.push({ kind: "home", name: routing.next, content });
  }

  #takeSurb(name: string): AwaitedSurb | undefined {
    const awaited = this.#surbs.get(name);
    if (awaited !== undefined) this.#timers.cancel(awaited.timer);
    this.#surbs.delete(name);
    return awaited;
  }

  #backward(from: NodeId, unit: Uint8Array): void {
    const edge = backwardEdge(this.#parts.geometry, unit);
    const pending = edge && this.#byName.get(toHex(edge));
    if (pending?.to === undefined || !isSameNode(pending.to, from)) {
      this.#count("unknown-back");
      return;
    }
    this.#forget(pending);
    const { listener } = pending;
    if (listener.kind === "hop") {
      this.#count("passed-back");
      const passed = passBackward(this.#parts, unit, { ...listener, filler: this.#filler() });
      this.#effects.push({ kind: "send", to: listener.from, unit: passed });
    } else {
      const opened = openBackward(this.#parts, unit, listener.layers);
      const outcome = outcomeOf(opened, listener.layers.length);
      this.#effects.push({ kind: "outcome", id: listener.id, outcome });
    }
  }

  #unsent(ticket: number, isBusy: boolean): void {
    const pending = this.#pending.get(ticket);
    if (pending === undefined) return;
    this.#forget(pending);
    if (isBusy) this.#count("overload");
    this.#tell(pending.listener, isBusy ? "overload" : "next-unreachable");
  }

  #expire(ticket: number): void {
    const pending = this.#pending.get(ticket);
    if (pending === undefined) return;
    this.#forget(pending);
    const { listener } = pending;
    // Hops say nothing: a failure that nobody has told belongs to nobody.
    if (listener.kind === "hop") return;
    const outcome = { kind: "failure", failure: { reason: "timeout" } } as const;
    this.#effects.push({ kind: "outcome", id: listener.id, outcome });
  }

  #send(input: PacketInput & { readonly kind: "send" }, now: Instant): void {
    const { first: to, unit, expects } = input;
    if (expects === undefined) {
      this.#effects.push({ kind: "send", to, unit });
      return;
    }
    const name = toHex(edgeId(this.#parts.suite, unit.subarray(2, 34)));
    const ticket = this.#keep({ kind: "origin", ...expects }, now, { to, name });
    if (ticket !== undefined) this.#effects.push({ kind: "send", to, unit, ticket });
  }

  #await(name: string, opener: SurbOpener, now: Instant): void {
    if (!this.hasRoomForSurb) {
      this.#count("overload");
      return;
    }
    const timer = this.#timers.push(now + this.#limits.surbMs, { kind: "surb", name });
    this.#surbs.set(name, { opener, timer });
  }

  #answer(token: number, answer: BackwardContent): void {
    const pending = this.#pending.get(token);
    if (pending === undefined || pending.to !== undefined) return;
    this.#forget(pending);
    if (pending.listener.kind === "hop") this.#sendBack(pending.listener, answer);
  }

  /** Tells whoever may hear of a packet that this node cannot go on with it. */
  #tell(listener: Listener | undefined, reason: FailureReason): void {
    if (listener?.kind === "hop") {
      this.#sendBack(listener, { kind: "failure", reason, detail: 0 });
    } else if (listener?.kind === "origin") {
      const outcome = { kind: "failure", failure: { reason, hop: -1 } } as const;
      this.#effects.push({ kind: "outcome", id: listener.id, outcome });
    }
  }

  #sendBack({ edge, key, from }: BackState, content: BackwardContent): void {
    const unit = makeBackward(this.#parts, { edge, key, content, filler: this.#filler() });
    this.#effects.push({ kind: "send", to: from, unit });
  }

  #listenerOf(
    { id: from, source }: Neighbour,
    { routing, ephemeral, keys }: PeeledPacket,
  ): Listener | undefined {
    if (!routing.keepsBackState) return undefined;
    const edge = edgeId(this.#parts.suite, ephemeral);
    return { kind: "hop", edge, from, source, key: keys.backward.slice() };
  }

  #filler(): number {
    return this.#random.bytes(1)[0] ?? 0;
  }

  #count(name: string): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1);
  }
}
