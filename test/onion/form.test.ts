import { afterEach, describe, expect, it } from "vitest";
import { SeededRandom } from "../../src/base/index.ts";
import { Circuit } from "../../src/onion/circuit/circuit.ts";
import { serveMap } from "../../src/onion/map/map-exit.ts";
import { mapCellBytesMax } from "../../src/onion/map/map-operation.ts";
import { OnionCarrier } from "../../src/onion/map/onion-carrier.ts";
import { MessageDesk } from "../../src/onion/message/message-desk.ts";
import { packetBytes } from "../../src/onion/packet/geometry.ts";
import type { OnionSuite } from "../../src/onion/packet/suite.ts";
import { StaticRoutes } from "../../src/onion/route/static-routes.ts";
import { fastSuite, GEOMETRY } from "./fixtures.ts";
import { PlannedRoutes } from "./planned-routes.ts";
import { type Passage, VirtualNet } from "./virtual-net.ts";

let net: VirtualNet | undefined;
afterEach(() => net?.close());

const EXIT = 7;
const fine = fastSuite();

/** Three senders with the same bytes for the same node, in every way that there is, at once. */
async function mixedTraffic(suite: OnionSuite): Promise<readonly Passage[]> {
  const world = new VirtualNet(9, { suite });
  net = world;
  const content = new Uint8Array(500).fill(0x55);
  const map = {
    put: async () => ({ ttlSeconds: 9, receipt: content }),
    get: async () => ({
      ...{ address: new Uint8Array(32), signature: new Uint8Array(64), seq: 1 as const },
      ...{ ttlSeconds: 9, payload: content },
    }),
  };
  const last = new MessageDesk(world.service(EXIT), new StaticRoutes(() => []));
  last.setMessageHandler((message) => {
    if (message.isAnswerable) message.reply(content);
  });
  world.service(EXIT).setHandlers({
    request: serveMap(map),
    data: (circuit, data) => circuit.sendData(data),
  });
  const senders = [0, 1, 2].map((sender) => trafficOf(world, sender, content));
  // One node on the way is gone in the end: failures are traffic too.
  const all = Promise.allSettled(senders);
  await world.clock.runPromise(all, 120_000);
  world.kill(5);
  await world.clock.runUntil(world.clock.now() + 3_000);
  return world.passages;
}

async function trafficOf(world: VirtualNet, sender: number, content: Uint8Array): Promise<void> {
  const ways = [
    [3, 4, EXIT],
    [4, 5, EXIT],
    [3, 5, EXIT],
  ] as const;
  const way = ways[sender] ?? ways[0];
  const service = world.service(sender);
  const desk = new MessageDesk(
    service,
    new PlannedRoutes(world, way, [...way.slice(0, -1).toReversed(), sender]),
  );
  for (const reply of ["none", "surb", "state", "errors"] as const) {
    await desk.send(world.peer(EXIT), content, { reply });
  }
  const circuit = await Circuit.build(service, world.route(...way));
  circuit.sendData(content);
  circuit.setCover(250);
  const routes = new StaticRoutes(() => [world.route(...way)]);
  const carrier = new OnionCarrier({ service, routes }, { paths: 1, spares: 0 });
  const record = {
    ...{ address: content.slice(0, 32), signature: content.slice(0, 64), seq: 1 as const },
    ...{ ttlSeconds: 9, payload: new Uint8Array(mapCellBytesMax(GEOMETRY)).fill(0x55) },
  };
  await carrier.put(record);
  await carrier.get(record.address);
}

const linkOf = ({ from, to }: Passage): string => [from, to].sort().join("-");

/** Two links that have 8 bytes in a row in common, if any have. */
function sharedBetweenLinks(passages: readonly Passage[]): [string, string] | undefined {
  const seen = new Map<bigint, string>();
  for (const passage of passages) {
    const link = linkOf(passage);
    const { bytes } = passage;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    for (let at = 0; at + 8 <= bytes.length; at++) {
      const run = view.getBigUint64(at);
      const other = seen.get(run) ?? link;
      if (other !== link) return [other, link];
      seen.set(run, link);
    }
  }
  return undefined;
}

/** A cipher that leaves one block of every call as it is. */
const leaky: OnionSuite = {
  ...fine,
  chacha20Xor: (key, nonce, bytes, into) => {
    const plain = bytes.slice(64, 128);
    const out = fine.chacha20Xor(key, nonce, bytes, into);
    out.set(plain, 64);
    return out;
  },
};

