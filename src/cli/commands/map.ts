import type { RunCommand } from "../command-spec.ts";

/** stub */
export const map: RunCommand = async () => {};
