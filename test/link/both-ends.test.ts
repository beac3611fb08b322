import { expect, it } from "vitest";
import type { LinkStream } from "../../src/link/index.ts";
import { PeerLinks, Requests } from "../../src/rpc/index.ts";
import { type LinkNode, LinkWorld } from "./link-world.ts";

const ADDRESSES = ["192.0.2.1", "198.51.100.2"] as const;

/** A node of a world, with requests over its links; nothing tells it where others are. */
function requestsOf(world: LinkWorld, { host }: LinkNode, to?: LinkNode) {
  const dialled: Uint8Array[] = [];
  const carrier = new PeerLinks(
    {
      dial: (id) => {
        dialled.push(id);
        if (to === undefined) return Promise.reject(new Error("it is not known where that is"));
        return host.dial({ id, addresses: to.host.addresses });
      },
      onLink: (listener) => host.onLink(listener),
    },
    { clock: world.clock },
  );
  const handler = ({ body }: { body: Uint8Array }): Uint8Array => body;
  return { dialled, carrier, requests: new Requests({ carrier, handler, clock: world.clock }) };
}

it.each(["udp", "tcp"] as const)("a stream knows its link, over %s", async (carrier) => {
  const world = new LinkWorld();
  const [a, b] = [await world.add(ADDRESSES[0]), await world.add(ADDRESSES[1])];
  const taken = new Promise<LinkStream>((resolve) => b.host.handle("ask", resolve));
  const link = await world.dial(a, b, carrier);
  const mine = await world.run(link.openStream("ask", { priority: "urgent" }));
  mine.write(new Uint8Array(1));
  const theirs = await world.run(taken);
  for (const stream of [mine, theirs]) stream.on("error", () => {});
  expect([mine.link, mine.protocol, mine.priority]).toEqual([link, "ask", "urgent"]);
  for (const [stream, other, here, there] of [
    [mine, b.host, ...ADDRESSES],
    [theirs, a.host, ADDRESSES[1], ADDRESSES[0]],
  ] as const) {
    expect(stream.link).toMatchObject({ peer: other.id, carrier, isRelayed: false, isOpen: true });
    expect(stream.link.path?.remote).toMatchObject({ carrier, host: there });
    expect(stream.link.path?.observed).toMatchObject({ carrier, host: here });
  }
  expect([mine.link.isInitiator, theirs.link.isInitiator]).toEqual([true, false]);
  await world.close();
});

it("whoever was dialled asks and calls back over the same link, without dialling", async () => {
  const world = new LinkWorld();
  const [a, b] = [await world.add(ADDRESSES[0]), await world.add(ADDRESSES[1])];
  const [dialling, dialled] = [requestsOf(world, a, b), requestsOf(world, b)];
  const links: unknown[] = [];
  b.host.onLink((link) => links.push(link));
  const body = Uint8Array.of(7);
  expect(await world.run(dialling.requests.request(b.host.id, "ask", body))).toEqual(body);
  expect(await world.run(dialled.requests.request(a.host.id, "ask", body))).toEqual(body);
  const called = new Promise<Uint8Array>((resolve) => {
    dialling.carrier.onStream((peer, stream) => {
      resolve(peer);
      stream.destroy();
    });
  });
  const stream = await world.run(dialled.carrier.openStream(a.host.id));
  stream.on("error", () => {});
  stream.write(body);
  expect(await world.run(called)).toEqual(b.host.id);
  expect([dialling.dialled.length, dialled.dialled, links.length]).toEqual([1, [], 1]);
  await world.close();
});
