import {
  type Core,
  type Instant,
  type Random,
  resolveLimits,
  toHex,
  unreachable,
} from "../../base/index.ts";
import { isSameNode, type NodeId, nodeIdText } from "../../identity/index.ts";
import { FairBucket, FairPlaces, type TimerHandle, TimerQueue } from "../../retx/index.ts";
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
import {
  type HopComponents,
  type OnionParts,
  openPayload,
  type PeeledPacket,
  type Peeler,
} from "./packet.ts";
import {
  PACKET_LIMITS,
  type PacketEffect,
  type PacketInput,
  type PacketLimits,
} from "./packet-protocol.ts";
import {
  type AwaitedFrom,
  type BackState,
  type Listener,
  type Pending,
  PendingPackets,
} from "./pending-packets.ts";
import { openReply, type SurbOpener } from "./surb.ts";

/** Where a packet comes from, and whom it counts for. */
interface Neighbour {
  readonly id: NodeId;
  readonly source: string;
}

/** A reply block of this node's own. */
interface AwaitedSurb {
  readonly opener: SurbOpener;
  readonly timer: TimerHandle;
}

/** A packet on its way to the next node. */
type Send = Omit<PacketEffect & { readonly kind: "send" }, "kind">;

/** A packet that waits for its time. */
interface Held {
  readonly source: string;
  readonly send: Send;
  timer: TimerHandle | undefined;
}

type Timer =
  | { readonly kind: "forward"; readonly held: Held }
  | { readonly kind: "pending"; readonly pending: Pending }
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
  readonly #pending: PendingPackets;
  readonly #held: FairPlaces<Held>;
  readonly #surbs = new Map<string, AwaitedSurb>();
  /** What may still be opened: made with the first packet, as a core has no time before that. */
  #openings: FairBucket | undefined;

  constructor(
    components: HopComponents,
    options: { readonly limits?: Partial<PacketLimits>; readonly isRelay?: boolean } = {},
  ) {
    this.#parts = components.parts;
    this.#peeler = components.peeler;
    this.#self = components.self;
    this.#random = components.random;
    this.#limits = resolveLimits(PACKET_LIMITS, options.limits);
    this.#isRelay = options.isRelay ?? true;
    const { delayedMax, statesMax, surbsMax } = this.#limits;
    this.#timers = new TimerQueue({ capacity: delayedMax + statesMax + surbsMax });
    this.#pending = new PendingPackets(statesMax, (pending) => this.#refuse(pending));
    this.#held = new FairPlaces<Held>(delayedMax, (held) => this.#giveUp(held));
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
        this.#held.leave(timer.held.source, timer.held);
        this.#effects.push({ kind: "send", ...timer.held.send });
      } else if (timer.kind === "pending") {
        this.#expire(timer.pending);
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
    const { packetsPerSecond: perSecond, packetsBurst: capacity } = this.#limits;
    this.#openings ??= new FairBucket({ capacity, perSecond }, now);
    // Before anything is computed: nobody can tell what it was, so nobody is told.
    if (!this.#openings.take(source, now)) {
      this.#count("refused-packet");
      return;
    }
    const peeled = this.#peeler.peel(unit);
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
    if (!this.#isRelay || isSameNode(to, this.#self)) {
      this.#count("loop");
      this.#tell(listener, "policy");
      return;
    }
    const name = edgeId(this.#parts.suite, peeled.nextEphemeral);
    const pending = listener && this.#keep(listener, now, { to, name: toHex(name) });
    if (listener !== undefined && pending === undefined) return;
    const ticket = pending && { ticket: pending.ticket };
    const send = { to, unit: peeled.unit, from: from.id, ...ticket };
    if (delayMs > 0 && !this.#hold(send, from.source, now + delayMs)) return;
    this.#count("relayed");
    if (delayMs === 0) this.#effects.push({ kind: "send", ...send });
  }

  /** Keeps a packet until its time; without room its listener is told. */
  #hold(send: Send, source: string, at: Instant): boolean {
    const held: Held = { source, send, timer: undefined };
    if (!this.#held.take(source, held)) {
      this.#giveUp(held);
      return false;
    }
    held.timer = this.#timers.push(at, { kind: "forward", held });
    return true;
  }

  /** A packet for which there is no room, or not any more. */
  #giveUp({ send: { ticket }, timer }: Held): void {
    if (timer !== undefined) this.#timers.cancel(timer);
    const pending = ticket === undefined ? undefined : this.#pending.get(ticket);
    if (pending === undefined) this.#count("overload");
    else this.#refuse(pending);
  }

  /** The listener of a packet is told that there is no room for it. */
  #refuse(pending: Pending): void {
    this.#forget(pending);
    this.#count("overload");
    this.#tell(pending.listener, "overload");
  }

  #deliver(from: Neighbour, peeled: PeeledPacket, now: Instant): void {
    const content = openPayload(peeled.payload);
    const listener = this.#listenerOf(from, peeled);
    if (content === undefined) {
      this.#count("payload");
      this.#tell(listener, "protocol");
      return;
    }
    const pending = listener && this.#keep(listener, now);
    if (listener !== undefined && pending === undefined) return;
    this.#count("delivered");
    const token = pending && { token: pending.ticket };
    const by = { from: from.id, source: from.source };
    this.#effects.push({ kind: "deliver", content, ...by, ...token });
  }

  /** A packet that a unit may still belong to; without room its listener is told. */
  #keep(listener: Listener, now: Instant, on?: AwaitedFrom): Pending | undefined {
    const pending = this.#pending.keep(listener, on);
    if (pending === undefined) {
      this.#count("overload");
      this.#tell(listener, "overload");
      return undefined;
    }
    pending.timer = this.#timers.push(now + this.#limits.stateMs, { kind: "pending", pending });
    return pending;
  }

  #forget(pending: Pending): void {
    this.#pending.forget(pending);
    if (pending.timer !== undefined) this.#timers.cancel(pending.timer);
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
    const pending = edge && this.#pending.named(toHex(edge));
    if (pending?.on === undefined || !isSameNode(pending.on.to, from)) {
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
    if (isBusy) {
      this.#refuse(pending);
      return;
    }
    this.#forget(pending);
    this.#tell(pending.listener, "next-unreachable");
  }

  #expire(pending: Pending): void {
    this.#forget(pending);
    const { listener } = pending;
    // Hops say nothing: a failure that nobody has told belongs to nobody.
    if (listener.kind === "hop") return;
    const outcome = { kind: "failure", failure: { reason: "timeout" } } as const;
    this.#effects.push({ kind: "outcome", id: listener.id, outcome });
  }

  #send(input: PacketInput & { readonly kind: "send" }, now: Instant): void {
    const { first: to, unit, from, expects } = input;
    if (expects === undefined) {
      this.#effects.push({ kind: "send", to, unit, ...(from && { from }) });
      return;
    }
    const name = toHex(edgeId(this.#parts.suite, unit.subarray(2, 34)));
    const pending = this.#keep({ kind: "origin", ...expects }, now, { to, name });
    const ticket = pending?.ticket;
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
    if (pending === undefined || pending.on !== undefined) return;
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
