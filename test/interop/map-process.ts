import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { TestProject } from "vitest/node";

declare module "vitest" {
  export interface ProvidedContext {
    /** Where the Map process of this run listens. */
    readonly mapEndpoint: string;
  }
}

const MAIN = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));

/** Starts one Map as a process of its own, as a user would, for all tests of the project. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const args = ["--import", "tsx", MAIN, "map", "--memory", "--json", "--listen", "127.0.0.1:0"];
  const map = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  const ended = once(map, "exit");
  for await (const line of createInterface(map.stdout)) {
    const [endpoint] = /127\.0\.0\.1:\d+/.exec(line) ?? [];
    if (endpoint === undefined) continue;
    project.provide("mapEndpoint", endpoint);
    break;
  }
  map.stdout.resume();
  return async () => {
    map.kill("SIGTERM");
    await ended;
  };
}