describe("mixed traffic, as somebody sees it who watches every link", () => {
  it("has one size for each kind, and no 8 bytes in a row in common on two links", async () => {
    const passages = await mixedTraffic(fine);
    expect(new Set(passages.map(linkOf)).size).toBeGreaterThanOrEqual(8);
    const sizesOf = (wanted: (passage: Passage) => boolean): Set<number> =>
      new Set(passages.filter(wanted).map(({ bytes }) => bytes.length));
    expect(sizesOf(({ kind }) => kind === "unit")).toEqual(new Set([packetBytes(GEOMETRY)]));
    const opened = new Set<number>();
    const isFirst = new Map(
      passages.map((passage) => {
        const isNew = passage.kind === "channel" && !opened.has(passage.channel);
        opened.add(passage.channel);
        return [passage, isNew];
      }),
    );
    expect(sizesOf((passage) => isFirst.get(passage) === true)).toEqual(
      new Set([packetBytes(GEOMETRY)]),
    );
    const isCell = (passage: Passage): boolean =>
      passage.kind === "channel" && isFirst.get(passage) === false;
    expect(sizesOf(isCell)).toEqual(new Set([GEOMETRY.cellBytes]));
    expect(sharedBetweenLinks(passages)).toBeUndefined();
    // All packets begin with version and epoch, which say the same for everybody.
    const heads = passages.filter(({ kind }) => kind === "unit").map(({ bytes }) => bytes);
    const forward = heads.filter(([version]) => version === 1);
    expect(new Set(forward.map(([, epoch]) => epoch)).size).toBe(1);
    expect(heads.length).toBeGreaterThan(forward.length);
  });

  it("would be caught with a cipher that leaves bytes as they are", async () => {
    expect(sharedBetweenLinks(await mixedTraffic(leaky))).toBeDefined();
  });
});

describe("puts and gets", () => {
  /** The cells on every link from now on: when, which way, and how long. */
  async function shapeOf(ask: (carrier: OnionCarrier) => Promise<unknown>): Promise<string[]> {
    const world = new VirtualNet(5);
    net = world;
    const payload = new Uint8Array(mapCellBytesMax(GEOMETRY));
    const record = {
      ...{ address: new Uint8Array(32), signature: new Uint8Array(64), seq: 1 as const },
      ...{ ttlSeconds: 9, payload },
    };
    const map = {
      put: async () => ({ ttlSeconds: 9, receipt: new Uint8Array(0) }),
      get: async () => record,
    };
    world.service(4).setHandlers({ request: serveMap(map) });
    const routes = new StaticRoutes(() => [world.route(2, 3, 4)]);
    const parts = { service: world.service(0), routes };
    const carrier = new OnionCarrier(parts, { paths: 1, spares: 0 });
    await world.clock.runPromise(carrier.put(record), 60_000);
    await world.clock.runPromise(carrier.get(record.address), 60_000);
    await world.clock.runUntil(5_000);
    world.passages.length = 0;
    await world.clock.runPromise(ask(carrier), 60_000);
    await world.clock.runUntil(10_000);
    const shape = world.passages.map(
      ({ at, from, to, bytes }) => `${at - 5_000}: ${from}>${to} ${bytes.length}`,
    );
    world.close();
    return shape;
  }

  const address = new SeededRandom(1).bytes(32);
  const signature = new Uint8Array(64);
  const put = (bytes: number) => (carrier: OnionCarrier) =>
    carrier.put({ address, signature, seq: 1, ttlSeconds: 9, payload: new Uint8Array(bytes) });

  it("are the same cells on every link, whatever is put or got", async () => {
    const full = await shapeOf(put(mapCellBytesMax(GEOMETRY)));
    expect(full.length).toBe(2 * 3 * GEOMETRY.requestCells);
    expect(await shapeOf(put(0))).toEqual(full);
    expect(await shapeOf((carrier) => carrier.get(address))).toEqual(full);
  });

  it("would be told apart if one of them took a cell more", async () => {
    const once = await shapeOf((carrier) => carrier.get(address));
    const twice = await shapeOf(async (carrier) => {
      await carrier.get(address);
      await carrier.get(address);
    });
    expect(twice).not.toEqual(once);
  });
});
