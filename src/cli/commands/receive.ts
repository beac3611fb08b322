import type { RunCommand } from "../command-spec.ts";

/** stub */
export const receive: RunCommand = async () => {};
