import { COMMAND_TARGETS } from "./command-targets.ts";
import { fuzz } from "./fuzz.ts";

fuzz("the command takes or refuses any bytes", COMMAND_TARGETS);
