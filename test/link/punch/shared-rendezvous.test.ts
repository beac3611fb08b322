import { describe, expect, it } from "vitest";
import { SeededRandom } from "../../../src/base/index.ts";
import { NodeIdentity } from "../../../src/identity/index.ts";
import { RENDEZVOUS_LIMITS } from "../../../src/link/punch/limits.ts";
import { NO_REFERENCE, signOffer } from "../../../src/link/punch/offer.ts";
import { type PunchNode, PunchWorld } from "./punch-world.ts";

const RUDE = 3;
const PUNCHES = 8;
/** Longer than a punch that comes to nothing, and than a peer has to wait for its next offer. */
const GAP_MS = 11_000;

/** An offer of `from` that nobody has seen before. */
function freshOffer(world: PunchWorld, from: PunchNode, to: PunchNode): Uint8Array {
  const random = new SeededRandom(world.clock.now());
  return signOffer(from.identity, {
    ...{ kind: "offer", to: to.id, via: world.rendezvous.id, nonce: random.bytes(16) },
    ...{ reference: NO_REFERENCE, expiresAtUnixMs: world.clock.unixMs() + 30_000 },
    ...{ mapping: "unknown", addresses: [] },
    ephemeralKey: new NodeIdentity(random.bytes(32)).publicKey,
  });
}

/** Whether two meet each time, while a few others of their rendezvous send one of them offers. */
function meetings(options: { readonly perSecond: number; readonly isForged: boolean }): boolean[] {
  const world = new PunchWorld({ seed: 7 });
  const [left, right] = [world.add("restricted"), world.add("restricted")];
  const rude = Array.from({ length: RUDE }, () => world.add("open"));
  const flood = (from: PunchNode): void => {
    const bytes = freshOffer(world, from, right);
    if (options.isForged) bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
    world.signal(from, { kind: "signal", to: right.id, via: world.rendezvous.id, bytes });
    world.clock.schedule(world.clock.now() + 1_000 / options.perSecond, () => flood(from));
  };
  for (const one of rude) flood(one);
  world.clock.advance(30_000);
  return Array.from({ length: PUNCHES }, (_, at) => {
    // What is begun at either end: an answer has to come through as an offer has.
    const [from, to] = at % 2 === 0 ? [left, right] : [right, left];
    const before = from.paths.length;
    from.punch(to);
    world.clock.advance(GAP_MS);
    return from.paths.length > before;
  });
}

describe("peers of a rendezvous that send one offers without end", () => {
  it.each([
    ["signed ones", false],
    ["forged ones", true],
  ])("leave others their share of what is passed on and looked at: %s", (_, isForged) => {
    const perSecond = RENDEZVOUS_LIMITS.signalsPerSecond;
    expect(meetings({ perSecond, isForged })).toEqual(Array(PUNCHES).fill(true));
  });
});
