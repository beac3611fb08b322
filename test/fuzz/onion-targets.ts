import { SeededRandom } from "../../src/base/index.ts";
import { encodeContent, readContent } from "../../src/onion/content.ts";
import { packetBytes } from "../../src/onion/geometry.ts";
import {
  buildPacket,
  encodeOperation,
  encodeOutcome,
  hopsOf,
  RelayCore,
  readOperation,
  readOutcome,
} from "../../src/onion/index.ts";
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
const piece = { message: random.bytes(16), index: 0, isLast: true, data: random.bytes(9) };

function packet(last: "exit" | "deliver"): Uint8Array {
  const hops = hopsOf([hop.target], { last, name: random.bytes(32) });
  const content = new Uint8Array(0);
  return buildPacket(parts, { epoch: hop.epoch, hops, content, random })?.unit ?? content;
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
    name: "relay",
    seeds: [packet("exit"), packet("deliver"), random.bytes(256)],
    run: runRelay,
  },
];
