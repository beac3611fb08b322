import { assert, type ErrorCode, equalBytes, SeededRandom } from "../../src/base/index.ts";
import { Reader, Writer } from "../../src/codec/index.ts";
import { formatEndpoint, parseEndpoint, sourceOf } from "../../src/io/endpoint.ts";
import {
  encodeRecord,
  isFault,
  type MapRecord,
  MapSession,
  parseRecord,
  type RecordService,
  WireRequester,
} from "../../src/mapservice/index.ts";
import { readReceipt, writeReceipt } from "../../src/mapservice/record/receipt.ts";
import {
  decodeHead,
  decodeStoredAt,
  decodeValue,
  encodeHead,
  encodeIndex,
  encodeValue,
  type IndexedRecord,
  placeOfIndexKey,
  visitIndex,
} from "../../src/mapservice/store/level-record-layout.ts";
import { noSessionStatistics, SESSION_LIMITS } from "../../src/mapservice/wire/map-session.ts";
import {
  encodeClientMessage,
  encodeNodeMessage,
  readClientMessage,
  readNodeMessage,
} from "../../src/mapservice/wire/wire.ts";
import { VirtualClock } from "../../src/testing/index.ts";
import { type FuzzTarget, roundTrip } from "./fuzz.ts";

const PAYLOAD_SIZE = 24;
const random = new SeededRandom(11);
const record: MapRecord = {
  address: random.bytes(32),
  signature: random.bytes(64),
  seq: 1,
  ttlSeconds: 9,
  payload: random.bytes(PAYLOAD_SIZE),
};
const receipt = {
  expiresMs: 5,
  leftMask: 1,
  siblings: [random.bytes(32)],
  signature: random.bytes(64),
};
const greeting = {
  payloadSize: PAYLOAD_SIZE,
  nodeKey: random.bytes(32),
  workBits: 0,
  ttlSecondsMax: 5,
  waitMsMax: 5,
};

const HELLO = encodeClientMessage({ kind: "hello", versionMin: 1, versionMax: 1 });
const CLIENT_SEEDS = [
  HELLO,
  encodeClientMessage({
    kind: "put",
    request: 1,
    stamp: random.bytes(8),
    record: encodeRecord(record),
  }),
  encodeClientMessage({ kind: "get", request: 2, waitMs: 5, address: record.address }),
  encodeClientMessage({ kind: "cancel", request: 2 }),
];

const NODE_HELLO = encodeNodeMessage({ kind: "hello", version: 1, greeting });
const NODE_SEEDS = [
  NODE_HELLO,
  encodeNodeMessage({
    kind: "answer",
    request: 1,
    answer: { kind: "stored", ttlSeconds: 5, receipt },
  }),
  encodeNodeMessage({
    kind: "answer",
    request: 1,
    answer: { kind: "found", ttlSeconds: 9, record },
  }),
  encodeNodeMessage({ kind: "answer", request: 1, answer: { kind: "refused", fault: "size" } }),
  encodeNodeMessage({ kind: "answer", request: 1, answer: { kind: "work-required", bits: 9 } }),
  encodeNodeMessage({ kind: "goodbye", reason: "busy" }),
];

const CODES: readonly ErrorCode[] = ["CULVERT_PROTOCOL", "CULVERT_BAD_STATE"];

/** The frame without its length. */
const body = (frame: Uint8Array): Uint8Array => frame.subarray(4);

/** A service that takes everything and answers nothing, with a bound on how much it is asked. */
const sink: RecordService = {
  greeting: () => greeting,
  open: () => ({
    put: () => {},
    get: () => {},
    cancel: () => {},
    isCongested: false,
    close: () => {},
  }),
};

function runSession(bytes: Uint8Array): void {
  const statistics = noSessionStatistics();
  const port = {
    write: () => {},
    unsentBytes: 0,
    unsentBytesOfAll: () => 0,
    setReading: () => {},
    close: () => {},
  };
  const clock = new VirtualClock();
  const from = { source: "", limits: SESSION_LIMITS };
  const session = new MapSession({ service: sink, clock, port, statistics }, from);
  // Most of a session comes after its hello.
  if (bytes.length % 4 !== 0) session.receive(HELLO.slice());
  const half = bytes.length >> 1;
  session.receive(bytes.slice(0, half));
  session.receive(bytes.slice(half));
  session.closed();
}

function runWireRequester(bytes: Uint8Array): void {
  const port = { write: () => {}, unsentBytes: 0, close: () => {} };
  const ignore = (): void => {};
  const events = { answer: ignore, ready: ignore, greeted: ignore, broken: ignore };
  const requester = new WireRequester(port, events);
  if (bytes.length % 4 !== 0) requester.receive(NODE_HELLO.slice());
  const half = bytes.length >> 1;
  requester.receive(bytes.slice(0, half));
  requester.receive(bytes.slice(half));
}

