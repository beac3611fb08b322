import type { Clock, Random } from "../base/index.ts";
import { systemClock } from "../io/clock.ts";
import { systemRandom } from "../io/random.ts";
import { tcpNetwork } from "../io/tcp-network.ts";
import { udxNetwork } from "../io/udx-network.ts";
import type { TcpNetwork, UdpNetwork } from "../link/index.ts";

/** What a node or a client runs on: time, chance and the way to others. */
export interface Machine {
  readonly clock: Clock;
  /** Keys come from it. */
  readonly random: Random;
  readonly udp: UdpNetwork;
  readonly tcp: TcpNetwork;
}

/** The machine that this process runs on. */
export const THIS_MACHINE: Machine = Object.freeze({
  clock: systemClock,
  random: systemRandom,
  udp: udxNetwork,
  tcp: tcpNetwork,
});
