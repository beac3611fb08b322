import { concatBytes, SeededRandom } from "../../../src/base/index.ts";
import { type NodeId, NodeIdentity, nodeIdText } from "../../../src/identity/index.ts";
import { encodeFrame, type RelayFrame, RelayFrameBuffer } from "../../../src/link/relay/frames.ts";
import { RELAY_LIMITS, type RelayLimits } from "../../../src/link/relay/limits.ts";
import { RelayCore } from "../../../src/link/relay/relay-core.ts";
import { effectsOf } from "../../effects-of.ts";

const UNIX_MS = 1_735_689_600_000;

/** One stream as the peer at its other end sees it. */
export class PeerLeg {
  readonly id: number;
  readonly peer: NodeId;
  readonly chunks: Uint8Array[] = [];
  /** What came and is not `sent` yet, while the stage holds it. */
  heldBytes = 0;
  end: "open" | "ended" | "reset" = "open";
  isRead = true;

  constructor(id: number, peer: NodeId) {
    this.id = id;
    this.peer = peer;
  }

  get bytes(): Uint8Array {
    return concatBytes(...this.chunks);
  }

  /** The frames that came first, and what is behind them. */
  frames(): { frames: RelayFrame[]; rest: Uint8Array } {
    const buffer = new RelayFrameBuffer();
    buffer.push(this.bytes);
    const frames: RelayFrame[] = [];
    while (frames.at(-1)?.kind !== "connected") {
      const frame = buffer.next();
      if (frame === undefined) break;
      frames.push(frame);
    }
    return { frames, rest: buffer.takeRest() };
  }
}

/** A relay core among peers that do what the test says. */
export class RelayStage {
  readonly identity = new NodeIdentity(new SeededRandom(1).bytes(32));
  readonly core: RelayCore;
  readonly legs = new Map<number, PeerLeg>();
  /** Peers without a direct link. */
  readonly away = new Set<string>();
  /** Whether bytes leave at once for their receivers. */
  isFlowing = true;
  /** Whether streams to holders are there as soon as they are asked for. */
  dialsAtOnce = true;
  now = 0;
  #lastLeg = 0;

  constructor(limits: Partial<RelayLimits> = {}) {
    this.core = new RelayCore({
      identity: this.identity,
      limits: { ...RELAY_LIMITS, ...limits },
      isDirect: (node) => !this.away.has(nodeIdText(node)),
    });
  }

  get unixMs(): number {
    return UNIX_MS + this.now;
  }

  open(peer: NodeId, options: { isRelayed?: boolean; network?: string } = {}): PeerLeg {
    this.#lastLeg += 1;
    const leg = new PeerLeg(this.#lastLeg, peer);
    this.legs.set(leg.id, leg);
    const { isRelayed = false, network = "203.0.113.0/24" } = options;
    this.core.handle({ kind: "opened", leg: leg.id, peer, isRelayed, network }, this.now);
    this.#drain();
    return leg;
  }

  say(leg: PeerLeg, frame: RelayFrame): void {
    this.send(leg, encodeFrame(frame));
  }

  send(leg: PeerLeg, bytes: Uint8Array): void {
    this.core.handle({ kind: "bytes", leg: leg.id, bytes, unixMs: this.unixMs }, this.now);
    this.#drain();
  }

  end(leg: PeerLeg): void {
    this.core.handle({ kind: "ended", leg: leg.id }, this.now);
    this.#drain();
  }

  cut(leg: PeerLeg): void {
    this.core.handle({ kind: "closed", leg: leg.id }, this.now);
    this.#drain();
  }

  /** A stream to a holder is there, or will not be. */
  dialled(leg: PeerLeg): void {
    const isOpen = !this.away.has(nodeIdText(leg.peer));
    this.core.handle({ kind: "dialled", leg: leg.id, isOpen }, this.now);
    this.#drain();
  }

  /** Says that what a leg holds has left. */
  flush(leg: PeerLeg): void {
    const bytes = leg.heldBytes;
    leg.heldBytes = 0;
    this.core.handle({ kind: "sent", leg: leg.id, bytes }, this.now);
    this.#drain();
  }

  advance(ms: number): void {
    const until = this.now + ms;
    for (let at = this.core.deadline(); at <= until; at = this.core.deadline()) {
      this.now = Math.max(at, this.now);
      this.core.timeout(this.now);
      this.#drain();
    }
    this.now = until;
  }

  /** A reservation for a node, and its control leg. */
  reserve(peer: NodeId, options: { network?: string } = {}): PeerLeg {
    const leg = this.open(peer, options);
    this.say(leg, { kind: "reserve" });
    return leg;
  }

  /** A circuit that the holder has accepted. */
  join(caller: NodeId, holder: NodeId): { calling: PeerLeg; called: PeerLeg } {
    const calling = this.open(caller);
    this.say(calling, { kind: "connect", target: holder });
    const called = this.lastCall();
    this.say(called, { kind: "connected" });
    return { calling, called };
  }

  lastCall(): PeerLeg {
    const lowest = Math.min(...this.legs.keys());
    const leg = this.legs.get(lowest);
    if (leg === undefined || lowest > 0) throw new Error("nobody was called");
    return leg;
  }

  #drain(): void {
    for (const effect of effectsOf(this.core)) {
      if (effect.kind === "open") {
        const dialled = new PeerLeg(effect.leg, effect.peer);
        this.legs.set(effect.leg, dialled);
        if (this.dialsAtOnce) this.dialled(dialled);
        continue;
      }
      const leg = this.legs.get(effect.leg);
      if (leg === undefined) throw new Error("an effect on a leg that nobody has");
      if (leg.end === "reset") throw new Error("an effect on a leg that was cut");
      if (effect.kind === "send") {
        leg.chunks.push(effect.bytes);
        leg.heldBytes += effect.bytes.length;
        if (this.isFlowing) this.flush(leg);
      } else if (effect.kind === "read") leg.isRead = effect.isReading;
      else leg.end = effect.kind === "reset" ? "reset" : "ended";
    }
  }
}
