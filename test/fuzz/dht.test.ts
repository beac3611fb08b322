import { DHT_TARGETS } from "./dht-targets.ts";
import { fuzz } from "./fuzz.ts";

fuzz("the DHT takes or refuses any bytes", DHT_TARGETS);
