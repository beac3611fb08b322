import { describe, expect, it } from "vitest";
import { KeyedHash, SeededRandom, utf8 } from "../../../src/base/index.ts";
import {
  backwardEdge,
  makeBackward,
  openBackward,
  passBackward,
} from "../../../src/onion/packet/backward.ts";
import { headerBytes, packetBytes, surbBytes } from "../../../src/onion/packet/geometry.ts";
import { edgeId } from "../../../src/onion/packet/hop-keys.ts";
import {
  EPOCH_GRACE_MS,
  EPOCH_LEAD_MS,
  EPOCH_MS,
  epochOf,
  KeyRing,
} from "../../../src/onion/packet/key-ring.ts";
import {
  buildPacket,
  contentBytesMax,
  hopsOf,
  type OnionParts,
  openPayload,
  type PeeledPacket,
  Peeler,
  type Peeling,
} from "../../../src/onion/packet/packet.ts";
import { PacketCore } from "../../../src/onion/packet/packet-core.ts";
import { ReplayTags } from "../../../src/onion/packet/replay-tags.ts";
import { makeSurb, openReply, useSurb } from "../../../src/onion/packet/surb.ts";
import {
  countingSuite,
  fastSuite,
  GEOMETRY,
  makeHop,
  makeHops,
  shareARun,
  type TestHop,
  UNIX_MS,
} from "../fixtures.ts";

const parts: OnionParts = { suite: fastSuite(), geometry: GEOMETRY };
const CONTENT = utf8("what is it about");

function build(
  route: readonly TestHop[],
  options: { seed?: number; content?: Uint8Array; parts?: OnionParts } = {},
) {
  const random = new SeededRandom(options.seed ?? 5);
  const name = random.bytes(32);
  const hops = hopsOf(
    route.map(({ target }) => target),
    { last: "deliver", name },
  );
  const content = options.content ?? CONTENT;
  const built = buildPacket(options.parts ?? parts, {
    epoch: route[0]?.epoch ?? 0,
    hops,
    content,
    random,
  });
  if (built === undefined) throw new Error("the keys are good");
  return { ...built, name };
}

function peeled(peeling: Peeling): PeeledPacket {
  if (peeling.kind === "dropped") throw new Error(`dropped: ${peeling.reason}`);
  return peeling;
}

function reasonOf(peeling: Peeling): string {
  return peeling.kind === "dropped" ? peeling.reason : "none";
}

/** What every hop in turn makes of a packet, and what passed over each edge. */
function walk(route: readonly TestHop[], unit: Uint8Array) {
  const edges = [unit];
  const stops: PeeledPacket[] = [];
  for (const hop of route) {
    const stop = peeled(hop.peeler.peel(edges.at(-1) ?? unit));
    stops.push(stop);
    edges.push(stop.unit);
  }
  return { edges: edges.slice(0, -1), stops };
}

