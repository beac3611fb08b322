import { concatBytes, equalBytes, SeededRandom } from "../../src/base/index.ts";
import { type NodeId, NodeIdentity } from "../../src/identity/index.ts";
import {
  HolderCore,
  type HolderEffect,
  type HolderInput,
  RELAY_LIMITS,
  RELAY_REFUSALS,
  RelayCore,
  type RelayInput,
  Voucher,
} from "../../src/link/index.ts";
import { encodeFrame, type RelayFrame, RelayFrameBuffer } from "../../src/link/relay/frames.ts";
import { effectsOf } from "../effects-of.ts";
import { type FuzzTarget, refusedOr, roundTrip } from "./fuzz.ts";
import { resigned } from "./identity-targets.ts";
import { PUNCH_TARGETS } from "./punch-targets.ts";

const random = new SeededRandom(35);
const RELAY = new NodeIdentity(random.bytes(32));
const HOLDER = new NodeIdentity(random.bytes(32));
const CALLERS = [1, 2, 3].map(() => random.bytes(32));
const PEERS: readonly NodeId[] = [HOLDER.id, ...CALLERS];
const UNIX_MS = 1_735_689_600_000;
const SIGNED = { identity: RELAY, label: "voucher", keyAt: 1 } as const;

const VOUCHERS = [0, 3_600, 86_401]
  .map((lifeS) => {
    const issuedAtUnixS = UNIX_MS / 1_000;
    const times = { issuedAtUnixS, expiresAtUnixS: issuedAtUnixS + lifeS };
    return Voucher.sign(RELAY, { holder: HOLDER.id, ...times, quotaBytes: 9, bytesPerSecond: 1 });
  })
  .map((voucher) => voucher.toBytes());

const FRAMES: readonly RelayFrame[] = [
  { kind: "reserve" },
  ...VOUCHERS.map((voucher) => ({ kind: "reserved", voucher }) as const),
  { kind: "usage", usedBytes: 1_000 },
  { kind: "connect", target: HOLDER.id },
  { kind: "call", caller: PEERS[1] ?? HOLDER.id },
  { kind: "connected" },
  ...RELAY_REFUSALS.map((reason) => ({ kind: "refused", reason }) as const),
];
const SEEDS = FRAMES.map(encodeFrame);

/** Frames that come in two pieces. */
function runFrames(bytes: Uint8Array, dice: SeededRandom): void {
  const buffer = new RelayFrameBuffer();
  const cut = dice.below(bytes.length + 1);
  const again: Uint8Array[] = [];
  for (const piece of [bytes.slice(0, cut), bytes.slice(cut)]) {
    buffer.push(piece);
    const next = (): RelayFrame | undefined => refusedOr(["CULVERT_PROTOCOL"], () => buffer.next());
    for (let frame = next(); frame !== undefined; frame = next()) again.push(encodeFrame(frame));
  }
  const all = concatBytes(...again, buffer.takeRest());
  if (!equalBytes(all, bytes)) throw new Error("not taken as they came");
}

const LIMITS = {
  ...RELAY_LIMITS,
  reservationsMax: 3,
  circuitsMax: 4,
  circuitsPerHolderMax: 3,
  circuitsPerCallerMax: 2,
  circuitBufferBytes: 600,
  quotaBytes: 20_000,
  bytesPerSecond: 4_000,
  bytesBurst: 4_000,
  reportBytes: 500,
};

/** A stream at the relay, as its shell sees it. */
interface Leg {
  unsent: number;
  isReading: boolean;
}

/** A relay that lives through the whole run, among peers that say anything at any time. */
class RelayLife {
  readonly #core = new RelayCore({ identity: RELAY, limits: LIMITS, isDirect: () => true });
  readonly #legs = new Map<number, Leg>();
  #now = 0;
  #lastLeg = 0;