function runEndpoint(bytes: Uint8Array): void {
  const text = String.fromCharCode(...bytes);
  sourceOf(text);
  const endpoint = parseEndpoint(text);
  if (endpoint === undefined) return;
  const again = parseEndpoint(formatEndpoint(endpoint));
  if (JSON.stringify(again) !== JSON.stringify(endpoint)) throw new Error(`endpoint ${text}`);
}

const ascii = (text: string): Uint8Array => Uint8Array.from(text, (c) => c.charCodeAt(0));
const stored = { record, expiresMs: 77 };
const index = [
  { tag: 7, seq: 1 as const, replaced: undefined },
  { tag: 8, seq: 2 as const, replaced: { bucket: 3, serial: 4, seq: 1 as const } },
];
const receiptWriter = new Writer();
writeReceipt(receiptWriter, receipt);

/** Every parser of the Map that reads a stranger's bytes, or a disk's. */
export const MAP_TARGETS: readonly FuzzTarget[] = [
  {
    name: "record",
    seeds: [encodeRecord(record), encodeRecord({ ...record, seq: 2, payload: new Uint8Array(0) })],
    run: (bytes) =>
      roundTrip(bytes, CODES, () => {
        const parsed = parseRecord(bytes, PAYLOAD_SIZE);
        return isFault(parsed) ? undefined : encodeRecord(parsed);
      }),
  },
  {
    name: "request",
    seeds: CLIENT_SEEDS.map(body),
    run: (bytes) =>
      roundTrip(bytes, CODES, () => body(encodeClientMessage(readClientMessage(bytes)))),
  },
  {
    name: "answer",
    seeds: NODE_SEEDS.map(body),
    run: (bytes) =>
      roundTrip(bytes, CODES, () => {
        const message = readNodeMessage(bytes, PAYLOAD_SIZE);
        // A detail that means nothing, and a reason from the future, are read and not kept.
        const isLoose = message.kind === "goodbye" || bytes[0] === 0x84;
        return isLoose ? undefined : body(encodeNodeMessage(message));
      }),
  },
  {
    name: "receipt",
    seeds: [receiptWriter.finish()],
    run: (bytes) =>
      roundTrip(bytes, CODES, () => {
        const reader = new Reader(bytes);
        const parsed = readReceipt(reader);
        reader.expectEnd();
        const writer = new Writer();
        writeReceipt(writer, parsed);
        return writer.finish();
      }),
  },
  { name: "session", seeds: CLIENT_SEEDS, run: runSession },
  { name: "client requester", seeds: NODE_SEEDS, run: runWireRequester },
  {
    name: "stored records",
    seeds: [
      encodeValue([stored], new Uint8Array(200)).slice(),
      encodeValue([stored, stored, stored], new Uint8Array(600)).slice(),
    ],
    run: (bytes) =>
      roundTrip(bytes, CODES, () => {
        const parsed = decodeValue(bytes, PAYLOAD_SIZE);
        for (const [i, record] of parsed.entries()) {
          const alone = decodeStoredAt(bytes, i, PAYLOAD_SIZE);
          assert(alone !== undefined, "what is in a value is at its position");
          assert(equalBytes(alone.record.address, record.record.address), "and the same");
        }
        const again = encodeValue(parsed, new Uint8Array(bytes.length));
        return again.length === bytes.length ? again : undefined;
      }),
  },
  {
    name: "stored index",
    seeds: [encodeIndex(index)],
    run: (bytes) =>
      roundTrip(bytes, CODES, () => {
        const records: IndexedRecord[] = [];
        visitIndex({ bucket: 1, serial: 0 }, bytes, (record) => records.push(record));
        return encodeIndex(records);
      }),
  },
  {
    name: "stored head",
    seeds: [1, 4].map((recordsPerValue) =>
      encodeHead({ payloadSize: 9, secret: random.bytes(16), recordsPerValue }),
    ),
    run: (bytes) => roundTrip(bytes, CODES, () => encodeHead(decodeHead(bytes))),
  },
  {
    name: "index key",
    seeds: [Uint8Array.of(0x69, 0, 0, 0, 1, 0, 0, 0, 1)],
    run: (bytes) =>
      roundTrip(bytes, CODES, () => {
        const { bucket, serial } = placeOfIndexKey(bytes);
        return new Writer().u8(0x69).u32(bucket).u32(serial).finish();
      }),
  },
  {
    name: "endpoint",
    seeds: ["127.0.0.1:80", "[::1]:7", "unix:/a/b", "tcp:host:9", "::ffff:1.2.3.4"].map(ascii),
    run: runEndpoint,
  },
];
