import { describe, expect, it } from "vitest";
import { SeededRandom } from "../../../src/base/index.ts";
import { RpcNode, Service, TEXT, unary } from "../../../src/rpc/index.ts";
import { VirtualClock, VirtualNetwork, virtualTcp } from "../../../src/testing/index.ts";
import { linkPair } from "./link-pair.ts";

const MANIFEST = { greet: unary({ request: TEXT, reply: TEXT }) } as const;
const HOSTS = { a: "192.0.2.1", b: "198.51.100.1" } as const;

async function pair() {
  const clock = new VirtualClock();
  const network = new VirtualNetwork({ clock, seed: 1 });
  const { a, b, hosts, close } = await linkPair(clock, (end) => {
    const host = network.addHost({ addresses: [HOSTS[end]] });
    const components = { clock, random: new SeededRandom(1), tcp: virtualTcp(host) };
    return { tcp: { host: HOSTS[end], port: 7_000 }, components };
  });
  const service = Service.of(MANIFEST, { greet: (name) => `hello, ${name}` }, { clock });
  const asker = new RpcNode({ ...a, clock, random: new SeededRandom(2) });
  const answerer = new RpcNode({ ...b, service, clock, random: new SeededRandom(3) });
  const ask = () => clock.runPromise(asker.caller(MANIFEST, b.id).greet("Ada"), 60_000);
  const open = (): number[] => hosts.map((host) => host.links().length);
  const end = async (): Promise<void> => {
    await clock.runPromise(Promise.all([asker.close(), answerer.close()]), 60_000);
    await clock.runPromise(close(), 60_000);
  };
  return { clock, hosts, ask, open, end };
}

describe("a link that only requests have used", () => {
  it("is given back when they have been idle, and made again for the next one", async () => {
    const { clock, hosts, ask, open, end } = await pair();
    expect(await ask()).toBe("hello, Ada");
    expect(hosts.map((host) => host.links()[0]?.streamCount)).toEqual([2, 2]);
    await clock.runUntil(clock.now() + 590_000);
    expect(open()).toEqual([1, 1]);
    await clock.runUntil(clock.now() + 30_000);
    expect(hosts.map((host) => host.links()[0]?.streamCount)).toEqual([0, 0]);
    expect(await ask(), "over the link that is still there").toBe("hello, Ada");
    await clock.runUntil(clock.now() + 1_300_000);
    expect(open()).toEqual([0, 0]);
    expect(await ask()).toBe("hello, Ada");
    await end();
  });

  it("stays for whoever else has a stream on it", async () => {
    const { clock, hosts, ask, open, end } = await pair();
    await ask();
    const [here, there] = hosts;
    there?.handle("stay", (stream) => {
      stream.on("error", () => {});
      stream.pipe(stream);
    });
    const opening = here?.links()[0]?.openStream("stay");
    const stream = opening && (await clock.runPromise(opening, 1_000));
    stream?.on("error", () => {});
    await clock.runUntil(clock.now() + 3_000_000);
    expect([open(), hosts[0]?.links()[0]?.streamCount]).toEqual([[1, 1], 1]);
    const heard: number[] = [];
    stream?.on("data", (bytes: Uint8Array) => heard.push(...bytes));
    stream?.write(Uint8Array.of(7));
    await clock.runUntil(clock.now() + 1_000);
    expect(heard).toEqual([7]);
    await end();
  });
});
