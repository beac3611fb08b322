import { fuzz } from "./fuzz.ts";
import { ONION_TARGETS } from "./onion-targets.ts";

fuzz("onions take or refuse any bytes", ONION_TARGETS);
