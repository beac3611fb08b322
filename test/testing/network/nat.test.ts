import { describe, expect, it } from "vitest";
import { type NatKind, VirtualClock, VirtualNetwork } from "../../../src/testing/index.ts";
import { NatPlace, type Seen } from "./nat-place.ts";

const marks = (seen: readonly Seen[]): number[] => seen.map(({ mark }) => mark);

/** Which answers to a datagram for port 1 of the server come in through each kind of NAT. */
const FILTERS: readonly [NatKind, { sameHost: boolean; stranger: boolean }][] = [
  ["full-cone", { sameHost: true, stranger: true }],
  ["restricted", { sameHost: true, stranger: false }],
  ["port-restricted", { sameHost: false, stranger: false }],
  ["symmetric", { sameHost: false, stranger: false }],
];

describe.each(FILTERS)("a %s NAT", (kind, lets) => {
  it("lets in those whom it should, and nobody before a datagram went out", () => {
    const place = new NatPlace(kind);
    const inner = place.watch(place.inner, 5_000);
    const asked = place.watch(place.server, 1);
    const other = place.watch(place.server, 2);
    const stranger = place.watch(place.stranger, 1);
    const guess = { host: "203.0.113.1", port: 5_000 };
    for (const socket of [asked, other, stranger]) place.send(socket, guess, 9);
    expect(inner.seen).toEqual([]);

    place.send(inner, place.at(place.server, asked), 1);
    const outer = asked.seen[0]?.from ?? guess;
    expect(outer.host).toBe("203.0.113.1");
    place.send(asked, outer, 2);
    place.send(other, outer, 3);
    place.send(stranger, outer, 4);
    const expected = [2, ...(lets.sameHost ? [3] : []), ...(lets.stranger ? [4] : [])];
    expect(marks(inner.seen)).toEqual(expected);
    expect(inner.seen[0]?.from).toEqual(place.at(place.server, asked));
  });

  it("shows one outer port to all, unless it is symmetric", () => {
    const place = new NatPlace(kind);
    const inner = place.watch(place.inner, 5_000);
    const servers = [
      [place.server, place.watch(place.server, 1)],
      [place.server, place.watch(place.server, 2)],
      [place.stranger, place.watch(place.stranger, 1)],
    ] as const;
    for (const [host, server] of servers) place.send(inner, place.at(host, server), 1);
    const ports = new Set(servers.map(([, server]) => server.seen[0]?.from.port));
    expect(ports.size).toBe(kind === "symmetric" ? 3 : 1);
    if (kind !== "symmetric") expect([...ports]).toEqual([5_000]);
  });

  it("forgets a mapping that nothing went out through, and only that", () => {
    const place = new NatPlace(kind, { mappingMs: 30_000 });
    const inner = place.watch(place.inner, 5_000);
    const server = place.watch(place.server, 1);
    const to = place.at(place.server, server);
    place.send(inner, to, 1);
    const outer = server.seen[0]?.from ?? to;
    for (let minute = 0; minute < 3; minute++) {
      place.clock.advance(20_000);
      place.send(inner, to, 2);
    }
    place.send(server, outer, 3);
    expect(marks(inner.seen)).toEqual([3]);
    place.clock.advance(20_000);
    place.send(server, outer, 4);
    place.clock.advance(10_000);
    place.send(server, outer, 5);
    expect(marks(inner.seen), "what comes in keeps nothing alive").toEqual([3, 4]);
  });
});

