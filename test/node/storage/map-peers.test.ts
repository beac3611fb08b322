import { describe, expect, it } from "vitest";
import { CulvertError, SeededRandom } from "../../../src/base/index.ts";
import type { Link } from "../../../src/link/index.ts";
import { MapService, MemoryRecordStore, type RemoteMap } from "../../../src/mapservice/index.ts";
import { MapPeers, serveMapOverLinks } from "../../../src/node/storage/map-links.ts";
import { VirtualClock } from "../../../src/testing/index.ts";
import { cutPair } from "../../link/cut-network.ts";
import { addressOf, NODE, PAYLOAD_SIZE, recordOf } from "../../mapservice/fixtures.ts";

const nodeId = (node: number): Uint8Array => new Uint8Array(32).fill(node);

const codeOf = (error: { readonly code?: unknown }): unknown => error.code;

/** Maps of as many nodes as are asked for, all of them at the other end of one link. */
async function rig({ entriesMax = 100, workBitsMax = 0 } = {}) {
  const { clock, a, b } = await cutPair(1);
  const run = <T>(promise: Promise<T>): Promise<T> => clock.runPromise(promise, 600_000);
  const sizes = { payloadSize: PAYLOAD_SIZE, entriesMax, bytesMax: 1_000_000 };
  const components = { store: new MemoryRecordStore(sizes), clock, signer: NODE };
  const service = new MapService(
    { ...components, defer: queueMicrotask },
    { linksPerSourceMax: 600, sourceShare: 1, workBitsMax },
  );
  const sessions = serveMapOverLinks(b, { service, clock }, { perSourceMax: 600 });
  const link = await run(a.dial({ id: b.id, addresses: b.addresses }));
  let dials = 0;
  const linkTo = async (): Promise<Link> => {
    dials += 1;
    if (!link.isOpen) throw new CulvertError("CULVERT_UNREACHABLE");
    return link;
  };
  const peers = new MapPeers(linkTo, { clock, random: new SeededRandom(1) });
  const of = (node: number): Promise<RemoteMap> => run(peers.of(nodeId(node)));
  const close = async (): Promise<void> => {
    peers.close();
    sessions.goodbye();
    await run(Promise.all([a.close(), b.close(), service.close()]));
  };
  const there = (): Link | undefined => b.links()[0];
  return { clock, link, there, peers, of, run, close, dials: () => dials };
}

describe("a connection to a node's Map", () => {
  it("leaves nothing at either end when it is over", async () => {
    const { clock, link, there, of, peers, close } = await rig();
    await of(0);
    await of(1);
    expect([link.streamCount, there()?.streamCount]).toEqual([2, 2]);
    peers.close();
    await clock.runUntil(clock.now() + 1_000);
    expect([link.streamCount, there()?.streamCount]).toEqual([0, 0]);
    await close();
  });
});

describe("the Map of a node that no link leads to", () => {
  it.each([
    ["CULVERT_BUSY", "CULVERT_BUSY"],
    ["CULVERT_WRONG_PEER", "CULVERT_UNREACHABLE"],
  ] as const)(
    "is busy where a limit was reached, and else unreachable: %s",
    async (cause, code) => {
      const clock = new VirtualClock();
      const linkTo = () => Promise.reject(new CulvertError(cause));
      const peers = new MapPeers(linkTo, { clock, random: new SeededRandom(1) });
      expect(await clock.runPromise(peers.of(nodeId(0)).catch(codeOf), 60_000)).toBe(code);
      peers.close();
    },
  );
});

describe("the Map of a node that asks for work", () => {
  it("is told no", async () => {
    const { of, run, close } = await rig({ entriesMax: 4, workBitsMax: 16 });
    const map = await of(0);
    for (const number of [1, 2, 3]) await run(map.put(recordOf(number)));
    // At three quarters of its store it asks for the half.
    const refused = await run(map.put(recordOf(4)).catch(codeOf));
    expect(refused).toBe("CULVERT_WORK_REQUIRED");
    await close();
  });
});

describe("the Map of a node that is gone", () => {
  it("is dialled while somebody waits for it, and then no more", async () => {
    const { clock, link, of, dials, run, close } = await rig();
    const map = await of(0);
    const asked = map.get(addressOf(1), { waitMs: 1_000 }).catch(codeOf);
    await run(link.close());
    expect([await run(asked), dials()]).toEqual(["CULVERT_UNREACHABLE", 1]);
    await clock.runUntil(clock.now() + 600_000);
    expect(dials()).toBe(1);
    expect(await of(0).catch(codeOf)).toBe("CULVERT_UNREACHABLE");
    expect(dials()).toBe(2);
    await close();
  });

  it("is not dialled at all while nobody asks it anything", async () => {
    const { clock, link, of, dials, run, close } = await rig();
    await of(0);
    await run(link.close());
    await clock.runUntil(clock.now() + 600_000);
    expect(dials()).toBe(1);
    await close();
  });
});

describe("the Maps of more nodes than are kept at hand", () => {
  it("end while nobody asks them anything, and no get that waits ends with them", async () => {
    const { clock, link, of, run, close } = await rig();
    const first = await of(0);
    const waiting = first.get(addressOf(1), { waitMs: 60_000 });
    for (let node = 1; node < 80; node++) {
      await of(node);
      await clock.runUntil(clock.now() + 500);
    }
    await clock.runUntil(clock.now() + 2_000);
    expect(link.streamCount).toBe(64);
    await run((await of(79)).put(recordOf(1)));
    expect((await run(waiting)).payload).toEqual(recordOf(1).payload);
    await close();
  });

  it("are all there for who asks many of them at once", async () => {
    const { link, peers, run, close } = await rig();
    const asked = Array.from({ length: 80 }, (_, node) => peers.of(nodeId(node)));
    const maps = await run(Promise.all(asked));
    await run(Promise.all(maps.map((map) => map.put(recordOf(2)))));
    expect(link.streamCount).toBe(80);
    await close();
  });
});
