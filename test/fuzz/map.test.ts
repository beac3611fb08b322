import { fuzz } from "./fuzz.ts";
import { MAP_TARGETS } from "./map-targets.ts";

fuzz("the Map takes or refuses any bytes", MAP_TARGETS);
