/** The acceptance cases of onions over real links, with ten thousand cells each way. */

import { LoopbackOnions } from "../test/interop/loopback-onions.ts";
import { onionAcceptance } from "../test/onion/acceptance.ts";

for (const carrier of ["udp", "tcp"] as const) {
  onionAcceptance(
    `onions over links by ${carrier}`,
    (count, options) => LoopbackOnions.open(carrier, count, options),
    { cells: 10_000 },
  );
}