describe("a one-time packet", () => {
  it("has the sizes of the design", () => {
    const five = { ...GEOMETRY, hopsMax: 5 };
    expect(headerBytes(five)).toBe(490);
    expect(surbBytes(five)).toBe(554);
  });

  it.each([1, 2, 3, 4, 5])(
    "goes through %d hops, each of which sees the next one only",
    (count) => {
      const route = makeHops(parts, count);
      const { unit, name } = build(route);
      const { edges, stops } = walk(route, unit);
      for (const [i, { routing }] of stops.entries()) {
        const isLast = i === count - 1;
        expect(routing.command).toBe(isLast ? "deliver" : "relay");
        expect(routing.next).toEqual(isLast ? name : route[i + 1]?.id);
        if (!isLast) expect(openPayload(stops[i]?.payload ?? unit)).toBeUndefined();
      }
      const content = openPayload(stops.at(-1)?.payload ?? unit);
      expect(content?.subarray(0, CONTENT.length)).toEqual(CONTENT);
      expect(content?.length).toBe(contentBytesMax(GEOMETRY));
      for (const edge of edges) expect(edge.length).toBe(packetBytes(GEOMETRY));
    },
  );

  it("has no 8 bytes in a row in common on any two links", () => {
    const route = makeHops(parts, 5);
    const { edges } = walk(route, build(route, { content: new Uint8Array(900) }).unit);
    for (const [i, a] of edges.entries()) {
      for (const b of edges.slice(i + 1)) expect(shareARun(a, b)).toBe(false);
    }
    // The check itself: a run of version, epoch and six more would be found.
    expect(shareARun(edges[0] ?? CONTENT, (edges[0] ?? CONTENT).slice(100, 108))).toBe(true);
  });

  it("does not tell the last hop how long the route was", () => {
    for (const count of [1, 5]) {
      const route = makeHops(parts, count);
      const stop = walk(route, build(route).unit).stops.at(-1);
      const left = stop?.header.subarray(34, -16) ?? CONTENT;
      // Neither zeros nor a keystream over zeros: as many different bytes as noise has.
      expect(new Set(left.subarray(0, 352)).size).toBeGreaterThan(150);
    }
  });

  it("is dropped at the first hop when any byte of its header is flipped", () => {
    const route = makeHops(parts, 3);
    const { unit } = build(route);
    const [first] = route;
    for (let at = 0; at < headerBytes(GEOMETRY); at++) {
      const flipped = unit.with(at, (unit[at] as number) ^ (1 << (at % 8)));
      // The top bit of an X25519 key is not part of it, but the MAC covers it all the same.
      expect(first?.peeler.peel(flipped).kind, `byte ${at}`).toBe("dropped");
    }
    expect(first?.peeler.peel(unit).kind).toBe("peeled");
  });

  it("is refused at its destination when any byte of its payload is flipped", () => {
    const small = { suite: fastSuite(), geometry: { ...GEOMETRY, payloadBytes: 160 } };
    const route = makeHops(small, 3);
    for (let at = headerBytes(GEOMETRY); at < packetBytes(small.geometry); at++) {
      const { unit } = build(route, { seed: at, parts: small });
      const { stops } = walk(route, unit.with(at, (unit[at] as number) ^ 128));
      expect(openPayload(stops.at(-1)?.payload ?? unit), `byte ${at}`).toBeUndefined();
    }
  });

  it("is dropped the second time, and by another key after a restart", () => {
    const route = makeHops(parts, 2);
    const { unit } = build(route);
    const [first] = route;
    expect(first?.peeler.peel(unit).kind).toBe("peeled");
    expect(reasonOf(first?.peeler.peel(unit) as Peeling)).toBe("replay");
    const restarted = makeHop(parts, new SeededRandom(99));
    expect(reasonOf(restarted.peeler.peel(unit))).toBe("mac");
  });

  it("opens as long as its epoch and the grace behind it last", () => {
    const [hop] = makeHops(parts, 1);
    const end = Math.ceil(UNIX_MS / EPOCH_MS) * EPOCH_MS;
    if (hop === undefined) throw new Error("one hop");
    const [early, late] = [build([hop], { seed: 1 }).unit, build([hop], { seed: 2 }).unit];
    hop.ring.advance(end + EPOCH_GRACE_MS - 1);
    expect(hop.peeler.peel(early).kind).toBe("peeled");
    hop.ring.advance(end + EPOCH_GRACE_MS);
    expect(reasonOf(hop.peeler.peel(late))).toBe("epoch");
    expect(reasonOf(hop.peeler.peel(early))).toBe("epoch");
  });

  it("is not made for a key of small order", () => {
    const [hop] = makeHops(parts, 1);
    const random = new SeededRandom(1);
    const zero = { id: random.bytes(32), onionKey: new Uint8Array(32) };
    const route = [hop?.target ?? zero, zero];
    const hops = hopsOf(route, { last: "deliver", name: random.bytes(32) });
    expect(buildPacket(parts, { epoch: 1, hops, content: CONTENT, random })).toBeUndefined();
  });
});

describe("what is dropped before the MAC", () => {
  it("costs the same, whatever was wrong", () => {
    const counted = countingSuite(fastSuite());
    const random = new SeededRandom(1);
    const hop = makeHop({ suite: counted.suite, geometry: GEOMETRY }, random);
    const { unit } = build([hop]);
    const zeroKey = unit.slice();
    zeroKey.fill(0, 2, 34);
    const spoiled: [string, Uint8Array][] = [
      ["version", unit.with(0, 9)],
      ["epoch", unit.with(1, (unit[1] as number) ^ 64)],
      ["key", zeroKey],
      ["mac", unit.with(headerBytes(GEOMETRY) - 1, (unit[headerBytes(GEOMETRY) - 1] ?? 0) ^ 1)],
      ["mac", unit.with(60, (unit[60] as number) ^ 1)],
    ];
    const costs = spoiled.map(([reason, bytes]) => {
      const before = { ...counted.counts };
      expect(reasonOf(hop.peeler.peel(bytes))).toBe(reason);
      return Object.entries(counted.counts).map(
        ([name, count]) => count - (before[name as keyof typeof before] ?? 0),
      );
    });
    for (const cost of costs) expect(cost).toEqual(costs[0]);
    expect(costs[0]?.[0]).toBe(1);
  });

  it("is of another length at once", () => {
    const [hop] = makeHops(parts, 1);
    const { unit } = build(hop === undefined ? [] : [hop]);
    for (const bytes of [unit.subarray(1), Uint8Array.of(...unit, 0), new Uint8Array(0)]) {
      expect(reasonOf(hop?.peeler.peel(bytes) as Peeling)).toBe("length");
    }
  });

  it("leaves no trace: a good packet opens after any number of bad ones", () => {
    const [hop] = makeHops(parts, 1);
    if (hop === undefined) throw new Error("one hop");
    const dice = new SeededRandom(4);
    for (let i = 0; i < 200; i++) hop.peeler.peel(dice.bytes(packetBytes(GEOMETRY)));
    expect(hop.peeler.peel(build([hop]).unit).kind).toBe("peeled");
  });
});

