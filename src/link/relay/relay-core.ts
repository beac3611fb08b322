import {
  type Core,
  CulvertError,
  type Instant,
  requireObject,
  unreachable,
} from "../../base/index.ts";
import { isSameNode, type NodeId, type NodeIdentity } from "../../identity/index.ts";
import { roomForCall } from "./call-room.ts";
import { Circuit, type LegId } from "./circuit.ts";
import { encodeFrame, type RelayFrame, RelayFrameBuffer, type RelayRefusal } from "./frames.ts";
import type { Leg } from "./leg.ts";
import type { RelayLimits } from "./limits.ts";
import type { RelayEffect, RelayInput, RelayStatistics } from "./protocol.ts";
import { type Reservation, ReservationBook } from "./reservation-book.ts";

/** What a relay core is made of. */
export interface RelayCoreOptions {
  readonly identity: NodeIdentity;
  readonly limits: RelayLimits;
  /** Whether there is a link to a node that does not go through a relay. */
  readonly isDirect: (node: NodeId) => boolean;
}

/**
 * A relay between nodes that cannot reach each other, as a synchronous state machine: it keeps
 * places for holders, and joins the streams of their callers with streams to them. What passes is
 * sealed by the two ends; the relay counts it, slows it down, and can read nothing.
 *
 * - Neither of the two links may go through a relay itself, and nobody is joined with himself.
 * - Every stream that is opened here is answered or cut in time.
 * - No peer makes it throw, or hold more than its limits say.
 */
export class RelayCore implements Core<RelayInput, RelayEffect> {
  readonly #options: RelayCoreOptions;
  readonly #limits: RelayLimits;
  readonly #effects: RelayEffect[] = [];
  readonly #book: ReservationBook;
  readonly #legs = new Map<LegId, Leg>();
  readonly #circuits = new Map<Circuit, Reservation>();
  #lastLeg: LegId = 0;
  #circuitsOpened = 0;
  #refused = 0;
  #passedBytes = 0;

  constructor(options: RelayCoreOptions) {
    requireObject("options", options);
    requireObject("limits", options.limits);
    this.#options = options;
    this.#limits = options.limits;
    const { identity, limits } = options;
    this.#book = new ReservationBook(identity, limits, (displaced) => this.#end(displaced));
  }

  get statistics(): RelayStatistics {
    return {
      reservations: this.#book.size,
      circuits: this.#circuits.size,
      circuitsOpened: this.#circuitsOpened,
      refused: this.#refused,
      passedBytes: this.#passedBytes,
    };
  }

  handle(input: RelayInput, now: Instant): void {
    if (input.kind === "opened") {
      this.#opened(input, now);
      return;
    }
    const leg = this.#legs.get(input.leg);
    if (leg === undefined) {
      const isLate = input.kind === "dialled" && input.isOpen;
      if (isLate) this.#effects.push({ kind: "reset", leg: input.leg }); // its call is over
      return;
    }
    switch (input.kind) {
      case "dialled":
        this.#dialled(leg, input.isOpen, now);
        break;
      case "bytes":
        this.#received(leg, input.bytes, { now, unixMs: input.unixMs });
        break;
      case "sent":
        leg.unsentBytes = Math.max(leg.unsentBytes - input.bytes, 0);
        leg.circuit?.sent(leg.id, input.bytes, now);
        this.#forgetIfOver(leg);
        break;
      case "ended":
        if (leg.circuit === undefined) this.#drop(leg);
        else leg.circuit.ended(leg.id);
        this.#forgetIfOver(leg);
        break;
      case "closed":
        this.#closed(leg);
        break;
      default:
        unreachable(input);
    }
  }

