import { describe, expect, it } from "vitest";
import { SeededRandom } from "../../src/base/index.ts";
import { NodeIdentity } from "../../src/identity/index.ts";
import {
  openLinkHost,
  type PathConnection,
  type PathEvents,
  type UdpNetwork,
} from "../../src/link/index.ts";
import { VirtualClock, VirtualNetwork, virtualUdp } from "../../src/testing/index.ts";
import { Arrivals, writeKnown } from "./link-world.ts";
import { tappedUdp } from "./tapped-udp.ts";

const ANY = { host: "0.0.0.0", port: 7_000 };
const BYTES = 300_000;

/**
 * UDP on which packets of an earlier stream come again: udx numbers those of each from nought, and
 * nothing of them is authenticated.
 */
class Stale {
  /** What had come, on whatever stream. */
  readonly heard: Uint8Array[] = [];
  /** What comes first on the next streams. */
  ahead: Uint8Array[] = [];
  #events: PathEvents | undefined;
  #connection: PathConnection | undefined;

  /** Has it come once more, on the newest stream. */
  again(bytes: Uint8Array): void {
    this.#events?.receive(bytes.slice());
  }

  cut(): void {
    this.#connection?.close(true);
  }

  udp(network: UdpNetwork): UdpNetwork {
    return tappedUdp(network, (connection) => this.#watched(connection));
  }

  #watched(connection: PathConnection): PathConnection {
    this.#connection = connection;
    return new Proxy(connection, {
      get: (target, name) => {
        if (name === "start") return (events: PathEvents) => this.#start(target, events);
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
  }

  #start(connection: PathConnection, events: PathEvents): void {
    this.#events = events;
    const [first] = this.ahead.splice(0, 1);
    connection.start({
      ...events,
      receive: (bytes) => {
        this.heard.push(bytes.slice());
        events.receive(bytes);
      },
    });
    if (first !== undefined) events.receive(first);
  }
}

/** Two hosts with UDP alone, and a link whose peer sends known bytes. */
async function flowing(seed: number) {
  const clock = new VirtualClock();
  const network = new VirtualNetwork({ clock, seed, line: { delayMs: 20 } });
  const run = <T>(promise: Promise<T>): Promise<T> => clock.runPromise(promise, 120_000);
  const [near, far] = [new Stale(), new Stale()];
  const open = (number: number, stale: Stale) => {
    const vhost = network.addHost({ addresses: [`192.0.2.${number}`] });
    return openLinkHost({
      identity: new NodeIdentity(new Uint8Array(32).fill(number)),
      network: "test",
      udp: ANY,
      components: { clock, random: new SeededRandom(number), udp: stale.udp(virtualUdp(vhost)) },
    });
  };
  const [a, b] = [await open(1, near), await open(2, far)];
  const flows: Arrivals[] = [];
  b.handle("flow", (stream) => {
    flows.push(new Arrivals(stream, seed));
    writeKnown(stream, { clock, seed: seed + 1, bytes: BYTES, bytesPerSecond: 100_000 });
  });
  const target = { id: b.id, addresses: b.addresses };
  const begin = async () => {
    const link = await run(a.dial(target));
    const paths: boolean[] = [];
    link.onPath((path) => paths.push(path !== undefined));
    const stream = await run(link.openStream("flow"));
    flows.push(new Arrivals(stream, seed + 1));
    writeKnown(stream, { clock, seed, bytes: BYTES, bytesPerSecond: 100_000 });
    await clock.runUntil(
      () => flows.length === 2 && flows.every((f) => f.received > BYTES / 4),
      60_000,
    );
    return { link, paths };
  };
  const whole = () => clock.runUntil(() => flows.every(({ isEnded }) => isEnded), 120_000);
  const outcome = () => flows.map(({ received, mismatch }) => [received, mismatch]);
  const close = () => run(Promise.all([a.close(), b.close()]));
  return { clock, run, a, b, near, far, target, begin, whole, outcome, close };
}

const RIGHT = [
  [BYTES, undefined],
  [BYTES, undefined],
];

describe("packets of a stream that is over, among those of the next", () => {
  it.each([
    ["near", "newest"],
    ["near", "first"],
    ["far", "newest"],
    ["far", "first"],
  ] as const)("cost a path and nothing else, at the %s end, the %s ones", async (end, which) => {
    const { begin, whole, outcome, close, ...ends } = await flowing(1);
    const { link, paths } = await begin();
    const { heard } = ends[end];
    const stale = which === "first" ? heard[0] : heard.at(-1);
    ends[end].again(stale ?? new Uint8Array());
    await whole();
    expect(outcome()).toEqual(RIGHT);
    expect([link.isOpen, paths]).toEqual([true, [false, true]]);
    await close();
  });

  it.each(["near", "far"] as const)("in front of a new path, too, at the %s end", async (end) => {
    const { begin, whole, outcome, close, near, ...ends } = await flowing(2);
    const { link } = await begin();
    const side = { near, ...ends }[end];
    side.ahead = [side.heard[0] ?? new Uint8Array(), side.heard.at(-1) ?? new Uint8Array()];
    near.cut();
    await whole();
    expect(outcome()).toEqual(RIGHT);
    expect([link.isOpen, side.ahead.length]).toEqual([true, 0]);
    await close();
  });

  it.each(["near", "far"] as const)("fail a dial with a code, at the %s end", async (end) => {
    const { begin, whole, outcome, close, run, a, target, ...ends } = await flowing(3);
    ends[end].ahead = [new Uint8Array(200).fill(1)];
    await expect(run(a.dial(target))).rejects.toMatchObject({
      code: expect.stringMatching(/^CULVERT_/),
    });
    await begin();
    await whole();
    expect(outcome()).toEqual(RIGHT);
    await close();
  });
});