it("the key of an epoch is wiped when that is over, together with its replay tags", () => {
  const ring = new KeyRing({ suite: parts.suite, random: new SeededRandom(1) });
  ring.advance(0);
  const key = ring.find(0);
  key?.tags.add(new SeededRandom(2).bytes(16));
  ring.advance(EPOCH_MS + EPOCH_GRACE_MS - 1);
  expect([ring.find(0), key?.tags.size]).toEqual([key, 1]);
  ring.advance(EPOCH_MS + EPOCH_GRACE_MS);
  expect([ring.find(0), key?.tags.size]).toEqual([undefined, 0]);
  expect(key?.secret).toEqual(new Uint8Array(32));
});

it("a key that was told of stays when the clock is set back a little, and not for ever", () => {
  const ring = new KeyRing({ suite: parts.suite, random: new SeededRandom(1) });
  const told = EPOCH_MS - EPOCH_LEAD_MS;
  ring.advance(told);
  const key = ring.find(1);
  expect(key).toBeDefined();
  expect(ring.advance(told - 1_000)).toBe(false);
  expect(ring.find(1)).toBe(key);
  ring.advance(told - 2 * EPOCH_MS);
  expect(ring.find(1)).toBeUndefined();
});

describe("a hop that cannot remember more packets", () => {
  it("refuses new ones, counted by name, and knows the old ones still", () => {
    const random = new SeededRandom(1);
    const ring = new KeyRing({ suite: parts.suite, random }, { replayTagsMax: 3 });
    ring.advance(UNIX_MS);
    const [key] = ring.published(UNIX_MS);
    if (key === undefined) throw new Error("a ring has a key");
    const target = { id: random.bytes(32), onionKey: key.publicKey };
    const hop = { ...makeHop(parts, random), target, epoch: key.epoch };
    const peeler = new Peeler(parts, ring);
    const units = [1, 2, 3, 4].map((seed) => build([hop], { seed }).unit);
    const outcomes = units.map((unit) => reasonOf(peeler.peel(unit.slice())));
    expect(outcomes).toEqual(["none", "none", "none", "tags-full"]);
    expect(units.map((unit) => reasonOf(peeler.peel(unit.slice())))).toEqual([
      ...["replay", "replay", "replay"],
      "tags-full",
    ]);
  });

  it("has room for as many as its table says, and finds each of them", () => {
    const random = new SeededRandom(1);
    const tags = new ReplayTags(new KeyedHash(random.bytes(16)), 5_000);
    const all = Array.from({ length: 5_000 }, () => random.bytes(16));
    expect(new Set(all.map((tag) => tags.add(tag)))).toEqual(new Set(["added"]));
    expect(new Set(all.map((tag) => tags.add(tag)))).toEqual(new Set(["seen"]));
    expect(tags.add(random.bytes(16))).toBe("full");
    tags.wipe();
    expect(tags.add(all[0] ?? CONTENT)).toBe("added");
  });

  it("finds them as fast where an origin has made packets until it liked their tags", () => {
    const random = new SeededRandom(1);
    const ring = new KeyRing({ suite: parts.suite, random });
    ring.advance(UNIX_MS);
    const tags = ring.find(epochOf(UNIX_MS) & 0xff)?.tags;
    // All would lie in one row, and each be looked for behind all others: for minutes.
    const liked = Array.from({ length: 150_000 }, () => random.bytes(16).fill(7, 0, 4));
    expect(new Set(liked.map((tag) => tags?.add(tag)))).toEqual(new Set(["added"]));
    expect(new Set(liked.map((tag) => tags?.add(tag)))).toEqual(new Set(["seen"]));
  });
});

