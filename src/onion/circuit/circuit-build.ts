import { concatBytes, type Random } from "../../base/index.ts";
import { equalSecret } from "../../crypto/index.ts";
import { type FailureReason, reasonCode, reasonOf } from "../packet/backward.ts";
import { ANSWER_SLOT_BYTES } from "../packet/geometry.ts";
import type { BuiltHeader, HopTarget } from "../packet/header.ts";
import {
  type BuiltPacket,
  buildPacket,
  hopsOf,
  type OnionParts,
  type PeeledPacket,
} from "../packet/packet.ts";
import { DOMAIN, keyedHash, keystream, type OnionSuite } from "../packet/suite.ts";
import { type CircuitKeys, deriveCircuitKeys } from "./circuit-keys.ts";

const CONFIRM_BYTES = 16;

/** A hop's part in a circuit that is being built. */
export interface HopHandshake {
  readonly keys: CircuitKeys;
  /** The hop's ephemeral public key. */
  readonly ephemeral: Uint8Array;
  /** The layer of the answer. */
  readonly answerKey: Uint8Array;
}

/** What came of a build. */
export type BuildOutcome =
  | { readonly kind: "built"; readonly hops: readonly CircuitKeys[] }
  /** The hop itself said why. */
  | { readonly kind: "refused"; readonly hop: number; readonly reason: FailureReason }
  /** Somebody changed the answer, or made it. */
  | { readonly kind: "garbled" };

/** The packet that builds a circuit along `route`, with what its origin needs for the answer. */
export function buildCircuitPacket(
  parts: OnionParts,
  options: {
    readonly epoch: number;
    readonly route: readonly HopTarget[];
    readonly random: Random;
  },
): BuiltPacket | undefined {
  const { epoch, route, random } = options;
  const name = random.bytes(32);
  const hops = hopsOf(route, { last: "exit", through: "extend", name });
  return buildPacket(parts, { epoch, hops, content: new Uint8Array(0), random });
}

/** A hop agrees on the keys of a circuit. `undefined` when the origin's key is of small order. */
export function agreeAsHop(
  suite: OnionSuite,
  packet: PeeledPacket,
  random: Random,
): HopHandshake | undefined {
  const secret = random.bytes(32);
  const sharedEphemeral = suite.x25519(secret, packet.ephemeral);
  if (sharedEphemeral === undefined) return undefined;
  const ephemeral = suite.x25519PublicKey(secret);
  const { shared, hopKey } = packet;
  const transcript = [packet.ephemeral, hopKey, ephemeral] as const;
  const keys = deriveCircuitKeys(suite, { shared, sharedEphemeral, transcript });
  return { keys, ephemeral, answerKey: packet.keys.answer.slice() };
}

/**
 * The answer as the neighbour before gets it: the hop's own slot moves in at the front, what falls
 * out at the end is noise, and a layer goes over all of it. Nobody can tell how many slots there
 * are, or where in them a hop is.
 *
 * @param after what the next hop has answered; noise where there is none
 * @param refusal why the hop does not take part, if it does not
 */
export function answerAsHop(
  suite: OnionSuite,
  handshake: HopHandshake,
  after: Uint8Array,
  refusal?: FailureReason,
): Uint8Array {
  const status = refusal === undefined ? 0 : reasonCode(refusal);
  const answer = new Uint8Array(after.length);
  answer.set(handshake.ephemeral);
  answer[32] = status;
  answer.set(confirmation(suite, handshake.keys, answer.subarray(0, 33)), 33);
  answer.set(after.subarray(0, after.length - ANSWER_SLOT_BYTES), ANSWER_SLOT_BYTES);
  return coverAnswer(suite, handshake.answerKey, answer);
}

/** The origin reads the slots of an answer, the first hop's first. */
export function openAnswer(
  suite: OnionSuite,
  built: BuiltHeader,
  route: readonly HopTarget[],
  answer: Uint8Array,
): BuildOutcome {
  let left = answer;
  const hops: CircuitKeys[] = [];
  for (const [hop, { onionKey }] of route.entries()) {
    const { secret, publicKey } = built.ephemerals[hop] ?? { secret: left, publicKey: left };
    left = coverAnswer(suite, built.keys[hop]?.answer ?? left, left.slice());
    const slot = left.subarray(0, ANSWER_SLOT_BYTES);
    const ephemeral = slot.slice(0, 32);
    const shared = suite.x25519(secret, onionKey);
    const sharedEphemeral = suite.x25519(secret, ephemeral);
    if (shared === undefined || sharedEphemeral === undefined) return { kind: "garbled" };
    const transcript = [publicKey, onionKey, ephemeral] as const;
    const keys = deriveCircuitKeys(suite, { shared, sharedEphemeral, transcript });
    const expected = confirmation(suite, keys, slot.subarray(0, 33));
    if (!equalSecret(expected, slot.subarray(33))) return { kind: "garbled" };
    const status = slot[32] as number;
    if (status !== 0) return { kind: "refused", hop, reason: reasonOf(status) };
    hops.push(keys);
    left = concatBytes(left.subarray(ANSWER_SLOT_BYTES), new Uint8Array(ANSWER_SLOT_BYTES));
  }
  return { kind: "built", hops };
}

function coverAnswer(suite: OnionSuite, key: Uint8Array, answer: Uint8Array): Uint8Array {
  const stream = keystream(suite, key, answer.length);
  for (let i = 0; i < answer.length; i++) {
    answer[i] = (answer[i] as number) ^ (stream[i] as number);
  }
  return answer;
}

function confirmation(suite: OnionSuite, keys: CircuitKeys, said: Uint8Array): Uint8Array {
  const hash = keyedHash(suite, { key: keys.confirm, domain: DOMAIN.confirm }, said);
  return hash.subarray(0, CONFIRM_BYTES);
}
