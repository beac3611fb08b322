import { fuzz } from "./fuzz.ts";
import { IO_TARGETS } from "./io-targets.ts";

fuzz("a preface is taken or refused, whatever the bytes", IO_TARGETS);