  timeout(now: Instant): void {
    for (const leg of [...this.#legs.values()]) if (leg.deadline <= now) this.#expired(leg);
    for (const circuit of [...this.#circuits.keys()]) {
      if (circuit.lastAt + this.#limits.circuitIdleMs <= now) this.#cut(circuit);
      else circuit.timeout(now);
    }
    for (const reservation of this.#book.takeExpired(now)) this.#end(reservation);
  }

  poll(): RelayEffect | undefined {
    return this.#effects.shift();
  }

  deadline(): Instant {
    let first = this.#book.deadline();
    for (const { deadline } of this.#legs.values()) first = Math.min(first, deadline);
    for (const { wakesAt, lastAt } of this.#circuits.keys()) {
      first = Math.min(first, wakesAt, lastAt + this.#limits.circuitIdleMs);
    }
    return first;
  }

  #opened(input: RelayInput & { kind: "opened" }, now: Instant): void {
    const { leg: id, peer, isRelayed, network } = input;
    const leg = this.#add({ id, peer, isRelayed, network }, "opening", now);
    const openings = [...this.#legs.values()].filter(
      (other) => other.state === "opening" && isSameNode(other.peer, peer),
    );
    if (openings.length > this.#limits.openingsPerPeerMax) this.#refuse(leg, "busy");
  }

  #add(
    init: Pick<Leg, "id" | "peer" | "isRelayed" | "network">,
    state: Leg["state"],
    now: Instant,
  ): Leg {
    const leg: Leg = {
      ...init,
      frames: new RelayFrameBuffer(),
      unsentBytes: 0,
      state,
      deadline: now + this.#limits.answerMs,
      other: undefined,
      circuit: undefined,
      reservation: undefined,
    };
    this.#legs.set(init.id, leg);
    return leg;
  }

  #received(leg: Leg, bytes: Uint8Array, moment: { now: Instant; unixMs: number }): void {
    if (leg.circuit !== undefined) {
      this.#pass(leg, leg.circuit, bytes, moment.now);
      return;
    }
    leg.frames.push(bytes);
    // A caller may send ahead of the answer, as much as a circuit would hold.
    if (leg.state === "calling") {
      if (leg.frames.length > this.#limits.circuitBufferBytes) this.#drop(leg);
      return;
    }
    try {
      while (this.#isTalking(leg)) {
        const frame = leg.frames.next();
        if (frame === undefined) return;
        this.#take(leg, frame, moment);
      }
    } catch (error) {
      if (!(error instanceof CulvertError)) throw error;
      this.#refuse(leg, "protocol");
    }
  }

  /** Whether what comes next on a leg is a frame for the relay, and not for the other end. */
  #isTalking({ id, state }: Leg): boolean {
    return this.#legs.has(id) && state !== "calling" && state !== "joined";
  }

  #take(leg: Leg, frame: RelayFrame, moment: { now: Instant; unixMs: number }): void {
    const isFirst = leg.state === "opening";
    if (frame.kind === "reserve" && (isFirst || leg.state === "control")) {
      this.#reserve(leg, moment);
    } else if (frame.kind === "connect" && isFirst) this.#connect(leg, frame.target, moment.now);
    else if (frame.kind === "connected" && leg.state === "called") this.#join(leg, moment.now);
    else if (frame.kind === "refused" && leg.state === "called") {
      this.#endCall(leg, "declined");
      this.#drop(leg);
    } else this.#refuse(leg, "protocol");
  }

  #reserve(leg: Leg, moment: { now: Instant; unixMs: number }): void {
    if (this.#isDeaf(leg)) {
      this.#drop(leg);
      return;
    }
    const { peer, isRelayed } = leg;
    const reservation = isRelayed ? undefined : this.#book.reserve(peer, leg.network, moment);
    if (reservation === undefined) {
      this.#refuse(leg, isRelayed ? "relay-over-relay" : "busy");
      return;
    }
    const old = this.#legs.get(reservation.controlLeg ?? leg.id);
    if (old !== undefined && old !== leg) this.#drop(old);
    leg.state = "control";
    leg.deadline = Number.POSITIVE_INFINITY;
    leg.reservation = reservation;
    reservation.controlLeg = leg.id;
    this.#say(leg, { kind: "reserved", voucher: reservation.voucher.toBytes() });
  }

  /** A question costs three bytes: whoever does not read what it is told is told no more. */
  #isDeaf({ unsentBytes }: Leg): boolean {
    return unsentBytes > this.#limits.circuitBufferBytes;
  }

  #connect(leg: Leg, target: NodeId, now: Instant): void {
    const reservation = this.#book.find(target);
    const refusal = this.#whyNot(leg, target, reservation);
    if (refusal !== undefined || reservation === undefined) {
      this.#refuse(leg, refusal ?? "no-reservation");
      return;
    }
    const call = { caller: leg, reservation };
    const room = roomForCall(this.#legs.values(), call, this.#limits);
    if (!room.isThere) {
      this.#refuse(leg, "busy");
      return;
    }
    if (room.instead !== undefined) this.#drop(room.instead);
    this.#lastLeg -= 1;
    const holder = this.#add(
      { id: this.#lastLeg, peer: target, isRelayed: false, network: reservation.network },
      "dialling",
      now,
    );
    reservation.circuits += 1;
    holder.reservation = reservation;
    holder.other = leg;
    leg.other = holder;
    leg.state = "calling";
    leg.deadline = Number.POSITIVE_INFINITY;
    this.#effects.push({ kind: "read", leg: leg.id, isReading: false });
    this.#effects.push({ kind: "open", leg: holder.id, peer: target });
  }

  #whyNot(
    caller: Leg,
    target: NodeId,
    reservation: Reservation | undefined,
  ): RelayRefusal | undefined {
    const { peer, isRelayed } = caller;
    const ends = [peer, this.#options.identity.id];
    if (isRelayed || ends.some((end) => isSameNode(end, target))) return "relay-over-relay";
    if (reservation === undefined) return "no-reservation";
    if (!this.#options.isDirect(target)) return "not-linked";
    return reservation.usedBytes >= this.#limits.quotaBytes ? "quota" : undefined;
  }

  #dialled(leg: Leg, isOpen: boolean, now: Instant): void {
    if (leg.state !== "dialling") return;
    if (!isOpen) {
      this.#endCall(leg, "not-linked");
      this.#remove(leg);
      return;
    }
    leg.state = "called";
    leg.deadline = now + this.#limits.answerMs;
    const caller = leg.other?.peer;
    if (caller !== undefined) this.#say(leg, { kind: "call", caller });
  }

  #join(holder: Leg, now: Instant): void {
    const { other: caller, reservation } = holder;
    if (caller === undefined || reservation === undefined) return;
    const circuit = new Circuit({
      caller: caller.id,
      holder: holder.id,
      bufferBytes: this.#limits.circuitBufferBytes,
      gate: reservation.gate,
      effect: (effect) => this.#effects.push(effect),
      now,
    });
    this.#circuits.set(circuit, reservation);
    this.#circuitsOpened += 1;
    this.#say(caller, { kind: "connected" });
    for (const leg of [caller, holder]) {
      leg.state = "joined";
      leg.circuit = circuit;
      leg.deadline = Number.POSITIVE_INFINITY;
      leg.reservation = reservation;
    }
    this.#effects.push({ kind: "read", leg: caller.id, isReading: true });
    for (const leg of [caller, holder]) this.#pass(leg, circuit, leg.frames.takeRest(), now);
  }

  #pass(leg: Leg, circuit: Circuit, bytes: Uint8Array, now: Instant): void {
    const { reservation } = leg;
    // What a caller had sent ahead may have used the quota up, and cut the circuit.
    if (reservation === undefined || !this.#circuits.has(circuit)) return;
    reservation.usedBytes += bytes.length;
    this.#passedBytes += bytes.length;
    circuit.pass(leg.id, bytes, now);
    if (reservation.usedBytes - reservation.reportedBytes >= this.#limits.reportBytes) {
      this.#reportUse(reservation);
    }
    if (reservation.usedBytes > this.#limits.quotaBytes) this.#cutAll(reservation);
  }

  #reportUse(reservation: Reservation): void {
    const control = this.#legs.get(reservation.controlLeg ?? 0);
    if (control?.state !== "control" || this.#isDeaf(control)) return;
    reservation.reportedBytes = reservation.usedBytes;
    this.#say(control, { kind: "usage", usedBytes: reservation.usedBytes });
  }

  #expired(leg: Leg): void {
    if (leg.state === "dialling" || leg.state === "called") this.#endCall(leg, "declined");
    this.#drop(leg);
  }

  /** A call comes to nothing: its caller is told why. It counts no more, and once only. */
  #endCall(holder: Leg, reason: RelayRefusal): void {
    const { other: caller, reservation } = holder;
    holder.other = undefined;
    holder.reservation = undefined;
    if (reservation !== undefined) reservation.circuits -= 1;
    if (caller === undefined || !this.#legs.has(caller.id)) return;
    caller.other = undefined;
    this.#refuse(caller, reason);
  }

  #closed(leg: Leg): void {
    this.#remove(leg);
    if (leg.circuit !== undefined) this.#cut(leg.circuit);
    else if (leg.state === "calling" && leg.other !== undefined) this.#drop(leg.other);
    else if (leg.state === "dialling" || leg.state === "called") this.#endCall(leg, "declined");
  }

