import type { RunCommand } from "../command-spec.ts";

/** stub */
export const send: RunCommand = async () => {};
