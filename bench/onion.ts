/**
 * What onions cost a hop, as ratios to what it cannot do without: a packet to one X25519 and one
 * wide block, a cell to one wide block. Then how long a circuit takes to build, in latencies of a
 * link, and what a thousand of them take of a node's memory.
 *
 * Run: `npx tsx bench/onion.ts`.
 */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { assert, SeededRandom } from "../src/base/index.ts";
import { nodeIdOf } from "../src/identity/index.ts";
import {
  buildPacket,
  CIRCUIT_LIMITS,
  Circuit,
  epochOf,
  type HopTarget,
  hopsOf,
  KeyRing,
  ONION_GEOMETRY,
  type OnionParts,
  openPayload,
  PACKET_LIMITS,
  PacketCore,
  Peeler,
  packetBytes,
  RelayCore,
  type RelayEffect,
  WideBlock,
} from "../src/onion/index.ts";
import { VirtualNet } from "../test/onion/virtual-net.ts";
import { atMost, check, measure, printTable, writeResults } from "./harness.ts";
import { fastest, installed, PROVIDERS } from "./providers.ts";

const UNIX_MS = 1_735_689_600_000;

/** Packets that are opened in turn; a hop would know each of them again. */
const PACKETS = 256;

const CIRCUITS = 1_000;

/** Many short samples, of which the least disturbed counts. */
const SHORT = { rounds: 41, sampleMs: 8 };

interface Hop {
  readonly target: HopTarget;
  readonly ring: KeyRing;
  readonly peeler: Peeler;
}

function makeHop(parts: OnionParts, random: SeededRandom): Hop {
  const ring = new KeyRing({ suite: parts.suite, random });
  ring.advance(UNIX_MS);
  const [key] = ring.published(UNIX_MS);
  assert(key !== undefined, "a ring has a key");
  const target = { id: nodeIdOf(random.bytes(32)), onionKey: key.publicKey };
  return { target, ring, peeler: new Peeler(parts, ring) };
}

function packet(
  parts: OnionParts,
  random: SeededRandom,
  options: { hops: readonly Hop[]; last: "deliver" | "exit"; keepsBackState?: boolean },
): Uint8Array {
  const { last, keepsBackState = false } = options;
  const through = last === "exit" ? "extend" : "relay";
  const route = options.hops.map(({ target }) => target);
  const hops = hopsOf(route, { last, through, name: random.bytes(32), keepsBackState });
  const content = random.bytes(last === "exit" ? 0 : 500);
  const built = buildPacket(parts, { epoch: epochOf(UNIX_MS), hops, content, random });
  assert(built !== undefined, "the keys are good");
  return built.unit;
}

/** One X25519 and one wide block, then the whole of a hop's work on a packet. */
function peeling(parts: OnionParts): { floor: () => void; peel: () => void } {
  const random = new SeededRandom(1);
  const hop = makeHop(parts, random);
  const units = Array.from({ length: PACKETS }, () =>
    packet(parts, random, { hops: [hop], last: "deliver" }),
  );
  const first = hop.peeler.peel(units[0] ?? new Uint8Array(0));
  check(first.kind === "peeled" && openPayload(first.payload) !== undefined, "a packet opens");
  const tags = hop.ring.find(epochOf(UNIX_MS) & 0xff)?.tags;
  const cipher = new WideBlock(parts.suite, random.bytes(64));
  const payload = random.bytes(parts.geometry.payloadBytes);
  const [secret, publicKey] = [random.bytes(32), hop.target.onionKey];
  let at = 0;
  return {
    floor: () => {
      parts.suite.x25519(secret, publicKey);
      cipher.decrypt(payload);
    },
    peel: () => {
      if (at % PACKETS === 0) tags?.wipe();
      const peeled = hop.peeler.peel(units[at++ % PACKETS] ?? payload);
      if (peeled.kind !== "peeled") throw new Error(peeled.reason);
    },
  };
}

/** All that a relay does with a packet that asks for a backward unit, but for its links. */
function passing(parts: OnionParts): () => void {
  const random = new SeededRandom(6);
  const [hop, next] = [makeHop(parts, random), makeHop(parts, random)];
  const from = next.target.id;
  const how = { hops: [hop, next], last: "deliver", keepsBackState: true } as const;
  const units = Array.from({ length: PACKETS }, () => packet(parts, random, how));
  const tags = hop.ring.find(epochOf(UNIX_MS) & 0xff)?.tags;
  const limits = { packetsPerSecond: 1e6, packetsBurst: 1e6 };
  const components = { parts, peeler: hop.peeler, self: hop.target.id, random };
  const core = new PacketCore(components, { limits });
  let at = 0;
  let now = 0;
  return () => {
    if (at % PACKETS === 0) {
      tags?.wipe();
      now += PACKET_LIMITS.stateMs;
      core.timeout(now);
    }
    core.handle({ kind: "unit", from, unit: units[at++ % PACKETS] ?? from, source: "" }, now);
    if (core.poll()?.kind !== "send") throw new Error("a packet goes on");
  };
}

