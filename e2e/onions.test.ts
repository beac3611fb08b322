/** The acceptance cases of onions over real links, with ten thousand cells each way. */

import { LoopbackOnions } from "../test/interop/loopback-onions.ts";
import { onionAcceptance } from "../test/onion/acceptance.ts";
import type { OpenNet } from "../test/onion/acceptance-net.ts";
import { badRelays } from "../test/onion/bad-relays.ts";

for (const carrier of ["udp", "tcp"] as const) {
  const open: OpenNet = (count, options) => LoopbackOnions.open(carrier, count, options);
  onionAcceptance(`onions over links by ${carrier}`, open, { cells: 10_000 });
  badRelays(`onions over links by ${carrier}`, open);
}
