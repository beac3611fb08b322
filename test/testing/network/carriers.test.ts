import { describe, expect, it } from "vitest";
import type { HostPort, PathConnection } from "../../../src/link/index.ts";
import {
  VirtualClock,
  VirtualNetwork,
  virtualTcp,
  virtualUdp,
} from "../../../src/testing/index.ts";

const ANY: HostPort = { host: "0.0.0.0", port: 0 };

function place() {
  const clock = new VirtualClock();
  const network = new VirtualNetwork({ clock, seed: 1 });
  const a = network.addHost({ addresses: ["192.0.2.1"] });
  const b = network.addHost({ addresses: ["192.0.2.2"] });
  return { clock, a, b };
}

function collect(connection: PathConnection): number[] {
  const bytes: number[] = [];
  connection.start({
    receive: (piece) => bytes.push(...piece),
    drained: () => {},
    closed: (error) => bytes.push(error === undefined ? -1 : -2),
  });
  return bytes;
}

describe("the carriers of a virtual host", () => {
  it("carry datagrams and agreed streams on one UDP socket", async () => {
    const { clock, a, b } = place();
    const [left, right] = [await virtualUdp(a).bind(ANY), await virtualUdp(b).bind(ANY)];
    expect(left.address).toMatchObject({ carrier: "udp", host: "192.0.2.1" });
    const datagrams: unknown[] = [];
    left.start({ datagram: () => {} });
    right.start({ datagram: (bytes, from) => datagrams.push([bytes[0], from]) });
    left.send(Uint8Array.of(5), right.address);
    const { host, port } = left.address;
    const there = collect(right.connect({ localId: 1, remoteId: 2, to: left.address }));
    left.connect({ localId: 2, remoteId: 1, to: right.address }).write(Uint8Array.of(6, 7));
    clock.advance(1_000);
    expect([datagrams, there]).toEqual([[[5, { host, port }]], [6, 7]]);
    await right.close();
    await expect(virtualUdp(a).bind(left.address)).rejects.toMatchObject({
      code: "CULVERT_UNREACHABLE",
    });
  });

  it("dial by TCP, refuse beyond the limit, and leave what is open when they stop", async () => {
    const { clock, a, b } = place();
    const accepted: number[][] = [];
    const listener = await virtualTcp(b).listen({
      at: ANY,
      connectionsMax: 1,
      onConnection: (connection) => accepted.push(collect(connection)),
    });
    const dial = (): Promise<PathConnection> =>
      virtualTcp(a).dial(listener.address, { signal: new AbortController().signal });
    const first = await clock.runPromise(dial());
    const second = await clock.runPromise(dial());
    const refused = collect(second);
    await clock.runUntil(1_000);
    expect([accepted.length, refused]).toEqual([1, [-2]]);
    await listener.close();
    await expect(clock.runPromise(dial())).rejects.toMatchObject({ code: "CULVERT_UNREACHABLE" });
    first.write(Uint8Array.of(9));
    first.close(false);
    await clock.runUntil(5_000);
    expect(accepted).toEqual([[9, -1]]);
  });

  it("give up a dial when they are told to", async () => {
    const { clock, a } = place();
    const abort = new AbortController();
    const to = { host: "192.0.2.99", port: 1 };
    const dialled = virtualTcp(a).dial(to, { signal: abort.signal });
    abort.abort();
    await expect(clock.runPromise(dialled)).rejects.toMatchObject({ name: "AbortError" });
  });
});
