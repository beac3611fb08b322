import { SeededRandom, toHex, utf8 } from "../../src/base/index.ts";
import { makeBackward, passBackward } from "../../src/onion/packet/backward.ts";
import { buildPacket, hopsOf, type OnionParts } from "../../src/onion/packet/packet.ts";
import type { OnionSuite } from "../../src/onion/packet/suite.ts";
import { makeSurb, useSurb } from "../../src/onion/packet/surb.ts";
import { WideBlock } from "../../src/onion/packet/wide-block.ts";
import { GEOMETRY, makeHops } from "./fixtures.ts";

/** Everything in test/vectors/onion.json, computed with one suite. */
export function onionVectors(suite: OnionSuite) {
  const geometry = { ...GEOMETRY, payloadBytes: 128 };
  const parts: OnionParts = { suite, geometry };
  const hops = makeHops(parts, 3, 17);
  const epoch = hops[0]?.epoch ?? 0;
  const route = hops.map(({ target }) => target);
  const random = new SeededRandom(18);
  const content = utf8("culvert onion vector");
  const options = { last: "deliver", name: random.bytes(32), keepsBackState: true } as const;
  const built = buildPacket(parts, { epoch, hops: hopsOf(route, options), content, random });
  const surb = makeSurb(parts, { epoch, route, random });
  if (built === undefined || surb === undefined) throw new Error("the keys are good");
  const units = [built.unit];
  for (const { peeler } of hops) {
    const peeling = peeler.peel(units.at(-1) ?? built.unit);
    if (peeling.kind === "dropped") throw new Error(peeling.reason);
    units.push(peeling.unit);
  }
  const edge = new Uint8Array(16).fill(7);
  const [key, outer] = [built.keys[1]?.backward ?? edge, built.keys[0]?.backward ?? edge];
  const failure = { kind: "failure", reason: "timeout", detail: 3 } as const;
  const backward = makeBackward(parts, { edge, key, content: failure, filler: 9 });
  return {
    hopsMax: geometry.hopsMax,
    payloadBytes: geometry.payloadBytes,
    epoch,
    hopSecrets: hops.map(({ ring }) => toHex(ring.find(epoch & 0xff)?.secret ?? edge)),
    hopIds: route.map(({ id }) => toHex(id)),
    hopKeys: route.map(({ onionKey }) => toHex(onionKey)),
    ephemeralSecrets: built.ephemerals.map(({ secret }) => toHex(secret)),
    content: toHex(content),
    units: units.map(toHex),
    surb: toHex(surb.bytes),
    reply: toHex(useSurb(parts, surb.bytes, content).unit),
    backward: toHex(backward),
    backwardPassed: toHex(passBackward(parts, backward, { edge, key: outer, filler: 8 })),
    cells: chainedBlocks(suite),
  };
}

/** Three blocks in a chain of tweaks, with the last tweak. */
function chainedBlocks(suite: OnionSuite): Record<string, string | string[]> {
  const key = new SeededRandom(19).bytes(64);
  const cipher = new WideBlock(suite, key);
  let tweak: Uint8Array = new Uint8Array(32);
  const blocks = [1, 2, 3].map((value) => {
    const block = new Uint8Array(96).fill(value);
    tweak = cipher.encrypt(block, tweak).slice();
    return toHex(block);
  });
  return { key: toHex(key), blocks, tweak: toHex(tweak) };
}
