import { SeededRandom } from "../../src/base/index.ts";
import { loadProvider } from "../../src/crypto/index.ts";
import { type NodeId, nodeIdOf } from "../../src/identity/index.ts";
import type { OnionGeometry } from "../../src/onion/packet/geometry.ts";
import type { HopTarget } from "../../src/onion/packet/header.ts";
import { EPOCH_MS, KeyRing } from "../../src/onion/packet/key-ring.ts";
import { type OnionParts, Peeler } from "../../src/onion/packet/packet.ts";
import type { OnionSuite } from "../../src/onion/packet/suite.ts";

/** The start of a virtual clock's time, in the middle of an epoch. */
export const UNIX_MS = Math.floor(1_735_689_600_000 / EPOCH_MS) * EPOCH_MS + EPOCH_MS / 2;

export const GEOMETRY: OnionGeometry = {
  hopsMax: 5,
  payloadBytes: 1_200,
  cellBytes: 512,
  requestCells: 2,
};

/** The fastest suite that is here. */
export function fastSuite(): OnionSuite {
  const suite = loadProvider("sodium") ?? loadProvider("node");
  if (suite === undefined) throw new Error("no fast crypto provider");
  return suite;
}

/** The number of calls of each primitive. */
export interface SuiteCounts {
  x25519: number;
  x25519PublicKey: number;
  hkdfBlake2b: number;
  blake2b512: number;
  chacha20Xor: number;
  /** Bytes that were hashed or enciphered. */
  bytes: number;
}

/** A suite that counts what it is asked for. */
export function countingSuite(suite: OnionSuite): { suite: OnionSuite; counts: SuiteCounts } {
  const counts: SuiteCounts = {
    x25519: 0,
    x25519PublicKey: 0,
    hkdfBlake2b: 0,
    blake2b512: 0,
    chacha20Xor: 0,
    bytes: 0,
  };
  const counted: OnionSuite = {
    x25519(secret, publicKey) {
      counts.x25519 += 1;
      return suite.x25519(secret, publicKey);
    },
    x25519PublicKey(secret) {
      counts.x25519PublicKey += 1;
      return suite.x25519PublicKey(secret);
    },
    hkdfBlake2b(options) {
      counts.hkdfBlake2b += 1;
      return suite.hkdfBlake2b(options);
    },
    blake2b512(message, into) {
      counts.blake2b512 += 1;
      counts.bytes += message.length;
      return suite.blake2b512(message, into);
    },
    chacha20Xor(key, nonce, bytes, into) {
      counts.chacha20Xor += 1;
      counts.bytes += bytes.length;
      return suite.chacha20Xor(key, nonce, bytes, into);
    },
  };
  return { suite: counted, counts };
}

/** A node that can open packets. */
export interface TestHop {
  readonly id: NodeId;
  readonly target: HopTarget;
  readonly ring: KeyRing;
  readonly peeler: Peeler;
  readonly epoch: number;
}

export function makeHop(parts: OnionParts, random: SeededRandom, unixMs = UNIX_MS): TestHop {
  const id = nodeIdOf(random.bytes(32));
  const ring = new KeyRing({ suite: parts.suite, random });
  ring.advance(unixMs);
  const [key] = ring.published(unixMs);
  if (key === undefined) throw new Error("a ring has a key");
  const target = { id, onionKey: key.publicKey };
  return { id, target, ring, peeler: new Peeler(parts, ring), epoch: key.epoch };
}

export function makeHops(parts: OnionParts, count: number, seed = 1): TestHop[] {
  const random = new SeededRandom(seed);
  return Array.from({ length: count }, () => makeHop(parts, random));
}

/** True when two arrays have 8 bytes in a row in common, at any places. */
export function shareARun(a: Uint8Array, b: Uint8Array): boolean {
  const view = new DataView(a.buffer, a.byteOffset, a.length);
  const runs = new Set<bigint>();
  for (let at = 0; at + 8 <= a.length; at++) runs.add(view.getBigUint64(at));
  const other = new DataView(b.buffer, b.byteOffset, b.length);
  for (let at = 0; at + 8 <= b.length; at++) if (runs.has(other.getBigUint64(at))) return true;
  return false;
}

/** Two of these that have 8 bytes in a row in common, if any do. */
export function findCommonRun(all: readonly Uint8Array[]): [number, number] | undefined {
  const seen = new Map<bigint, number>();
  for (const [index, bytes] of all.entries()) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    for (let at = 0; at + 8 <= bytes.length; at++) {
      const run = view.getBigUint64(at);
      const other = seen.get(run) ?? index;
      if (other !== index) return [other, index];
      seen.set(run, index);
    }
  }
  return undefined;
}
