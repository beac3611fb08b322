import {
  type Clock,
  requireMethods,
  requireObject,
  requireOneOf,
  requireSignal,
  requireWhole,
} from "../base/index.ts";
import type { Transport } from "../transport/index.ts";

/** More are no bound of any window. */
const PUTS_MAX = 2 ** 32;

/** What streams of all kinds are opened with. */
interface OpenOptions {
  readonly autoStart?: boolean;
  readonly signal?: AbortSignal | undefined;
  readonly clock?: Clock;
}

/**
 * Refuses what no stream can be opened with, before anything of one is made: what is found out
 * later, as by its constructor, would be at work with nobody to stop it.
 *
 * @throws TypeError
 * @throws RangeError for an option that is yes or no, and neither is given
 */
export function requireOpenable(transport: unknown, options: OpenOptions): void {
  requireTransport(transport);
  requireObject("options", options);
  const { autoStart, signal, clock } = options;
  requireYesOrNo({ autoStart });
  requireSignal(signal);
  if (clock !== undefined && clock !== null)
    requireMethods("clock", clock, "now", "unixMs", "schedule");
}

/**
 * @throws TypeError
 * @throws RangeError for a `putsAtOnce` that is no number of puts
 */
export function requireTransport(transport: unknown): void {
  requireMethods("transport", transport, "put", "get");
  const { putsAtOnce } = transport as Transport;
  if (putsAtOnce !== undefined) requireWhole("putsAtOnce", putsAtOnce, 1, PUTS_MAX);
}

/** @throws RangeError for one that was given, and is neither */
export function requireYesOrNo(options: Readonly<Record<string, unknown>>): void {
  for (const [name, value] of Object.entries(options)) {
    if (value !== undefined) requireOneOf(name, value, [true, false]);
  }
}