  #forgetIfOver({ circuit }: Leg): void {
    if (circuit?.isOver === true) this.#forget(circuit);
  }

  /** A reservation is over. */
  #end(reservation: Reservation): void {
    this.#cutAll(reservation);
    const control = this.#legs.get(reservation.controlLeg ?? 0);
    if (control !== undefined) this.#drop(control);
  }

  /** Ends what goes through a reservation, and the calls that would. */
  #cutAll(reservation: Reservation): void {
    for (const leg of [...this.#legs.values()]) {
      const isCall = leg.state === "dialling" || leg.state === "called";
      if (isCall && leg.reservation === reservation) this.#expired(leg);
    }
    for (const [circuit, other] of [...this.#circuits]) {
      if (other === reservation) this.#cut(circuit);
    }
  }

  #cut(circuit: Circuit): void {
    for (const id of circuit.legs) {
      if (this.#legs.has(id)) this.#effects.push({ kind: "reset", leg: id });
    }
    this.#forget(circuit);
  }

  #forget(circuit: Circuit): void {
    const reservation = this.#circuits.get(circuit);
    if (reservation === undefined) return;
    this.#circuits.delete(circuit);
    reservation.circuits -= 1;
    for (const id of circuit.legs) this.#legs.delete(id);
    this.#reportUse(reservation);
  }

  #refuse(leg: Leg, reason: RelayRefusal): void {
    this.#refused += 1;
    this.#say(leg, { kind: "refused", reason });
    this.#effects.push({ kind: "leave", leg: leg.id });
    this.#remove(leg);
    if (leg.state === "called") this.#endCall(leg, "declined");
  }

  #drop(leg: Leg): void {
    this.#effects.push({ kind: "reset", leg: leg.id });
    this.#closed(leg);
  }

  #remove(leg: Leg): void {
    this.#legs.delete(leg.id);
    if (leg.reservation?.controlLeg === leg.id) leg.reservation.controlLeg = undefined;
  }

  #say(leg: Leg, frame: RelayFrame): void {
    const bytes = encodeFrame(frame);
    leg.unsentBytes += bytes.length;
    this.#effects.push({ kind: "send", leg: leg.id, bytes });
  }
}
