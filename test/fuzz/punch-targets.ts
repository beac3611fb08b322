import { SeededRandom } from "../../src/base/index.ts";
import { isSameNode, NodeIdentity } from "../../src/identity/index.ts";
import { PUNCH_LIMITS, PunchCore, type PunchInput } from "../../src/link/index.ts";
import { type OfferClaims, readOffer, signOffer } from "../../src/link/punch/offer.ts";
import {
  encodeAsk,
  encodeTold,
  openProbe,
  type ProbeMessage,
  readProbe,
  sealProbe,
} from "../../src/link/punch/probe.ts";
import { decodeSignal, encodeSignal, type SignalMessage } from "../../src/link/punch/signal.ts";
import { effectsOf } from "../effects-of.ts";
import { changed, type FuzzTarget, roundTrip } from "./fuzz.ts";
import { resigned } from "./identity-targets.ts";

const random = new SeededRandom(36);
const SELF = new NodeIdentity(random.bytes(32));
const PEERS = Array.from({ length: 6 }, () => new NodeIdentity(random.bytes(32)));
const PEER = PEERS[0] ?? SELF;
const VIA = random.bytes(32);
const UNIX_MS = 1_735_689_600_000;
const HOSTS = ["192.0.2.1", "10.0.0.1", "2001:db8::1", "127.0.0.1"];
const ADDRESSES = HOSTS.map((host, at) => ({ host, port: 7_000 + at }));

function claimsOf(kind: OfferClaims["kind"], dice: SeededRandom): OfferClaims {
  return {
    ...{ kind, to: SELF.id, via: VIA, nonce: dice.bytes(16) },
    reference: kind === "offer" ? new Uint8Array(32) : dice.bytes(32),
    expiresAtUnixMs: UNIX_MS + 20_000,
    ephemeralKey: dice.bytes(32),
    mapping: dice.below(2) === 0 ? "unknown" : "endpoint-dependent",
    addresses: ADDRESSES.slice(0, dice.below(5)),
  };
}

const OFFERS = (["offer", "answer"] as const).flatMap((kind) => {
  return [1, 2].map(() => signOffer(PEER, claimsOf(kind, random)));
});

const KEY = random.bytes(32);
const SEALED = { key: KEY, side: "offerer", session: random.bytes(8) } as const;
const SEEN = ADDRESSES[0];
const PROBES: readonly ProbeMessage[] = [
  { kind: "probe", echoed: 0, seen: undefined },
  { kind: "chosen", echoed: 0, seen: undefined },
  { kind: "echo", echoed: 3, seen: SEEN },
];
const DATAGRAMS = [
  ...PROBES.map((probe, number) => sealProbe(probe, { ...SEALED, number })),
  encodeAsk(random.bytes(16)),
  ...ADDRESSES.map((seen) => encodeTold(random.bytes(16), seen)),
];

/** What is read opens under its key, or was changed. */
function runProbe(bytes: Uint8Array): void {
  const datagram = readProbe(bytes);
  if (datagram?.kind !== "sealed") return;
  const message = openProbe(datagram, KEY, "offerer");
  if (message === undefined) return;
  const isOurs = PROBES.some(({ kind, echoed }) => {
    return kind === message.kind && echoed === message.echoed;
  });
  if (!isOurs) throw new Error("opened, and never sealed");
}

const SIGNALS: readonly SignalMessage[] = [
  { kind: "to", node: SELF.id, body: random.bytes(30) },
  { kind: "from", node: PEER.id, body: random.bytes(30) },
  { kind: "failed", node: PEER.id, reason: "not-linked" },
  { kind: "failed", node: PEER.id, reason: "busy" },
];

const LIMITS = { ...PUNCH_LIMITS, sessionsMax: 4, offersPerSecond: 20, offersPerPeerPerSecond: 20 };

