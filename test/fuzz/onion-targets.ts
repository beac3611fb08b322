import { SeededRandom } from "../../src/base/index.ts";
import { encodeReceipts, testimonyOf } from "../../src/node/storage/quorum-receipts.ts";
import { CircuitEnd } from "../../src/onion/circuit/circuit-end.ts";
import {
  buildPacket,
  CIRCUIT_LIMITS,
  CircuitCore,
  type CircuitInput,
  hopsOf,
  makeSurb,
  PacketCore,
  RelayCore,
  useSurb,
} from "../../src/onion/index.ts";
import {
  encodeOperation,
  encodeOutcome,
  readOperation,
  readOutcome,
} from "../../src/onion/map/map-operation.ts";
import { encodeContent, readContent } from "../../src/onion/message/content.ts";
import { openBackward } from "../../src/onion/packet/backward.ts";
import { packetBytes, surbBytes } from "../../src/onion/packet/geometry.ts";
import { effectsOf } from "../effects-of.ts";
import { fastSuite, GEOMETRY, makeHop } from "../onion/fixtures.ts";
import { type FuzzTarget, refusedOr } from "./fuzz.ts";

const random = new SeededRandom(21);
const parts = { suite: fastSuite(), geometry: { ...GEOMETRY, payloadBytes: 200, cellBytes: 256 } };
const hop = makeHop(parts, random);
const record = {
  address: random.bytes(32),
  signature: random.bytes(64),
  seq: 1 as const,
  ttlSeconds: 5,
  payload: random.bytes(20),
};
const receipt = {
  expiresMs: 1,
  leftMask: 2,
  siblings: [random.bytes(32), random.bytes(32)],
  signature: random.bytes(64),
};
const piece = { message: random.bytes(16), index: 0, isLast: true, data: random.bytes(9) };

function packet(last: "exit" | "deliver"): Uint8Array {
  const hops = hopsOf([hop.target], { last, name: random.bytes(32) });
  const content = new Uint8Array(0);
  return buildPacket(parts, { epoch: hop.epoch, hops, content, random })?.unit ?? content;
}

function surbOf(): Uint8Array {
  const made = makeSurb(parts, { epoch: hop.epoch, route: [hop.target], random });
  return made?.bytes ?? new Uint8Array(0);
}

function refusing(read: (bytes: Uint8Array) => unknown): (bytes: Uint8Array) => void {
  return (bytes) => void refusedOr(["CULVERT_PROTOCOL"], () => read(bytes));
}

/** A relay that gets these bytes as a build, as cells and from the wrong side. */
function runRelay(bytes: Uint8Array): void {
  const core = new RelayCore({ parts, peeler: hop.peeler, self: hop.id, random });
  const drain = (): void => {
    for (let effect = core.poll(); effect !== undefined; effect = core.poll());
  };
  const inputs = [
    { kind: "opened", channel: 1, from: hop.id },
    { kind: "unit", channel: 1, unit: bytes.length % 8 === 1 ? packet("exit") : bytes.slice() },
    { kind: "unit", channel: 1, unit: bytes.slice() },
    { kind: "unit", channel: 2, unit: bytes.slice() },
    { kind: "unit", channel: 9, unit: bytes.slice() },
    { kind: "sent", channel: 1, count: bytes[0] ?? 0 },
    { kind: "respond", circuit: bytes[1] ?? 0, request: bytes[2] ?? 0, content: bytes.slice(0, 9) },
    { kind: "closed", channel: 1 },
  ] as const;
  for (const input of inputs) {
    core.handle(input, 0);
    drain();
  }
  core.timeout(1e9);
  drain();
  if (core.circuits !== 0) throw new Error("a circuit is left");
}

/** To build a circuit takes half a millisecond: the origin has sent its build for so few inputs. */
const BUILT_ONE_IN = 32;

/** The origin of a circuit whose first hop says these bytes, before and after it is built. */
function runOrigin(bytes: Uint8Array, dice: SeededRandom): void {
  const core = new CircuitCore({ parts, random }, { route: [hop.target], epoch: hop.epoch });
  const written: Uint8Array[] = [];
  const tell = (input: CircuitInput): void => {
    core.handle(input, 0);
    for (const effect of effectsOf(core)) {
      if (effect.kind === "write") written.push(effect.unit);
    }
  };
  const isBuilding = dice.below(BUILT_ONE_IN) === 0;
  if (isBuilding) tell({ kind: "build" });
  if (isBuilding && dice.below(2) === 0) {
    const [build = bytes] = written;
    const last = new RelayCore({ parts, peeler: hop.peeler, self: hop.id, random });
    last.handle({ kind: "opened", channel: 1, from: hop.id }, 0);
    last.handle({ kind: "unit", channel: 1, unit: build }, 0);
    for (const effect of effectsOf(last)) {
      if (effect.kind === "write") tell({ kind: "unit", unit: effect.unit });
    }
    tell({ kind: "request", request: 1, content: bytes.slice(0, 30) });
  }
  tell({ kind: "unit", unit: bytes.slice() });
  tell({ kind: "sent", count: bytes[0] ?? 0 });
  tell({ kind: "unit", unit: new Uint8Array(parts.geometry.cellBytes).fill(bytes[1] ?? 0) });
  tell({ kind: "closed" });
  core.timeout(1e9);
  if (core.deadline() !== Number.POSITIVE_INFINITY) throw new Error("a timer is left");
}

