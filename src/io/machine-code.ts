/// <reference path="../../types/noise-handshake.d.ts" />
import { createRequire } from "node:module";
import type NoiseState from "noise-handshake";
import { CulvertError } from "../base/index.ts";
import type { udxNetwork } from "./udx-network.ts";

let noise: typeof NoiseState | undefined;

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
    throw unsupported(name, cause);
  }
}

/**
 * noise-handshake, which cannot be loaded without the machine code of sodium-native.
 *
 * @throws CulvertError `CULVERT_UNSUPPORTED`
 */
export function requireNoise(): typeof NoiseState {
  try {
    noise ??= requireHere()("noise-handshake") as typeof NoiseState;
    return noise;
  } catch (cause) {
    throw unsupported("sodium-native", cause);
  }
}

/** From beside this file; where others have made CommonJS of it, no URL says where that is. */
function requireHere(): NodeJS.Require {
  return createRequire(import.meta.url ?? __filename);
}

function unsupported(name: string, cause: unknown): CulvertError {
  const message = `the package ${name} is not there, or not built for this system`;
  return new CulvertError("CULVERT_UNSUPPORTED", message, { cause });
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
