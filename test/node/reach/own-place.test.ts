import { describe, expect, it } from "vitest";
import {
  type NodeAddress,
  parseListenAddress,
  parseNodeContact,
} from "../../../src/identity/index.ts";
import type { LinkHost } from "../../../src/link/index.ts";
import { NODE_DEFAULTS, type NodeConfig } from "../../../src/node/index.ts";
import { OwnPlace } from "../../../src/node/reach/own-place.ts";
import { VirtualClock } from "../../../src/testing/index.ts";

const STRANGER = parseNodeContact(`${"5e".repeat(32)}@udp://192.0.2.1:7000`);
const NEIGHBOUR = parseNodeContact(`${"5e".repeat(32)}@udp://10.0.0.9:7000`);

function placeOf(
  listen: readonly string[],
  config: Partial<NodeConfig>,
  hosts: string[] = [],
  listed: readonly NodeAddress[] = [],
) {
  const addresses: readonly NodeAddress[] = listen.map(parseListenAddress);
  const whole = { ...NODE_DEFAULTS, ...config, listen: addresses };
  const begunWith = [...whole.bootstrap.map(({ address }) => address), ...listed];
  return new OwnPlace(whole, { addresses } as LinkHost, { hosts: () => hosts }, begunWith);
}

const named = ({ addresses }: OwnPlace): string[] =>
  addresses.map(({ carrier, host }) => `${carrier} ${host}`);

