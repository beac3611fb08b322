import { onionAcceptance } from "./acceptance.ts";
import { VirtualNet } from "./virtual-net.ts";

onionAcceptance(
  "onions in the virtual world",
  async (count, options) => new VirtualNet(count, options),
  {
    cells: 10_000,
  },
);
