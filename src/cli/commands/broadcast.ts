import type { RunCommand } from "../command-spec.ts";

/** stub */
export const broadcast: RunCommand = async () => {};
