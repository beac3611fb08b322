import type { RunCommand } from "../command-spec.ts";

/** stub */
export const subscribe: RunCommand = async () => {};