describe("a reply block", () => {
  it.each([1, 2, 5])("brings one reply home over %d hops", (count) => {
    const route = makeHops(parts, count, 3);
    const random = new SeededRandom(8);
    const surb = makeSurb(parts, {
      epoch: route[0]?.epoch ?? 0,
      route: route.map(({ target }) => target),
      random,
    });
    if (surb === undefined) throw new Error("the keys are good");
    expect(surb.bytes.length).toBe(surbBytes(GEOMETRY));
    const { first, unit } = useSurb(parts, surb.bytes, CONTENT);
    expect(first).toEqual(route[0]?.id);
    const { stops } = walk(route, unit);
    const last = stops.at(-1);
    expect(last?.routing.command).toBe("home");
    expect(last?.routing.next).toEqual(surb.name);
    const payload = last?.payload ?? unit;
    const damaged = payload.with(30, (payload[30] as number) ^ 1);
    expect(openReply(parts.suite, surb.opener, damaged)).toBeUndefined();
    const content = openReply(parts.suite, surb.opener, payload.slice());
    expect(content?.subarray(0, CONTENT.length)).toEqual(CONTENT);
    const again = useSurb(parts, surb.bytes, utf8("another"));
    expect(reasonOf(route[0]?.peeler.peel(again.unit) as Peeling)).toBe("replay");
  });
});

describe("a backward unit", () => {
  const route = makeHops(parts, 4, 6);
  const built = build(route);
  const { stops, edges } = walk(route, built.unit);
  const layers = built.keys.map(({ backward }) => backward);

  /** The unit as the origin gets it when hop `from` has made it. */
  function sendBack(from: number, reason: "timeout" | "policy") {
    const seen: Uint8Array[] = [];
    let unit = new Uint8Array(0);
    for (let i = from; i >= 0; i--) {
      const stop = stops[i];
      if (stop === undefined) throw new Error("no such hop");
      const edge = edgeId(parts.suite, stop.ephemeral);
      const { backward: key } = stop.keys;
      if (i === from) {
        const content = { kind: "failure", reason, detail: 7 } as const;
        unit = makeBackward(parts, { edge, key, content, filler: 1 }).slice();
      } else {
        expect(backwardEdge(GEOMETRY, unit)).toEqual(edgeId(parts.suite, stop.nextEphemeral));
        unit = passBackward(parts, unit, { edge, key, filler: 2 }).slice();
      }
      seen.push(unit);
    }
    return { unit, seen };
  }

  it.each([0, 1, 2, 3])("names hop %d to the origin alone", (from) => {
    const { unit, seen } = sendBack(from, "policy");
    expect(openBackward(parts, unit, layers)).toEqual({
      hop: from,
      content: { kind: "failure", reason: "policy", detail: 7 },
    });
    expect(openBackward(parts, unit, layers.slice(1))).toBeUndefined();
    for (const [i, a] of seen.entries()) {
      expect(a.length).toBe(packetBytes(GEOMETRY));
      for (const b of [...seen.slice(i + 1), ...edges]) expect(shareARun(a, b)).toBe(false);
    }
  });

  it("names nobody when a byte was changed on its way", () => {
    const { unit } = sendBack(3, "timeout");
    for (const at of [18, 19, 100, 600, unit.length - 1]) {
      const flipped = unit.with(at, (unit[at] as number) ^ 1);
      expect(openBackward(parts, flipped, layers)).toBeUndefined();
    }
  });

  it("is a reply only from the destination; from a hop half-way it is that hop's lie", () => {
    const [first] = route;
    const stop = stops[0];
    if (first === undefined || stop === undefined) throw new Error("four hops");
    const random = new SeededRandom(9);
    const core = new PacketCore({ parts, peeler: first.peeler, self: random.bytes(32), random });
    const [to, sent] = [first.target.id, built.unit.slice()];
    core.handle({ kind: "send", first: to, unit: sent, expects: { id: 5, layers } }, 0);
    const edge = edgeId(parts.suite, stop.ephemeral);
    const content = { kind: "reply", content: CONTENT } as const;
    const unit = makeBackward(parts, { edge, key: stop.keys.backward, content, filler: 1 });
    core.handle({ kind: "unit", from: to, unit: unit.slice() }, 1);
    const effects = [core.poll(), core.poll()];
    expect(effects.at(-1)).toMatchObject({
      ...{ kind: "outcome", id: 5 },
      outcome: { kind: "failure", failure: { reason: "protocol", hop: 0, isProven: true } },
    });
  });
});
