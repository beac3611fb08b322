import { fuzz } from "./fuzz.ts";
import { RPC_TARGETS } from "./rpc-targets.ts";

fuzz("requests and calls take or refuse any bytes", RPC_TARGETS);
