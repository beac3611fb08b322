import { fuzz } from "./fuzz.ts";
import { STREAM_TARGETS } from "./stream-targets.ts";

fuzz("the stream takes or refuses any bytes", STREAM_TARGETS);
