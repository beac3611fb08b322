import { expect, it } from "vitest";
import { pause } from "../../src/base/index.ts";
import { LINK_LIMITS, type Link } from "../../src/link/index.ts";
import { PeerLinks, Requests } from "../../src/rpc/index.ts";
import { type LinkNode, LinkWorld } from "../link/link-world.ts";

const ANSWER_MS = 2_000;

/** A node that asks another one over the carrier named last, and one that takes its time. */
async function asking() {
  const world = new LinkWorld({ seed: 6 });
  const [near, far] = [await world.add("192.0.2.1"), await world.add("192.0.2.2")];
  const { clock } = world;
  const carriers = ["udp", "tcp"] as const;
  const dialled: string[] = [];
  const linksOf = ({ host }: LinkNode, to?: LinkNode): PeerLinks => {
    const dial = (): Promise<Link> => {
      const carrier = carriers[dialled.length % 2];
      if (to === undefined || carrier === undefined) return Promise.reject(new Error("unknown"));
      dialled.push(carrier);
      const addresses = to.host.addresses.filter((address) => address.carrier === carrier);
      return host.dial({ id: to.host.id, addresses });
    };
    return new PeerLinks({ dial, onLink: (listener) => host.onLink(listener) }, { clock });
  };
  let runs = 0;
  const handler = async ({ body }: { body: Uint8Array }): Promise<Uint8Array> => {
    runs += 1;
    await pause(clock, ANSWER_MS);
    return body;
  };
  const there = new Requests({ carrier: linksOf(far), handler, clock });
  const here = new Requests({ carrier: linksOf(near, far), handler, clock });
  const body = Uint8Array.of(7);
  let replies = 0;
  // Not idempotent: it may fail, and it may not run again.
  const reply = here.request(far.host.id, "ask", body).then((bytes) => {
    replies += 1;
    expect(bytes).toEqual(body);
  });
  await clock.runUntil(() => runs === 1, 5_000);
  const outcome = async () => {
    await world.run(reply, 30_000);
    await world.pass(30_000);
    return { runs, replies, dialled, statistics: there.statistics };
  };
  return { world, near, far, outcome };
}

it("a request whose link ends while it runs is answered by the other carrier", async () => {
  const { world, far, outcome } = await asking();
  await world.pass(ANSWER_MS / 2);
  for (const link of far.host.links()) void link.close();
  expect(await outcome()).toMatchObject({ runs: 1, replies: 1, dialled: ["udp", "tcp"] });
  await world.close();
});

it("a reply that is lost with its link comes again by the other carrier", async () => {
  const { world, near, far, outcome } = await asking();
  await world.pass(ANSWER_MS - 100);
  world.network.partition([far.vhost]);
  // The answer leaves into nothing, and both ends give their link up.
  await world.pass(LINK_LIMITS.silenceMs);
  for (const { host } of [near, far]) for (const link of host.links()) void link.close();
  world.network.heal();
  const { statistics, ...told } = await outcome();
  expect(told).toEqual({ runs: 1, replies: 1, dialled: ["udp", "tcp"] });
  expect(statistics).toMatchObject({ run: 1, repeated: 1 });
  await world.close();
});