  next(bytes: Uint8Array, dice: SeededRandom): void {
    this.#now += dice.below(200);
    if (this.#core.deadline() <= this.#now) this.#core.timeout(this.#now);
    this.#drain();
    this.#core.handle(this.#happens(bytes, dice), this.#now);
    this.#drain();
    const { reservations, circuits } = this.#core.statistics;
    if (reservations > 3 || circuits > 4) throw new Error("more than its limits say");
    if (dice.below(2_000) === 0) this.#expectNothingKept();
  }

  #happens(bytes: Uint8Array, dice: SeededRandom): RelayInput {
    const ids = [...this.#legs.keys()];
    const leg = ids[dice.below(ids.length)] ?? 0;
    const kind = dice.below(32);
    if (kind < 5 || leg === 0) {
      const peer = PEERS[dice.below(PEERS.length)] ?? HOLDER.id;
      this.#lastLeg += 1;
      this.#legs.set(this.#lastLeg, { unsent: 0, isReading: true });
      const isRelayed = dice.below(8) === 0;
      return { kind: "opened", leg: this.#lastLeg, peer, isRelayed, network: `${dice.below(2)}` };
    }
    if (kind === 5) {
      this.#legs.delete(leg);
      return { kind: "closed", leg };
    }
    if (kind === 6) return { kind: "ended", leg };
    if (kind < 10) return { kind: "dialled", leg, isOpen: dice.below(4) > 0 };
    const known = this.#legs.get(leg);
    if (kind < 16 && known !== undefined) {
      const sent = dice.below(known.unsent + 1);
      known.unsent -= sent;
      return { kind: "sent", leg, bytes: sent };
    }
    const said = dice.below(3) === 0 ? bytes.slice() : this.#wellSaid(leg, dice);
    return { kind: "bytes", leg, bytes: said, unixMs: UNIX_MS + this.#now };
  }

  /** What gets further than noise: of the relay's own legs a holder answers. */
  #wellSaid(leg: number, dice: SeededRandom): Uint8Array {
    if (leg < 0)
      return concatBytes(encodeFrame({ kind: "connected" }), dice.bytes(dice.below(400)));
    if (dice.below(3) === 0) return encodeFrame({ kind: "reserve" });
    const target = PEERS[dice.below(PEERS.length)] ?? HOLDER.id;
    return dice.below(2) === 0 ? encodeFrame({ kind: "connect", target }) : dice.bytes(300);
  }

  #drain(): void {
    for (const effect of effectsOf(this.#core)) {
      const leg = this.#legs.get(effect.leg);
      if (effect.kind === "open") {
        if (leg !== undefined) throw new Error("a leg is opened twice");
        this.#legs.set(effect.leg, { unsent: 0, isReading: true });
      } else if (effect.kind === "reset" || effect.kind === "leave") this.#legs.delete(effect.leg);
      else if (leg === undefined) throw new Error(`${effect.kind} for a leg that is gone`);
      else if (effect.kind === "send") leg.unsent += effect.bytes.length;
      else if (effect.kind === "read") leg.isReading = effect.isReading;
    }
  }

  #expectNothingKept(): void {
    for (const leg of this.#legs.keys()) {
      this.#legs.delete(leg);
      this.#core.handle({ kind: "closed", leg }, this.#now);
      this.#drain();
    }
    this.#now += 2 * LIMITS.reservationMs;
    this.#core.timeout(this.#now);
    this.#drain();
    const { reservations, circuits } = this.#core.statistics;
    const isEmpty = reservations === 0 && circuits === 0 && this.#legs.size === 0;
    if (!isEmpty || this.#core.deadline() !== Number.POSITIVE_INFINITY) {
      throw new Error("something is left");
    }
  }
}

/** A holder whose relay says anything. */
class HolderLife {
  #core = new HolderCore({ self: HOLDER.id, relay: RELAY.id, limits: RELAY_LIMITS });
  #now = 0;
  #isOpen = false;

  next(bytes: Uint8Array, dice: SeededRandom): void {
    this.#now += dice.below(4_000);
    if (this.#core.deadline() <= this.#now) this.#core.timeout(this.#now);
    this.#drain();
    this.#core.handle(this.#happens(bytes, dice), this.#now);
    this.#drain();
  }

  #happens(bytes: Uint8Array, dice: SeededRandom): HolderInput {
    const kind = dice.below(24);
    if (kind < 3) return { kind: "start" };
    if (kind === 3) return { kind: dice.below(8) === 0 ? "stop" : "closed" };
    if (kind < 10) return { kind: "opened", isOpen: dice.below(8) > 0 };
    if (kind === 10) return { kind: "passed", bytes: dice.below(1_000) };
    const unixMs = UNIX_MS + (dice.below(8) === 0 ? 86_400_000 : 0);
    if (kind < 14) return { kind: "bytes", bytes: bytes.slice(), unixMs };
    const voucher =
      dice.below(3) === 0 ? resigned(dice, { seeds: VOUCHERS, ...SIGNED }) : undefined;
    const said: RelayFrame =
      kind < 18
        ? { kind: "usage", usedBytes: dice.below(2_000_000) }
        : { kind: "reserved", voucher: voucher ?? VOUCHERS[1] ?? bytes };
    return { kind: "bytes", bytes: encodeFrame(said), unixMs };
  }

  #drain(): void {
    for (const effect of effectsOf(this.#core)) {
      this.#take(effect);
    }
  }

  #take(effect: HolderEffect): void {
    if (effect.kind === "open") this.#isOpen = true;
    if (effect.kind === "cut") this.#isOpen = false;
    if (effect.kind === "send" && !this.#isOpen) throw new Error("said on no stream");
    if (effect.kind === "held" && !effect.voucher.isFor(HOLDER.id, UNIX_MS - 3_600_000)) {
      throw new Error("a voucher for nobody");
    }
    if (effect.kind !== "lost" || !effect.isFinal) return;
    // It never comes back to a relay that lies: another one begins.
    this.#core = new HolderCore({ self: HOLDER.id, relay: RELAY.id, limits: RELAY_LIMITS });
    this.#core.handle({ kind: "start" }, this.#now);
  }
}

const relay = new RelayLife();
const holder = new HolderLife();

/** What relays, their holders and their callers say; and what nodes say to punch. */
export const RELAY_TARGETS: readonly FuzzTarget[] = [
  { name: "relay frames", seeds: SEEDS, run: runFrames },
  {
    name: "voucher",
    seeds: VOUCHERS,
    make: (dice) => resigned(dice, { seeds: VOUCHERS, ...SIGNED }),
    run: (bytes) =>
      roundTrip(bytes, ["CULVERT_PROTOCOL"], () => {
        return Voucher.sign(RELAY, Voucher.decode(bytes).claims).toBytes();
      }),
  },
  { name: "relay", seeds: SEEDS, run: (bytes, dice) => relay.next(bytes, dice) },
  { name: "holder of a place", seeds: SEEDS, run: (bytes, dice) => holder.next(bytes, dice) },
  ...PUNCH_TARGETS,
];
