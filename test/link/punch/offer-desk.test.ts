import { expect, it } from "vitest";
import { SeededRandom } from "../../../src/base/index.ts";
import { NodeIdentity } from "../../../src/identity/index.ts";
import { PUNCH_LIMITS, type PunchLimits } from "../../../src/link/punch/limits.ts";
import { NO_REFERENCE, readOffer, signOffer } from "../../../src/link/punch/offer.ts";
import { OfferDesk } from "../../../src/link/punch/offer-desk.ts";

const UNIX_MS = 1_800_000_000_000;
const random = new SeededRandom(1);
const newIdentity = (): NodeIdentity => new NodeIdentity(random.bytes(32));
const [SELF, VIA] = [newIdentity(), newIdentity()];

/** A fresh offer of `from`. */
function offerOf(from: NodeIdentity, via: NodeIdentity = VIA): Uint8Array {
  return signOffer(from, {
    ...{ kind: "offer", to: SELF.id, via: via.id, nonce: random.bytes(16) },
    ...{ reference: NO_REFERENCE, expiresAtUnixMs: UNIX_MS + 30_000, addresses: [] },
    ...{ ephemeralKey: VIA.publicKey, mapping: "unknown" },
  });
}

/** What a desk says to offers. */
function deskWith(limits: Partial<PunchLimits>) {
  const desk = new OfferDesk(SELF.id, { ...PUNCH_LIMITS, ...limits });
  return ({ id: from }: NodeIdentity, bytes: Uint8Array, unixMs: number = UNIX_MS) =>
    desk.admit(readOffer(bytes), { from, via: VIA.id, bytes, unixMs }, unixMs);
}

it("a desk that can remember no more offers refuses new ones: an old one may come again", () => {
  const admit = deskWith({ noncesMax: 2 });
  const offers = [1, 2, 3].map(() => {
    const from = newIdentity();
    return { from, bytes: offerOf(from) };
  });
  const faults = (unixMs?: number) => offers.map(({ from, bytes }) => admit(from, bytes, unixMs));
  expect(faults()).toEqual([undefined, undefined, "limited"]);
  expect(faults()).toEqual(["replayed", "replayed", "limited"]);
  // From then on those two are over, and there is room.
  const [, , third] = offers;
  if (third === undefined) throw new Error("three offers");
  const over = UNIX_MS + 30_001 + PUNCH_LIMITS.clockSkewMs;
  expect(admit(third.from, third.bytes, over)).toBe(undefined);
});

it("a desk takes no more from one network, however many rendezvous there are in it", () => {
  const desk = new OfferDesk(SELF.id, { ...PUNCH_LIMITS, offersBurst: 2 });
  const faultVia = (viaHost: string | undefined) => {
    const [from, via] = [newIdentity(), newIdentity()];
    const bytes = offerOf(from, via);
    const arrival = { from: from.id, via: via.id, viaHost, bytes, unixMs: UNIX_MS };
    return desk.admit(readOffer(bytes), arrival, 0);
  };
  const hosts = ["203.0.113.1", "203.0.113.2", "203.0.113.3", "198.51.100.1"];
  expect(hosts.map(faultVia)).toEqual([undefined, undefined, "limited", undefined]);
  // In a private network, or where nobody knows, each is for itself.
  const others = ["10.0.0.1", "10.0.0.2", "10.0.0.3", undefined, undefined, undefined];
  expect(others.map(faultVia)).toEqual(others.map(() => undefined));
});
