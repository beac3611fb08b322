import type { RunCommand } from "../command-spec.ts";

/** stub */
export const demo: RunCommand = async () => {};
