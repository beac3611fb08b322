import { bech32m } from "@scure/base";
import { concatBytes, SeededRandom, utf8 } from "../../src/base/index.ts";
import { decodeRecord, encodeRecord } from "../../src/cli/session/session-record.ts";
import { formatTicket, parseTicket } from "../../src/cli/ticket/ticket.ts";
import { encodeHeader, makeManifest } from "../../src/cli/transfer/manifest.ts";
import { refuseEntries } from "../../src/cli/transfer/path-policy.ts";
import { TransferReader } from "../../src/cli/transfer/transfer-reader.ts";
import { type CborInput, encodeCbor } from "../../src/codec/index.ts";
import { ReadCapability } from "../../src/crypto/index.ts";
import { capabilitiesOf } from "../../src/stream/duplex/assemble.ts";
import {
  capabilityToText,
  parseReadCapability,
} from "../../src/stream/multicast/capability-text.ts";
import { type FuzzTarget, mutate, refusedOr } from "./fuzz.ts";

const random = new SeededRandom(13);
const CAPABILITY = capabilitiesOf(random.bytes(32), "listener").read;

const TICKETS = [
  formatTicket({ role: "receive", secret: random.bytes(32) }),
  formatTicket({ role: "pipe", secret: random.bytes(32) }),
  formatTicket({ role: "subscribe", secret: CAPABILITY.toBytes() }),
];

const HEADERS = [
  [],
  [{ kind: "file", path: "photo.jpg", size: 5, mode: 0o644, mtimeMs: 1.7e12 }],
  [
    { kind: "folder", path: "a", mode: 0o755 },
    { kind: "file", path: "a/ü", size: 0, mode: 0o600, mtimeMs: -1 },
    { kind: "file", path: "a/b", size: 2 ** 40, mode: 0, mtimeMs: 0 },
  ],
].map((entries) => encodeHeader(makeManifest(entries as Parameters<typeof makeManifest>[0])));

const RECORDS = [
  encodeRecord({
    command: "send",
    phase: "open",
    title: "photo.jpg",
    map: "127.0.0.1:7000",
    secret: random.bytes(32),
    paths: ["/a", "/b"],
    startedUnixMs: 1,
    updatedUnixMs: 2,
    totalBytes: 9,
    doneBytes: 3,
    checkpoint: { length: 3, digest: random.bytes(32) },
  }),
  encodeRecord({
    command: "receive",
    phase: "placed",
    title: "x",
    map: "unix:/m",
    target: "/t",
    overwrite: true,
    startedUnixMs: 1,
    updatedUnixMs: 2,
    doneBytes: 3,
  }),
];

const textOf = (bytes: Uint8Array): string => String.fromCharCode(...bytes);

/** Text as it may be pasted: with a right checksum over anything, or changed. */
function textFrom(dice: SeededRandom, prefix: string, texts: readonly string[]): Uint8Array {
  if (dice.below(3) > 0) return mutate(dice, texts.map(utf8));
  const payload = dice.bytes(dice.below(180));
  if (payload.length > 2) payload.set([dice.below(3), dice.below(5)]);
  return utf8(bech32m.encode(prefix, bech32m.toWords(payload), 400));
}

const NAMES = ["a", "A", "..", ".", "", "/", "a/b", "é", "e\u0301", "con", "\0", "\\", "c:"];
const NUMBERS = [0, 1, 0o777, 0o7777, -1, 0.5, 2 ** 53, Number.NaN, 9e15];

/** A list that is well-formed CBOR, and of which little else can be said. */
function listFrom(dice: SeededRandom): Uint8Array {
  const pick = <T>(choices: readonly T[]): T => choices[dice.below(choices.length)] as T;
  const path = (): string => Array.from({ length: dice.below(3) }, () => pick(NAMES)).join("/");
  const field = (): CborInput =>
    pick<CborInput>([pick(NAMES), pick(NUMBERS), null, [], dice.bytes(2)]);
  const entry = (): CborInput => {
    const kind = dice.below(8);
    if (kind === 0) return Array.from({ length: dice.below(6) }, field);
    const folder = [path(), pick(NUMBERS)];
    return kind < 4 ? folder : [...folder, pick(NUMBERS), pick(NUMBERS)];
  };
  const list = encodeCbor(Array.from({ length: dice.below(5) }, entry));
  const prefix = Uint8Array.of(0x63, 0x76, 0x66, 1, 0, 0, list.length >> 8, list.length);
  return concatBytes(prefix, list);
}

/** A header in two pieces, and contents after it. */
function runTransfer(bytes: Uint8Array, dice: SeededRandom): void {
  const reader = new TransferReader();
  const cut = dice.below(bytes.length + 1);
  refusedOr(["CULVERT_PROTOCOL"], () => {
    for (const piece of [bytes.subarray(0, cut), bytes.subarray(cut), dice.bytes(20)]) {
      for (const part of reader.push(piece)) {
        if (part.kind !== "manifest") continue;
        const policy = { foldCase: dice.below(2) === 0, windows: dice.below(2) === 0 };
        refuseEntries(part.manifest.entries, policy);
      }
    }
    reader.finish();
  });
}

/** Every parser of the command that reads what a user, a peer or a disk gave. */
export const COMMAND_TARGETS: readonly FuzzTarget[] = [
  {
    name: "ticket",
    seeds: TICKETS.map(utf8),
    make: (dice) => textFrom(dice, "culvert", TICKETS),
    run: (bytes) => {
      const text = textOf(bytes);
      const ticket = refusedOr(["CULVERT_BAD_TICKET"], () => parseTicket(text));
      if (ticket === undefined) return;
      const again = formatTicket(ticket);
      if (again !== text.replace(/\s+/g, "").toLowerCase()) throw new Error(`${text}: ${again}`);
    },
  },
  {
    name: "read capability as text",
    seeds: [utf8(capabilityToText(CAPABILITY))],
    make: (dice) => textFrom(dice, "culvertread", [capabilityToText(CAPABILITY)]),
    run: (bytes) => {
      const codes = ["CULVERT_BAD_TICKET", "CULVERT_BAD_CAPABILITY"] as const;
      const parsed = refusedOr(codes, () => parseReadCapability(textOf(bytes)));
      if (parsed !== undefined) ReadCapability.fromBytes(parsed.toBytes());
    },
  },
  { name: "transfer", seeds: HEADERS, run: runTransfer },
  { name: "list of files", seeds: HEADERS, make: listFrom, run: runTransfer },
  {
    name: "session record",
    seeds: RECORDS,
    run: (bytes) => {
      refusedOr(["CULVERT_BAD_STATE"], () => decodeRecord(bytes));
    },
  },
];
