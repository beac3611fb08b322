import { CulvertError } from "../base/index.ts";
import type { udxNetwork } from "./udx-network.ts";

/**
 * Brings in a package with machine code when it is wanted, and not before: there are systems for
 * which it is not built, and uses that do without.
 *
 * @throws CulvertError `CULVERT_UNSUPPORTED` when it is not there, or not for this system
 */
export async function loadMachineCode<T>(name: string, load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (cause) {
    const message = `the package ${name} is not there, or not built for this system`;
    throw new CulvertError("CULVERT_UNSUPPORTED", message, { cause });
  }
}

/**
 * UDP by udx-native.
 *
 * @throws CulvertError `CULVERT_UNSUPPORTED`
 */
export async function loadUdx(): Promise<typeof udxNetwork> {
  // Named by a module's imports alone, it would end the process: Node throws its error once more.
  await loadMachineCode("udx-native", () => import("udx-native"));
  return (await import("./udx-network.ts")).udxNetwork;
}
