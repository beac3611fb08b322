import { fuzz } from "./fuzz.ts";
import { LINK_TARGETS } from "./link-targets.ts";

fuzz("links take or refuse any bytes", LINK_TARGETS);