describe("a NAT", () => {
  it("gives two hosts with one inner port two outer ports", () => {
    const place = new NatPlace("full-cone");
    const [a, b] = [place.watch(place.inner, 5_000), place.watch(place.neighbour, 5_000)];
    const server = place.watch(place.server, 1);
    place.send(a, place.at(place.server, server), 1);
    place.send(b, place.at(place.server, server), 2);
    expect(server.seen.map(({ from }) => from.port)).toEqual([5_000, 5_001]);
    for (const { from, mark } of server.seen) place.send(server, from, mark);
    expect([marks(a.seen), marks(b.seen)]).toEqual([[1], [2]]);
  });

  it.each([true, false])("turns a hairpin only if it can: %s", (isHairpinning) => {
    const place = new NatPlace("full-cone", { isHairpinning });
    const [a, b] = [place.watch(place.inner, 5_000), place.watch(place.neighbour, 6_000)];
    const server = place.watch(place.server, 1);
    place.send(b, place.at(place.server, server), 1);
    place.send(a, server.seen[0]?.from ?? place.at(place.server, server), 2);
    const expected = [{ from: { host: "203.0.113.1", port: 5_000 }, mark: 2 }];
    expect(b.seen).toEqual(isHairpinning ? expected : []);
    expect(place.network.count("hairpin")).toBe(isHairpinning ? 0 : 1);
  });

  it("forgets everything when it is rebound, and may have another address then", () => {
    const place = new NatPlace("full-cone", { ports: "random" });
    const inner = place.watch(place.inner, 5_000);
    const server = place.watch(place.server, 1);
    const to = place.at(place.server, server);
    place.send(inner, to, 1);
    place.nat.rebind("203.0.113.77");
    const old = server.seen[0]?.from ?? to;
    place.send(server, old, 2);
    expect(inner.seen).toEqual([]);
    place.send(inner, to, 3);
    expect(server.seen[1]?.from.host).toBe("203.0.113.77");
    expect(server.seen[1]?.from.port).not.toBe(old.port);
  });

  it("takes the next port each time when its ports are sequential", () => {
    const place = new NatPlace("symmetric", { ports: "sequential" });
    const inner = place.watch(place.inner, 5_000);
    const servers = [1, 2, 3].map((port) => place.watch(place.server, port));
    for (const server of servers) place.send(inner, place.at(place.server, server), 1);
    const [first = 0, ...others] = servers.map((server) => server.seen[0]?.from.port);
    expect(others).toEqual([first + 1, first + 2]);
  });

  it("holds no more mappings than it may: the oldest goes", () => {
    const place = new NatPlace("symmetric", { mappingsMax: 8 });
    const inner = place.watch(place.inner, 5_000);
    for (let port = 1; port <= 100; port++) {
      place.send(inner, { host: "198.51.100.1", port }, 1);
      expect(place.nat.table.size).toBeLessThanOrEqual(8);
    }
  });

  it("works behind another one", () => {
    const place = new NatPlace("restricted");
    const { network } = place;
    const home = network.addNat({ outer: "10.0.0.9", kind: "port-restricted", behind: place.nat });
    const deep = network.addHost({ addresses: ["192.168.0.2"], behind: home });
    const [inner, server] = [place.watch(deep, 5_000), place.watch(place.server, 1)];
    const other = place.watch(place.server, 2);
    place.send(inner, place.at(place.server, server), 1);
    const outer = server.seen[0]?.from ?? { host: "", port: 1 };
    expect(outer.host).toBe("203.0.113.1");
    place.send(server, outer, 2);
    place.send(other, outer, 3);
    expect(marks(inner.seen), "the stricter of the two decides").toEqual([2]);
  });

  it("filters IPv6 and leaves its addresses alone", () => {
    const clock = new VirtualClock();
    const network = new VirtualNetwork({ clock, seed: 1 });
    const nat = network.addNat({ outer: "203.0.113.1", kind: "port-restricted" });
    const deeper = network.addNat({ outer: "10.0.0.9", kind: "port-restricted", behind: nat });
    const host = network.addHost({ addresses: ["192.168.0.2", "2001:db8:1::2"], behind: deeper });
    const server = network.addHost({ addresses: ["2001:db8:2::1"] });
    const [a, b] = [host.bind(7_000), server.bind(7_000)];
    const seen: string[] = [];
    a.listen({ datagram: (_, from) => seen.push(`in from ${from.host}`) });
    b.listen({ datagram: (_, from) => seen.push(`out from ${from.host}`) });
    b.send(Uint8Array.of(1), { host: "2001:db8:1::2", port: 7_000 });
    clock.advance(100);
    a.send(Uint8Array.of(2), { host: "2001:db8:2::1", port: 7_000 });
    clock.advance(100);
    b.send(Uint8Array.of(3), { host: "2001:db8:1::2", port: 7_000 });
    clock.advance(100);
    expect(seen).toEqual(["out from 2001:db8:1::2", "in from 2001:db8:2::1"]);
    expect(network.count("filtered")).toBe(1);
  });
});