const WINDOW = { ...CIRCUIT_LIMITS, windowCells: 8, creditCells: 4, messageBytesMax: 2_000 };

/** An end of a circuit, which gets cells whose layers are off: whoever has the keys may lie too. */
function runEnd(bytes: Uint8Array): void {
  const end = new CircuitEnd(parts.geometry, WINDOW);
  const cell = new Uint8Array(parts.geometry.cellBytes);
  for (let at = 0, count = 0; at < bytes.length && count < 40; at += 6, count++) {
    cell.set(bytes.subarray(at, at + 6), 16);
    cell[16] = (cell[16] ?? 0) % 7;
    const event = end.receive(cell, () => new Uint8Array(16));
    if (event.kind === "violation") return;
    if (end.queuedCells > WINDOW.queuedCellsMax) throw new Error("too much waits");
    end.take();
  }
}

/** A node that gets these bytes as one-time units from a neighbour. */
function runPackets(bytes: Uint8Array, dice: SeededRandom): void {
  const core = new PacketCore({ parts, peeler: hop.peeler, self: hop.id, random });
  const units = [packetUnit(bytes, 1 + dice.below(2)), bytes.slice()];
  for (const unit of units) core.handle({ kind: "unit", from: hop.id, unit }, 0);
  core.handle({ kind: "unsent", ticket: bytes[0] ?? 0, isBusy: true }, 0);
  const answer = { kind: "reply", content: bytes.slice(0, 20) } as const;
  core.handle({ kind: "answer", token: bytes[1] ?? 0, answer }, 0);
  core.timeout(1e9);
  for (let effect = core.poll(); effect !== undefined; effect = core.poll());
  if (core.states !== 0) throw new Error("a state is left");
}

/** The bytes as a unit of the right length and kind. */
function packetUnit(bytes: Uint8Array, version: number): Uint8Array {
  const unit = new Uint8Array(packetBytes(parts.geometry));
  unit.set(bytes.subarray(0, unit.length));
  unit[0] = version;
  return unit;
}

/** Every parser of onions that reads a stranger's bytes. */
export const ONION_TARGETS: readonly FuzzTarget[] = [
  {
    name: "content",
    seeds: [encodeContent(piece), encodeContent({ ...piece, origin: random.bytes(5) })],
    run: refusing((bytes) => readContent(parts, bytes)),
  },
  {
    name: "operation",
    seeds: [
      encodeOperation({ kind: "put", record }),
      encodeOperation({ kind: "get", address: record.address, waitMs: 9 }),
    ],
    run: refusing(readOperation),
  },
  {
    name: "outcome",
    seeds: [
      encodeOutcome({ kind: "stored", ttlSeconds: 5, receipt: random.bytes(9) }),
      encodeOutcome({ kind: "found", record }),
      encodeOutcome({ kind: "failed", code: "CULVERT_FULL" }),
    ],
    run: refusing(readOutcome),
  },
  {
    name: "packet",
    seeds: [packet("deliver"), random.bytes(packetBytes(parts.geometry))],
    run: (bytes) => void hop.peeler.peel(bytes),
  },
  {
    name: "packets of a node",
    seeds: [packet("deliver"), random.bytes(packetBytes(parts.geometry))],
    run: runPackets,
  },
  {
    name: "reply block",
    seeds: [surbOf()],
    run: (bytes) => {
      if (bytes.length !== surbBytes(parts.geometry)) return;
      const { unit } = useSurb(parts, bytes, new Uint8Array(5));
      if (unit.length !== packetBytes(parts.geometry)) throw new Error("a unit of another size");
    },
  },
  {
    name: "backward unit",
    seeds: [random.bytes(packetBytes(parts.geometry))],
    run: (bytes) => {
      const unit = packetUnit(bytes, 2);
      const layers = [random.bytes(64), random.bytes(64)];
      if (openBackward(parts, unit, layers) !== undefined) throw new Error("noise opens");
    },
  },
  { name: "end of a circuit", seeds: [random.bytes(240), new Uint8Array(60)], run: runEnd },
  {
    name: "origin of a circuit",
    seeds: [random.bytes(256), new Uint8Array(256), random.bytes(255)],
    run: runOrigin,
  },
  {
    name: "receipts",
    seeds: [
      encodeReceipts([{ nodeKey: random.bytes(32), receipt }], 4_096),
      encodeReceipts([], 4_096),
    ],
    run: (bytes) => {
      if (testimonyOf(bytes, record).signers.length > 0) throw new Error("nobody signed");
    },
  },
  {
    name: "relay",
    seeds: [packet("exit"), packet("deliver"), random.bytes(256)],
    run: runRelay,
  },
];
