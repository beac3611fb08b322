import { afterEach, describe, expect, it } from "vitest";
import { SeededRandom } from "../../src/base/index.ts";
import { Circuit } from "../../src/onion/circuit/circuit.ts";
import { headerBytes } from "../../src/onion/packet/geometry.ts";
import {
  buildPacket,
  hopsOf,
  type OnionParts,
  openPayload,
} from "../../src/onion/packet/packet.ts";
import type { OnionSuite } from "../../src/onion/packet/suite.ts";
import { fastSuite, findCommonRun, GEOMETRY, makeHops } from "./fixtures.ts";
import { VirtualNet } from "./virtual-net.ts";

let net: VirtualNet | undefined;
afterEach(() => net?.close());

const fine = fastSuite();

/** A cipher that does nothing. */
const plain: OnionSuite = {
  ...fine,
  chacha20Xor: (_key, _nonce, bytes, into) => {
    const out = into ?? new Uint8Array(bytes.length);
    out.set(bytes);
    return out;
  },
};

/** A hash that looks at its key only. */
const blind: OnionSuite = {
  ...fine,
  blake2b512: (message, into) => fine.blake2b512(message.subarray(0, 64), into),
};

/** Two parties that never agree. */
const deaf: OnionSuite = { ...fine, x25519: (secret) => fine.blake2b512(secret).slice(0, 32) };

async function captures(suite: OnionSuite): Promise<Uint8Array[]> {
  net = new VirtualNet(4, { suite });
  net.service(3).setHandlers({ request: async (content) => content });
  const circuit = await net.clock.runPromise(Circuit.build(net.service(0), net.route(1, 2, 3)));
  const content = new SeededRandom(1).bytes(700);
  await net.clock.runPromise(circuit.request(content)).catch(() => {});
  return net.passages.map(({ bytes }) => bytes);
}

/** The flipped bytes of a packet that its hop, or its destination, does not notice. */
function unnoticed(suite: OnionSuite, from: number, to: number): number[] {
  const parts: OnionParts = { suite, geometry: { ...GEOMETRY, payloadBytes: 128 } };
  const found: number[] = [];
  for (let at = from; at < to; at += 7) {
    const route = makeHops(parts, 1, at);
    const random = new SeededRandom(at);
    const hops = hopsOf(
      route.map(({ target }) => target),
      { last: "deliver", name: random.bytes(32) },
    );
    const content = new Uint8Array(20);
    const built = buildPacket(parts, { epoch: route[0]?.epoch ?? 0, hops, content, random });
    const unit = built?.unit ?? content;
    const peeled = route[0]?.peeler.peel(unit.with(at, (unit[at] as number) ^ 1));
    if (peeled?.kind === "peeled" && openPayload(peeled.payload) !== undefined) found.push(at);
  }
  return found;
}

describe("the checks of this folder catch", () => {
  it("a cipher that does nothing: links have runs in common", async () => {
    expect(findCommonRun(await captures(fine))).toBeUndefined();
    expect(findCommonRun(await captures(plain))).toBeDefined();
  });

  it("a hash that is blind: flipped bytes go unnoticed", () => {
    const header = headerBytes(GEOMETRY);
    expect(unnoticed(fine, 0, header + 128)).toEqual([]);
    expect(unnoticed(blind, header, header + 128).length).toBeGreaterThan(0);
  });

  it("parties that do not agree: nothing is built", async () => {
    net = new VirtualNet(4, { suite: deaf });
    const built = net.clock.runPromise(Circuit.build(net.service(0), net.route(1, 2, 3)), 60_000);
    await expect(built).rejects.toMatchObject({ code: "CULVERT_UNREACHABLE" });
  });
});