describe("where a node says that it is", () => {
  it("is at the addresses of its interfaces when it listens at all of them", () => {
    const both = ["udp://0.0.0.0:7000", "tcp://0.0.0.0:7000"];
    expect(named(placeOf(both, {}, ["10.0.0.2", "2001:db8::2"]))).toEqual([
      "udp 10.0.0.2",
      "tcp 10.0.0.2",
    ]);
    expect(named(placeOf(["udp://[::]:7000"], {}, ["10.0.0.2", "fd00::2"]))).toEqual([
      "udp 10.0.0.2",
      "udp fd00::2",
    ]);
    expect(named(placeOf(["udp://0.0.0.0:7000"], {}, ["10.0.0.2", "192.0.2.7"]))).toEqual([
      "udp 192.0.2.7",
    ]);
    expect(named(placeOf(["udp://0.0.0.0:7000"], {}, []))).toEqual(["udp 127.0.0.1"]);
  });

  it("names no more than a descriptor has room for", () => {
    const hosts = Array.from({ length: 20 }, (_, i) => `192.0.2.${i + 1}`);
    const { listening } = placeOf(["udp://198.51.100.1:7000", "tcp://0.0.0.0:7000"], {}, hosts);
    expect([listening.length, listening[0]?.host]).toEqual([8, "198.51.100.1"]);
  });

  it("is local only if all that it knows is", () => {
    const local = (listen: string, config: Partial<NodeConfig>): boolean =>
      placeOf([listen], config, ["10.0.0.2"]).isLocal;
    expect(local("udp://127.0.0.1:7000", {})).toBe(true);
    expect(local("udp://10.0.0.2:7000", { bootstrap: [NEIGHBOUR] })).toBe(true);
    expect(local("udp://0.0.0.0:7000", { bootstrap: [NEIGHBOUR] })).toBe(true);
    expect(local("udp://10.0.0.2:7000", { bootstrap: [STRANGER] })).toBe(false);
    const isDirect = (hosts: string[], bootstrap = [] as NodeConfig["bootstrap"]): boolean =>
      placeOf(["udp://0.0.0.0:7000"], { reachable: "direct", bootstrap }, hosts).isLocal;
    expect(isDirect(["10.0.0.2"]), "the first of a network that is private").toBe(true);
    expect(isDirect(["10.0.0.2"], [STRANGER])).toBe(false);
    expect(isDirect(["10.0.0.2", "192.0.2.7"])).toBe(false);
    expect(local("udp://0.0.0.0:7000", {})).toBe(false);
  });

  it("dials private addresses unless it is in the open, or has to do with those who are", () => {
    const dials = (config: Partial<NodeConfig>, hosts = ["10.0.0.2"]): boolean =>
      placeOf(["udp://0.0.0.0:7000"], config, hosts).dialsPrivate;
    expect(dials({})).toBe(true);
    expect(dials({ bootstrap: [NEIGHBOUR] })).toBe(true);
    expect(dials({ bootstrap: [NEIGHBOUR, STRANGER] })).toBe(false);
    expect(dials({ announce: [STRANGER.address] })).toBe(false);
    expect(dials({}, ["192.0.2.7"])).toBe(false);
    const moved = placeOf(["udp://0.0.0.0:7000"], {}, ["10.0.0.2"]);
    moved.move([STRANGER.address]);
    expect(moved.dialsPrivate).toBe(false);
    moved.move([]);
    expect(moved.dialsPrivate, "behind a NAT, and joined by those of the last run").toBe(false);
  });

  it("begins with the nodes of its file as with any others", () => {
    const place = (listed: NodeAddress): OwnPlace =>
      placeOf(["udp://0.0.0.0:7000"], {}, ["10.0.0.2"], [listed]);
    const far = place(STRANGER.address);
    expect([far.dialsPrivate, far.isLocal, far.isFoundOut]).toEqual([false, false, true]);
    const near = place(NEIGHBOUR.address);
    expect([near.dialsPrivate, near.isLocal, near.isFoundOut]).toEqual([true, true, false]);
  });

  it("tells strangers of no private address of its own", () => {
    const any = ["udp://0.0.0.0:7000"];
    const said = (config: Partial<NodeConfig>, listed: readonly NodeAddress[] = []) =>
      placeOf(any, config, ["10.0.0.2"], listed)
        .named(false)
        .map(({ host }) => host);
    expect(said({ bootstrap: [STRANGER] })).toEqual([]);
    expect(said({}, [STRANGER.address])).toEqual([]);
    expect(said({ bootstrap: [NEIGHBOUR] })).toEqual(["10.0.0.2"]);
    expect(said({ bootstrap: [STRANGER], reachable: "direct" }), "as told").toEqual(["10.0.0.2"]);
    expect(said({}), "nobody is known").toEqual(["10.0.0.2"]);
  });

  it("is found out where nobody says so, and strangers are met", () => {
    const found = (config: Partial<NodeConfig>): boolean =>
      placeOf(["udp://0.0.0.0:7000"], { bootstrap: [STRANGER], ...config }).isFoundOut;
    expect(found({})).toBe(true);
    expect(found({ bootstrap: [NEIGHBOUR] })).toBe(false);
    expect(found({ announce: [STRANGER.address] })).toBe(false);
    expect(found({ reachable: "direct" })).toBe(false);
    expect(found({ reachable: "relay" })).toBe(false);
  });

  it("is where it listens when neither strangers nor a relay reach it, if they could", () => {
    const open = placeOf(["udp://0.0.0.0:7000"], { bootstrap: [STRANGER] }, ["192.0.2.7"]);
    open.move([]);
    expect([open.named(true), open.named(false)]).toEqual([[], open.listening]);
    const hidden = placeOf(["udp://0.0.0.0:7000"], { bootstrap: [STRANGER] }, ["10.0.0.2"]);
    hidden.move([]);
    expect(hidden.named(false)).toEqual([]);
    const told = placeOf(["udp://0.0.0.0:7000"], { reachable: "relay" }, ["192.0.2.7"]);
    expect([told.named(false), told.roles.includes("link-relay")]).toEqual([[], false]);
  });

  it("tells of a move, and of none to the same addresses", () => {
    const place = placeOf(["udp://0.0.0.0:7000", "tcp://0.0.0.0:7000"], {}, ["192.0.2.7"]);
    let moves = 0;
    const stop = place.onMove(() => {
      moves += 1;
    });
    place.move(place.addresses.toReversed());
    expect(moves).toBe(0);
    place.move([]);
    stop();
    place.move(place.listening);
    expect(moves).toBe(1);
  });

  it("reads the machine's addresses again, unless it has none or was told where it is", () => {
    const any = ["udp://0.0.0.0:7000"];
    const read = (now: string[], config: Partial<NodeConfig>, found?: readonly NodeAddress[]) => {
      const hosts = ["10.0.0.2"];
      const place = placeOf(any, config, hosts);
      if (found !== undefined) place.move(found);
      let changes = 0;
      place.onChange(() => {
        changes += 1;
      });
      hosts.splice(0, 1, ...now);
      place.look();
      place.look();
      return [place.addresses.map(({ host }) => host), changes];
    };
    expect(read(["10.0.9.9"], { bootstrap: [NEIGHBOUR] })).toEqual([["10.0.9.9"], 1]);
    expect(read(["10.0.0.2"], { bootstrap: [NEIGHBOUR] })).toEqual([["10.0.0.2"], 0]);
    expect(read([], { bootstrap: [NEIGHBOUR] }), "no network").toEqual([["10.0.0.2"], 0]);
    expect(read(["10.0.9.9"], { announce: [STRANGER.address] })).toEqual([["192.0.2.1"], 0]);
    expect(read(["10.0.9.9"], { reachable: "relay" })).toEqual([[], 1]);
    expect(read(["10.0.9.9"], {}, []), "nobody got through").toEqual([[], 1]);
    expect(read(["10.0.9.9"], {}, [STRANGER.address]), "found").toEqual([["192.0.2.1"], 1]);
  });

  it("is watched until that is ended", async () => {
    const clock = new VirtualClock();
    const hosts = ["10.0.0.2"];
    const place = placeOf(["udp://0.0.0.0:7000"], { bootstrap: [NEIGHBOUR] }, hosts);
    const stop = place.watch(clock);
    for (const host of ["10.0.9.9", "10.0.9.8"]) {
      hosts[0] = host;
      await clock.runUntil(clock.now() + 31_000);
      expect(place.addresses[0]?.host).toBe(host);
    }
    stop();
    hosts[0] = "10.0.9.7";
    await clock.runUntil(clock.now() + 100_000);
    expect(place.addresses[0]?.host).toBe("10.0.9.8");
  });
});
