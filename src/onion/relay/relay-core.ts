import { type Core, type Instant, unreachable } from "../../base/index.ts";
import { isSameNode } from "../../identity/index.ts";
import { FairBucket, TimerQueue } from "../../retx/index.ts";
import { failureCell, isForMe, writeCell } from "../circuit/cell.ts";
import { agreeAsHop, answerAsHop, type HopHandshake } from "../circuit/circuit-build.ts";
import type { EndEvent } from "../circuit/circuit-end.ts";
import { BLOCKED_UNITS, exitLayers, SealedEnd } from "../circuit/sealed-end.ts";
import type { FailureReason } from "../packet/backward.ts";
import type { HopComponents, PeeledPacket } from "../packet/packet.ts";
import { CircuitsPerLink } from "./circuits-per-link.ts";
import { CoverShare } from "./cover-share.ts";
import { type RelayChannel, RelayCircuit, type RelayTimer, relayChannel } from "./relay-circuit.ts";
import {
  type RelayOptions,
  type ResolvedRelayOptions,
  resolveRelayOptions,
} from "./relay-options.ts";
import type { ChannelId, CircuitId, RelayEffect, RelayInput } from "./relay-protocol.ts";
import { UnsentCells } from "./unsent-cells.ts";

/**
 * The circuits of one node, as relay and as last hop. A neighbour opens a channel for each circuit
 * and sends its build in a one-time packet; everything after that is cells.
 *
 * What fails is told backwards, under this hop's own layer: only the origin learns which hop it
 * was. A build that does not open ends its channel without a word, whatever was wrong with it.
 * Channels that this core opens have even numbers; those that the shell tells of have odd ones.
 */
export class RelayCore implements Core<RelayInput, RelayEffect> {
  readonly #components: HopComponents;
  readonly #options: ResolvedRelayOptions;
  readonly #channels = new Map<ChannelId, RelayChannel>();
  readonly #circuits = new Map<CircuitId, RelayCircuit>();
  readonly #perLink: CircuitsPerLink;
  readonly #unsent: UnsentCells;
  readonly #cover: CoverShare;
  readonly #timers: TimerQueue<RelayTimer>;
  readonly #effects: RelayEffect[] = [];
  readonly #counts = new Map<string, number>();
  #builds: FairBucket | undefined;
  #opened = 0;
  #circuitCount = 0;

  constructor(components: HopComponents, options: Partial<RelayOptions> = {}) {
    this.#components = components;
    this.#options = resolveRelayOptions(options);
    const { limits, circuit } = this.#options;
    const { circuitsMax, waitingCellsMax: ofAll } = limits;
    this.#unsent = new UnsentCells({ ofChannel: circuit.unsentCellsMax, ofAll });
    this.#cover = new CoverShare(limits.coverCellsPerSecond);
    this.#timers = new TimerQueue({ capacity: 3 * circuitsMax });
    this.#perLink = new CircuitsPerLink(limits, (it) => this.#fail(it, "overload"));
  }

  /** How many circuits go through or end at this node, those that wait for a build included. */
  get circuits(): number {
    return this.#circuits.size;
  }

  /** What was dropped, refused and ended, by name. */
  get counts(): ReadonlyMap<string, number> {
    return this.#counts;
  }

  handle(input: RelayInput, now: Instant): void {
    switch (input.kind) {
      case "opened":
        this.#accept(input, now);
        break;
      case "unit":
        this.#receive(input.channel, input.unit, now);
        break;
      case "sent":
        this.#sent(input.channel, input.count);
        break;
      case "closed":
        this.#closed(input.channel);
        break;
      case "respond":
        this.#respond(input.circuit, input.request, input.content);
        break;
      case "data":
        this.#withExit(input.circuit, (exit) => void exit.end.sendData(input.content));
        break;
      case "refuse":
        this.#refuse(input.circuit, input.reason);
        break;
      default:
        unreachable(input);
    }
  }

