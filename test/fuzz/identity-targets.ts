import { concatBytes, SeededRandom, utf8 } from "../../src/base/index.ts";
import { Reader, Writer } from "../../src/codec/index.ts";
import {
  formatNodeAddress,
  formatNodeContact,
  type NodeAddress,
  NodeDescriptor,
  NodeIdentity,
  parseListenAddress,
  parseNodeContact,
  readNodeAddress,
  type SignatureLabel,
  writeNodeAddress,
} from "../../src/identity/index.ts";
import { changed, type FuzzTarget, mutate, refusedOr, roundTrip } from "./fuzz.ts";

const random = new SeededRandom(31);
const IDENTITY = new NodeIdentity(random.bytes(32));
const SIGNATURE_BYTES = 64;

/** Addresses of each carrier and family. */
export const ADDRESSES: readonly NodeAddress[] = [
  { carrier: "udp", host: "192.0.2.1", port: 7000 },
  { carrier: "tcp", host: "192.0.2.255", port: 65_535 },
  { carrier: "udp", host: "2001:db8::1", port: 1 },
  { carrier: "tcp", host: "::", port: 80 },
];

const GEOMETRY = { cellBytes: 1_024, onionBytes: 2_048, onionHopsMax: 5 };
const onionKeys = [1, 2, 3].map((epoch) => ({ epoch, publicKey: random.bytes(32) }));
const relays = [random.bytes(32), random.bytes(32)];
const DESCRIPTORS = [
  { roles: [], addresses: [], relays: [], onionKeys: [] },
  { roles: ["storage", "onion-exit"] as const, addresses: ADDRESSES, relays, onionKeys },
].map((lists) => {
  const times = { sequence: 2 ** 40, expiresAtUnixS: 1_735_689_600 };
  return NodeDescriptor.sign(IDENTITY, { ...times, geometry: GEOMETRY, ...lists }).toBytes();
});

/**
 * Signed bytes that were changed, and mostly signed again: whoever has a key may sign what he
 * likes, and of what was changed afterwards nothing but the signature would be looked at.
 *
 * @param keyAt where the signer's key is in the bytes
 */
export function resigned(
  dice: SeededRandom,
  signed: {
    readonly seeds: readonly Uint8Array[];
    readonly identity: NodeIdentity;
    readonly label: SignatureLabel;
    readonly keyAt: number;
  },
): Uint8Array {
  const { seeds, identity, label, keyAt } = signed;
  if (dice.below(3) === 0) return mutate(dice, seeds);
  const seed = seeds[dice.below(seeds.length)] ?? new Uint8Array(SIGNATURE_BYTES);
  const body = changed(dice, seed.subarray(0, seed.length - SIGNATURE_BYTES));
  body.set(identity.publicKey, keyAt);
  return concatBytes(body, identity.sign(label, body));
}

const encodedAddress = (address: NodeAddress): Uint8Array => {
  const writer = new Writer();
  writeNodeAddress(writer, address);
  return writer.finish();
};

/** Reads a text; what is taken is written in one form, which is taken as itself. */
function runText(bytes: Uint8Array, again: (text: string) => string): void {
  const text = String.fromCharCode(...bytes);
  const form = refusedOr(["CULVERT_USAGE"], () => again(text));
  if (form !== undefined && again(form) !== form) throw new Error(`${text}: ${form}`);
}

/** Addresses, contacts and descriptors, from the wire and as text. */
export const IDENTITY_TARGETS: readonly FuzzTarget[] = [
  {
    name: "address",
    seeds: ADDRESSES.map(encodedAddress),
    run: (bytes) =>
      roundTrip(bytes, ["CULVERT_PROTOCOL"], () => {
        const reader: Reader = new Reader(bytes);
        const address = readNodeAddress(reader);
        reader.expectEnd();
        return encodedAddress(address);
      }),
  },
  {
    name: "address as text",
    seeds: ADDRESSES.map((address) => utf8(formatNodeAddress(address))),
    run: (bytes) => runText(bytes, (text) => formatNodeAddress(parseListenAddress(text))),
  },
  {
    name: "contact as text",
    seeds: ADDRESSES.map((address) => utf8(formatNodeContact({ id: IDENTITY.id, address }))),
    run: (bytes) => runText(bytes, (text) => formatNodeContact(parseNodeContact(text))),
  },
  {
    name: "descriptor",
    seeds: DESCRIPTORS,
    make: (dice) =>
      resigned(dice, { seeds: DESCRIPTORS, identity: IDENTITY, label: "descriptor", keyAt: 1 }),
    run: (bytes) =>
      roundTrip(bytes, ["CULVERT_PROTOCOL"], () => {
        // A signature has one form: what says the same under the same key is the same.
        return NodeDescriptor.sign(IDENTITY, NodeDescriptor.fromBytes(bytes).claims).toBytes();
      }),
  },
];
