import type { RunCommand } from "../command-spec.ts";

/** stub */
export const pipe: RunCommand = async () => {};