/** A relay with so many circuits through it, all of them open. */
function relayWith(parts: OnionParts, count: number, seed = 2): RelayCore {
  const random = new SeededRandom(seed);
  const [middle, last] = [makeHop(parts, random), makeHop(parts, random)];
  const circuit = { ...CIRCUIT_LIMITS, cellsMax: Number.MAX_SAFE_INTEGER };
  const limits = {
    circuitsMax: count,
    circuitsPerLinkMax: count,
    buildsPerSecond: 1e6,
    buildsBurst: 1e6,
  };
  const options = { circuit, limits };
  const self = middle.target.id;
  const relay = new RelayCore({ parts, peeler: middle.peeler, self, random }, options);
  const exit = new RelayCore({ parts, peeler: last.peeler, self: last.target.id, random }, options);
  for (let i = 0; i < count; i++) {
    const channel = 2 * i + 1;
    relay.handle({ kind: "opened", channel, from: last.target.id }, 0);
    const unit = packet(parts, random, { hops: [middle, last], last: "exit" });
    relay.handle({ kind: "unit", channel, unit }, 0);
    const passed = written(relay);
    exit.handle({ kind: "opened", channel, from: self }, 0);
    exit.handle({ kind: "unit", channel, unit: passed }, 0);
    relay.handle({ kind: "unit", channel: 2 * i + 2, unit: written(exit) }, 0);
    written(relay);
    relay.handle({ kind: "sent", channel, count: 1 }, 0);
  }
  check(relay.circuits === count && relay.counts.get("built") === count, "circuits are built");
  return relay;
}

/** What the core wants to write; everything else it wants is of no interest here. */
function written(core: RelayCore): Uint8Array {
  let unit: Uint8Array | undefined;
  for (let effect: RelayEffect | undefined = core.poll(); effect !== undefined; ) {
    if (effect.kind === "write") unit = effect.unit;
    effect = core.poll();
  }
  assert(unit !== undefined, "something is written");
  return unit;
}

/** One wide block, then all that a relay does with a cell, in both directions. */
function relaying(parts: OnionParts): { floor: () => void; there: () => void; back: () => void } {
  const relay = relayWith(parts, 1);
  const cell = new SeededRandom(3).bytes(parts.geometry.cellBytes);
  const cipher = new WideBlock(parts.suite, new SeededRandom(4).bytes(64));
  const pass = (from: number, to: number) => (): void => {
    relay.handle({ kind: "unit", channel: from, unit: cell }, 0);
    const effect = relay.poll();
    if (effect?.kind !== "write" || effect.channel !== to) throw new Error("a cell goes on");
    relay.handle({ kind: "sent", channel: to, count: 1 }, 0);
  };
  let tweak: Uint8Array = new Uint8Array(32);
  return {
    floor: () => {
      tweak = cipher.decrypt(cell, tweak);
    },
    there: pass(1, 2),
    back: pass(2, 1),
  };
}

/** What one provider takes, and the ratios that are asked. */
interface Row extends Readonly<Record<string, string | number>> {
  readonly provider: string;
  readonly "packet µs": number;
  readonly packet: number;
  readonly "relayed µs": number;
  readonly "cell µs": number;
  readonly there: number;
  readonly back: number;
  readonly "cells/s": number;
  readonly "MB/s": number;
}

async function times(): Promise<Row[]> {
  const rows: Row[] = [];
  for (const provider of PROVIDERS) {
    const parts = { suite: installed(provider), geometry: ONION_GEOMETRY };
    const packets = peeling(parts);
    const [packetFloor, peel, relay] = await measure(
      [
        { name: "floor", run: packets.floor },
        { name: "peel", run: packets.peel },
        { name: "relay", run: passing(parts) },
      ],
      SHORT,
    );
    const cells = relaying(parts);
    const [cellFloor, there, back] = await measure(
      [
        { name: "floor", run: cells.floor },
        { name: "there", run: cells.there },
        { name: "back", run: cells.back },
      ],
      SHORT,
    );
    assert(packetFloor && peel && relay && cellFloor && there && back, "every subject is timed");
    rows.push({
      provider,
      "packet µs": peel.leastUs,
      packet: peel.leastUs / packetFloor.leastUs,
      "relayed µs": relay.leastUs,
      "cell µs": there.leastUs,
      there: there.leastUs / cellFloor.leastUs,
      back: back.leastUs / cellFloor.leastUs,
      "cells/s": 1e6 / there.leastUs,
      "MB/s": 1_001 / there.leastUs,
    });
  }
  return rows;
}

/** Link latencies until a circuit of so many relays is ready. */
async function buildLatencies(relays: number): Promise<number> {
  const net = new VirtualNet(relays + 1, { latencyMs: 50, geometry: ONION_GEOMETRY });
  const route = net.route(...Array.from({ length: relays }, (_, i) => i + 1));
  const from = net.clock.now();
  await net.clock.runPromise(Circuit.build(net.service(0), route));
  const latencies = (net.clock.now() - from) / net.latencyMs;
  net.close();
  return latencies;
}

/** Bytes that so many idle circuits add to a node. */
function memoryOf(parts: OnionParts, count: number): number {
  setFlagsFromString("--expose-gc");
  const collect: () => void = runInNewContext("gc");
  const used = (): number => {
    collect();
    const { heapUsed, external } = process.memoryUsage();
    return heapUsed + external;
  };
  const before = used();
  const relay = relayWith(parts, count, 5);
  const bytes = used() - before;
  check(relay.circuits === count, "the circuits are still there");
  return bytes;
}

async function main(): Promise<void> {
  const rows = await times();
  printTable(`packets of ${packetBytes(ONION_GEOMETRY)} bytes, cells of 1,024`, rows);
  const latencies = await buildLatencies(3);
  const bytes = memoryOf({ suite: fastest(), geometry: ONION_GEOMETRY }, CIRCUITS);
  const verdicts = rows.flatMap((row) => [
    atMost(`packet to X25519 and wide block, ${row.provider}`, row.packet, 1.3),
    atMost(`cell to wide block, ${row.provider}`, Math.max(row.there, row.back), 1.3),
  ]);
  verdicts.push(atMost("latencies to build a circuit of three relays", latencies, 8));
  verdicts.push(atMost("MiB of a thousand circuits at a relay", bytes / 2 ** 20, 100));
  writeResults("onion", { rows, latencies, bytesOfThousandCircuits: bytes }, verdicts);
}

await main();
