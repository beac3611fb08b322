/** The acceptance cases of onions over real links: UDP and TCP sockets of the loopback. */
import { onionAcceptance } from "../onion/acceptance.ts";
import { badRelays } from "../onion/bad-relays.ts";
import { LoopbackOnions } from "./loopback-onions.ts";

onionAcceptance(
  "onions over links by UDP",
  (count, options) => LoopbackOnions.open("udp", count, options),
  { cells: 1_000 },
);

onionAcceptance(
  "onions over links by TCP",
  (count, options) => LoopbackOnions.open("tcp", count, options),
  {},
);

badRelays("onions over links by UDP", (count, options) =>
  LoopbackOnions.open("udp", count, options),
);
