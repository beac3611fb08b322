import { fuzz } from "./fuzz.ts";
import { MULTICAST_TARGETS } from "./multicast-targets.ts";

fuzz("multicast takes or refuses any bytes", MULTICAST_TARGETS);
