import { fuzz } from "./fuzz.ts";
import { RELAY_TARGETS } from "./relay-targets.ts";

fuzz("relays and punching take or refuse any bytes", RELAY_TARGETS);
