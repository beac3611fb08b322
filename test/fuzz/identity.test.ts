import { fuzz } from "./fuzz.ts";
import { IDENTITY_TARGETS } from "./identity-targets.ts";

fuzz("what a node says of itself is taken or refused, whatever the bytes", IDENTITY_TARGETS);