/** A node that lives through the whole run: peers punch it, and it them. */
class PunchLife {
  readonly #core = new PunchCore({
    ...{ identity: SELF, random: new SeededRandom(37), limits: LIMITS, now: 0 },
  });
  #now = 0;
  /** Punches of this node that have no end yet. */
  readonly #open = new Set<NodeIdentity>();
  /** Datagrams and offers of its own, which come back to it changed. */
  #datagram: Uint8Array = DATAGRAMS[0] ?? KEY;
  #offer: { readonly to: Uint8Array; readonly bytes: Uint8Array } | undefined;

  next(bytes: Uint8Array, dice: SeededRandom): void {
    this.#now += dice.below(400);
    if (this.#core.deadline() <= this.#now) this.#core.timeout(this.#now);
    this.#drain();
    this.#core.handle(this.#happens(bytes, dice), this.#now);
    this.#drain();
    const own = this.#core.ownAddresses(this.#now).length;
    if (this.#core.size > 4 || own > LIMITS.addressesMax) throw new Error("more than its limits");
    if (dice.below(2_000) === 0) this.#expectNothingOpen();
  }

  #happens(bytes: Uint8Array, dice: SeededRandom): PunchInput {
    const peer = PEERS[dice.below(PEERS.length)] ?? PEER;
    const from = ADDRESSES[dice.below(ADDRESSES.length)] ?? { host: "192.0.2.1", port: 1 };
    const unixMs = UNIX_MS + this.#now;
    switch (dice.below(16)) {
      case 0:
        this.#open.add(peer);
        return { kind: "punch", peer: peer.id, via: VIA, unixMs };
      case 1:
        if (dice.below(4) > 0) break;
        this.#open.delete(peer);
        return { kind: "cancel", peer: peer.id };
      case 2:
        return { kind: "undelivered", to: peer.id, via: VIA, reason: "busy" };
      case 3:
        return { kind: "observed", address: from, by: dice.bytes(32), from: from.host };
      case 4:
        return { kind: "ask", node: peer.id, address: from };
      case 5:
      case 6:
      case 7:
      case 8:
        return { kind: "signal", from: peer.id, via: VIA, bytes: this.#signal(peer, dice), unixMs };
      case 9:
        return { kind: "signal", from: peer.id, via: VIA, bytes: bytes.slice(), unixMs };
      case 10:
        return { kind: "datagram", bytes: this.#datagram.slice(), from };
    }
    const datagram = dice.below(2) === 0 ? changed(dice, this.#datagram) : bytes.slice();
    return { kind: "datagram", bytes: datagram, from };
  }

  /** An offer that is meant for this node, or the answer to one of its own. */
  #signal(peer: NodeIdentity, dice: SeededRandom): Uint8Array {
    const offered = this.#offer;
    const isAnswer = offered !== undefined && dice.below(2) === 0;
    const claims = {
      ...claimsOf(isAnswer ? "answer" : "offer", dice),
      expiresAtUnixMs: UNIX_MS + this.#now + 20_000,
      ...(isAnswer && { reference: readOffer(offered.bytes).hash }),
    };
    const signer = isAnswer ? PEERS.find(({ id }) => isSameNode(id, offered.to)) : peer;
    return signOffer(signer ?? peer, claims);
  }

  #drain(): void {
    for (const effect of effectsOf(this.#core)) {
      if (effect.kind === "datagram") this.#datagram = effect.bytes;
      else if (effect.kind === "signal") {
        const isOffer = readOffer(effect.bytes).kind === "offer";
        if (isOffer) this.#offer = { to: effect.to, bytes: effect.bytes };
      } else this.#end(effect.peer);
    }
  }

  #end(peer: Uint8Array): void {
    for (const open of this.#open) if (isSameNode(open.id, peer)) this.#open.delete(open);
  }

  #expectNothingOpen(): void {
    for (
      let at = this.#core.deadline();
      at < Number.POSITIVE_INFINITY;
      at = this.#core.deadline()
    ) {
      this.#now = Math.max(this.#now, at);
      this.#core.timeout(this.#now);
      this.#drain();
    }
    if (this.#core.size > 0 || this.#open.size > 0) throw new Error("a punch has no end");
  }
}

const punch = new PunchLife();

/** What comes by a rendezvous, and from anybody on a UDP socket. */
export const PUNCH_TARGETS: readonly FuzzTarget[] = [
  {
    name: "offer",
    seeds: OFFERS,
    make: (dice) => resigned(dice, { seeds: OFFERS, identity: PEER, label: "punch", keyAt: 2 }),
    run: (bytes) =>
      roundTrip(bytes, ["CULVERT_PROTOCOL"], () => {
        const offer = readOffer(bytes);
        // Whether it is signed is for the reader to ask.
        return offer.isSigned() ? signOffer(PEER, offer) : undefined;
      }),
  },
  { name: "probe", seeds: DATAGRAMS, run: runProbe },
  {
    name: "signal",
    seeds: SIGNALS.map(encodeSignal),
    run: (bytes) => roundTrip(bytes, ["CULVERT_PROTOCOL"], () => encodeSignal(decodeSignal(bytes))),
  },
  {
    name: "punching",
    seeds: [...DATAGRAMS, ...OFFERS],
    run: (bytes, dice) => punch.next(bytes, dice),
  },
];
