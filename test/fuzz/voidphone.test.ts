import { fuzz } from "./fuzz.ts";
import { VOIDPHONE_TARGETS } from "./voidphone-targets.ts";

fuzz("VoidPhone takes or refuses any bytes", VOIDPHONE_TARGETS);
