import type { Clock, Random } from "../base/index.ts";
import { systemClock } from "../io/clock.ts";
import { interfaceAddresses } from "../io/interface-addresses.ts";
import { systemRandom } from "../io/random.ts";
import { type LinkHost, type LinkHostOptions, openLinkHost } from "../link/index.ts";
import { asideVerifier, type RecordVerifier } from "../mapservice/index.ts";

/** What a node or a client runs on: time, chance and the way to others. */
export interface Machine {
  readonly clock: Clock;
  /** Keys come from it. */
  readonly random: Random;
  /** How its other threads verify records, if it has any; asked for once. */
  readonly verifyAside?: () => RecordVerifier | undefined;
  /** The IP addresses of its interfaces. */
  hosts(): readonly string[];
  /** Opens the ports, as {@link openLinkHost} does. */
  openLinks(options: Omit<LinkHostOptions, "components">): Promise<LinkHost>;
}

/** The machine that this process runs on. */
export const THIS_MACHINE: Machine = Object.freeze({
  clock: systemClock,
  random: systemRandom,
  verifyAside: asideVerifier,
  hosts: interfaceAddresses,
  openLinks: openLinkHost,
});