  timeout(now: Instant): void {
    for (let timer = this.#timers.due(now); timer !== undefined; timer = this.#timers.due(now)) {
      const { circuit } = timer;
      if (timer.kind === "beat") this.#beat(circuit, now);
      else if (circuit.state === "building") this.#fail(circuit, "timeout");
      else this.#fail(circuit, "expired");
    }
  }

  poll(): RelayEffect | undefined {
    return this.#effects.shift();
  }

  deadline(): Instant {
    return this.#timers.deadline();
  }

  #accept(input: RelayInput & { readonly kind: "opened" }, now: Instant): void {
    const { channel } = input;
    const circuit = new RelayCircuit(this.#circuitCount++, input);
    if (!this.#perLink.accept(circuit)) {
      this.#count("refused-circuit");
      this.#effects.push({ kind: "close", channel, isStuck: false });
      return;
    }
    this.#channels.set(channel, circuit.inbound);
    this.#circuits.set(circuit.id, circuit);
    this.#rearm(circuit, now + this.#options.circuit.buildMs);
  }

  #receive(channel: ChannelId, unit: Uint8Array, now: Instant): void {
    const found = this.#channels.get(channel);
    if (found === undefined) return;
    const { circuit } = found;
    const isForward = found === circuit.inbound;
    if (circuit.state === "waiting") {
      this.#build(circuit, unit, now);
    } else if (unit.length !== this.#components.parts.geometry.cellBytes) {
      this.#fail(circuit, "protocol");
    } else if (circuit.state === "building") {
      if (isForward) this.#fail(circuit, "protocol");
      else this.#answer(circuit, unit, now);
    } else if (++circuit.cells > this.#options.circuit.cellsMax) {
      this.#fail(circuit, "expired");
    } else if (isForward) {
      this.#forward(circuit, unit, now);
    } else {
      circuit.handshake?.keys.backward.seal(unit);
      this.#write(circuit.inbound, unit);
    }
  }

  #build(circuit: RelayCircuit, unit: Uint8Array, now: Instant): void {
    const { peeler, parts, random } = this.#components;
    const { buildsPerSecond, buildsBurst } = this.#options.limits;
    const bucket = { capacity: buildsBurst, perSecond: buildsPerSecond };
    this.#builds ??= new FairBucket(bucket, now);
    if (!this.#builds.take(circuit.source, now)) {
      this.#count("refused-build");
      this.#remove(circuit);
      return;
    }
    const peeled = peeler.peel(unit);
    const handshake =
      peeled.kind === "peeled" ? agreeAsHop(parts.suite, peeled, random) : undefined;
    if (peeled.kind === "dropped" || handshake === undefined) {
      this.#count(peeled.kind === "dropped" ? peeled.reason : "key");
      this.#remove(circuit);
      return;
    }
    circuit.handshake = handshake;
    circuit.state = "building";
    if (peeled.routing.command === "exit") this.#becomeExit(circuit, handshake, now);
    else if (peeled.routing.command === "extend") this.#extend(circuit, peeled, now);
    else this.#fail(circuit, "protocol");
  }

  #becomeExit(circuit: RelayCircuit, handshake: HopHandshake, now: Instant): void {
    const { geometry } = this.#components.parts;
    if (!this.#options.isExit) {
      this.#fail(circuit, "policy");
      return;
    }
    circuit.exit = new SealedEnd(
      {
        geometry,
        layers: exitLayers(handshake.keys),
        write: (cell) => this.#write(circuit.inbound, cell),
      },
      this.#options.circuit,
    );
    this.#answer(circuit, this.#components.random.bytes(geometry.cellBytes), now);
    this.#effects.push({ kind: "incoming", circuit: circuit.id, source: circuit.source });
  }

  #extend(circuit: RelayCircuit, peeled: PeeledPacket, now: Instant): void {
    const to = peeled.routing.next.slice();
    const isAllowed = this.#options.isRelay && !isSameNode(to, this.#components.self);
    if (!isAllowed || !this.#perLink.extend(circuit, to)) {
      this.#fail(circuit, isAllowed ? "overload" : "policy");
      return;
    }
    circuit.to = to;
    this.#opened += 1;
    const outbound = relayChannel(2 * this.#opened, circuit);
    circuit.outbound = outbound;
    this.#channels.set(outbound.id, outbound);
    this.#effects.push({ kind: "open", channel: outbound.id, to, from: circuit.from });
    this.#write(outbound, peeled.unit);
    this.#rearm(circuit, now + this.#options.circuit.buildMs);
  }

  /** Puts the own slot before what the hops behind have answered; the circuit is open. */
  #answer(circuit: RelayCircuit, after: Uint8Array, now: Instant): void {
    const { handshake } = circuit;
    if (handshake === undefined) return;
    const { suite } = this.#components.parts;
    this.#write(circuit.inbound, answerAsHop(suite, handshake, after));
    circuit.state = "open";
    this.#count("built");
    this.#rearm(circuit, now + this.#options.circuit.relayLifeMs);
  }

  #forward(circuit: RelayCircuit, cell: Uint8Array, now: Instant): void {
    circuit.handshake?.keys.forward.open(cell);
    if (circuit.exit === undefined && circuit.outbound !== undefined && !isForMe(cell)) {
      this.#write(circuit.outbound, cell);
      return;
    }
    // A cell for a hop half-way, or one that opens for nobody: garbled by somebody before.
    if (circuit.exit === undefined || !isForMe(cell)) {
      this.#count("garbled");
      this.#fail(circuit, "protocol");
      return;
    }
    this.#take(circuit, circuit.exit, circuit.exit.receive(cell), now);
  }

  #take(circuit: RelayCircuit, exit: SealedEnd, event: EndEvent, now: Instant): void {
    switch (event.kind) {
      case "request":
        this.#takeRequest(circuit, event.request, event.content);
        break;
      case "data":
        this.#effects.push({ kind: "data", circuit: circuit.id, content: event.content });
        break;
      case "cover":
        this.#startCover(circuit, exit, event.intervalMs, now);
        break;
      case "failure":
      case "violation":
        this.#count("violation");
        this.#fail(circuit, "protocol");
        return;
      case "nothing":
        break;
      default:
        unreachable(event);
    }
    this.#flush(circuit);
  }

  #takeRequest(circuit: RelayCircuit, request: number, content: Uint8Array): void {
    const { openRequests, exit } = circuit;
    // Responses that wait for credit count: whoever grants none gets no more of them.
    const unanswered = openRequests.size + (exit?.end.queuedRequests ?? 0);
    if (openRequests.has(request) || unanswered >= this.#options.circuit.requestsMax) {
      this.#count("violation");
      this.#fail(circuit, "overload");
      return;
    }
    openRequests.add(request);
    this.#effects.push({ kind: "request", circuit: circuit.id, request, content });
  }

  #respond(id: CircuitId, request: number, content: Uint8Array): void {
    if (this.#circuits.get(id)?.openRequests.delete(request) !== true) return;
    this.#withExit(id, (exit) => exit.end.sendRequest(request, content));
  }

  #withExit(id: CircuitId, act: (exit: SealedEnd) => void): void {
    const circuit = this.#circuits.get(id);
    if (circuit?.exit === undefined) return;
    act(circuit.exit);
    this.#flush(circuit);
  }

  #refuse(id: CircuitId, reason: FailureReason): void {
    const circuit = this.#circuits.get(id);
    if (circuit !== undefined) this.#fail(circuit, reason);
  }

  #flush(circuit: RelayCircuit): void {
    const { exit, inbound } = circuit;
    if (exit === undefined) return;
    exit.flush(() => inbound.unsent >= BLOCKED_UNITS);
    if (circuit.isEnding) return;
    const most = this.#unsent.keep(inbound, exit.end.keptCells, this.#channels);
    if (most !== undefined) this.#fail(most.circuit, "overload");
  }

  #startCover(circuit: RelayCircuit, exit: SealedEnd, intervalMs: number, now: Instant): void {
    this.#endCover(circuit);
    const { coverMsMin } = this.#options.circuit;
    exit.coverMs = intervalMs === 0 ? 0 : Math.max(intervalMs, coverMsMin);
    if (exit.coverMs === 0) return;
    this.#cover.enter(circuit.source);
    this.#beatLater(circuit, now);
  }

  #endCover(circuit: RelayCircuit): void {
    if (circuit.beat === undefined) return;
    this.#timers.cancel(circuit.beat);
    circuit.beat = undefined;
    this.#cover.leave(circuit.source);
  }

  #beat(circuit: RelayCircuit, now: Instant): void {
    const { exit, inbound } = circuit;
    if (exit !== undefined && inbound.unsent < BLOCKED_UNITS) exit.beat();
    // Its cell may have been one too many.
    if (!circuit.isEnding) this.#beatLater(circuit, now);
  }

  #beatLater(circuit: RelayCircuit, now: Instant): void {
    const at = now + this.#cover.pauseMs(circuit.source, circuit.exit?.coverMs ?? 0);
    circuit.beat = this.#timers.push(at, { circuit, kind: "beat" });
  }

  #sent(channel: ChannelId, count: number): void {
    const found = this.#channels.get(channel);
    if (found === undefined) return;
    this.#unsent.sent(found, count);
    if (found === found.circuit.inbound) this.#flush(found.circuit);
  }

  #closed(channel: ChannelId): void {
    const found = this.#channels.get(channel);
    if (found === undefined) return;
    this.#channels.delete(channel);
    if (found === found.circuit.inbound) this.#remove(found.circuit);
    else this.#fail(found.circuit, "next-unreachable");
  }

  #write(channel: RelayChannel, unit: Uint8Array): void {
    if (!this.#channels.has(channel.id)) return;
    this.#effects.push({ kind: "write", channel: channel.id, unit });
    const stuck = this.#unsent.add(channel, this.#channels);
    if (stuck === undefined || stuck.circuit.isEnding) return;
    stuck.isStuck = true;
    if (stuck === stuck.circuit.inbound) this.#remove(stuck.circuit);
    else this.#fail(stuck.circuit, "overload");
  }

  /** Tells the origin why, under this hop's own layer, and ends the circuit. */
  #fail(circuit: RelayCircuit, reason: FailureReason): void {
    if (circuit.isEnding) return;
    circuit.isEnding = true;
    this.#count(reason);
    const { suite, geometry } = this.#components.parts;
    const { handshake, exit, inbound } = circuit;
    if (circuit.state === "building" && handshake !== undefined) {
      const noise = this.#components.random.bytes(geometry.cellBytes);
      this.#write(inbound, answerAsHop(suite, handshake, noise, reason));
    } else if (exit !== undefined) {
      exit.end.sendFailure(reason);
      exit.beat();
    } else if (handshake !== undefined) {
      const cell = writeCell(geometry.cellBytes, failureCell(reason));
      handshake.keys.backward.seal(cell);
      this.#write(inbound, cell);
    }
    this.#remove(circuit);
  }

  #remove(circuit: RelayCircuit): void {
    if (!this.#circuits.delete(circuit.id)) return;
    circuit.isEnding = true;
    for (const channel of [circuit.inbound, circuit.outbound]) {
      if (channel === undefined) continue;
      this.#unsent.forget(channel);
      if (!this.#channels.delete(channel.id)) continue;
      this.#effects.push({ kind: "close", channel: channel.id, isStuck: channel.isStuck });
    }
    if (circuit.life !== undefined) this.#timers.cancel(circuit.life);
    this.#endCover(circuit);
    this.#perLink.leave(circuit, circuit.to);
    if (circuit.exit !== undefined) this.#effects.push({ kind: "gone", circuit: circuit.id });
  }

  #rearm(circuit: RelayCircuit, at: Instant): void {
    if (circuit.life !== undefined) this.#timers.cancel(circuit.life);
    circuit.life = this.#timers.push(at, { circuit, kind: "life" });
  }

  #count(name: string): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1);
  }
}
