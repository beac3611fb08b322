import {
  requireArray,
  requireBytes,
  requireCallback,
  requireMethods,
  requireObject,
  requireOneOf,
  requireWhole,
} from "../../base/index.ts";
import { requireContact } from "../wire/contact.ts";
import { KEY_BYTES } from "../wire/key.ts";
import { VALUE_KINDS } from "../wire/message.ts";

/** No network has so many nodes. */
const COUNT_MAX = Number.MAX_SAFE_INTEGER;

/** What a node may be asked for, and how. */
interface Asked {
  readonly replicas?: number;
  readonly quorum?: number;
  readonly count?: number;
  readonly valueKind?: string;
}

/**
 * Refuses what no node can be made of: it would be found out in the middle of its first lookup.
 *
 * @throws TypeError
 */
export function requireParts(components: object): void {
  requireObject("components", components);
  const { network, clock }: { network?: unknown; clock?: unknown } = components;
  requireMethods("network", network, "request");
  requireMethods("clock", clock, "now", "unixMs", "schedule");
}

/**
 * The same of a core. What others would be judged by is left out, or can be asked.
 *
 * @throws TypeError, and RangeError for an id of another length
 */
export function requireOptions(options: {
  readonly id: Uint8Array;
  readonly random: object;
}): void {
  requireObject("options", options);
  const functions: { [name: string]: unknown } = { ...options };
  requireBytes("id", options.id, KEY_BYTES);
  requireMethods("random", options.random, "bytes", "unit");
  for (const name of ["recordRule", "takesPrivate", "hostOf", "isRelayed"]) {
    requireCallback(name, functions[name]);
  }
}

/**
 * Refuses what nobody can be asked for: by a kind that there is not, any would be found, and of no
 * number, as many as are the default.
 *
 * @throws TypeError and RangeError
 */
export function requireAsked(key: Uint8Array, asked: Asked): void {
  requireBytes("a key", key, KEY_BYTES);
  requireObject("options", asked);
  const { valueKind, replicas, quorum, count } = asked;
  if (valueKind !== undefined) requireOneOf("valueKind", valueKind, VALUE_KINDS);
  if (count !== undefined) requireCount("count", count);
  if (replicas !== undefined) requireWhole("replicas", replicas, 1, COUNT_MAX);
  if (quorum !== undefined) requireWhole("quorum", quorum, 1, COUNT_MAX);
}

/** @throws RangeError for what is no number of nodes */
export function requireCount(name: string, count: number): void {
  if (count !== Number.POSITIVE_INFINITY) requireWhole(name, count, 0, COUNT_MAX);
}

/** @throws TypeError for what are no contacts */
export function requireContacts(name: string, contacts: readonly unknown[]): void {
  requireArray(name, contacts);
  for (const contact of contacts) requireContact("a node", contact);
}
