import { readFile, rm } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { Machine } from "./culvert.ts";

/** Time for nodes to notice and to leave in peace, on a slow machine. */
const LEAVE_MS = 30_000;

async function childrenOf(pid: number): Promise<number[]> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, "utf8");
  return text.trim().split(" ").map(Number);
}

/** False for what has ended and was not collected by its new parent, too. */
async function isThere(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
  return stat !== "" && !/\) Z /.test(stat);
}

async function thereOf(pids: readonly number[]): Promise<number[]> {
  const there = await Promise.all(pids.map(isThere));
  return pids.filter((_, i) => there[i]);
}

/** Where a testnet keeps what it removes when it is not killed. */
async function folderOf(node: number): Promise<string> {
  const env = await readFile(`/proc/${node}/environ`, "utf8");
  return /XDG_STATE_HOME=([^\0]*culvert-testnet-[^/\0]+)/.exec(env)?.[1] ?? "none";
}

test.runIf(process.platform === "linux")(
  "the nodes of a testnet that was killed do not outlive it",
  async () => {
    await using machine = await Machine.create();
    const testnet = machine.culvert("testnet", "--count", "3", "--json");
    await testnet.says(/"event":"ready"/);
    const nodes = await childrenOf(testnet.process.pid ?? 0);
    expect(nodes).toHaveLength(3);
    const folder = await folderOf(nodes[0] ?? 0);
    let left = nodes;
    try {
      testnet.process.kill("SIGKILL");
      for (let ms = 0; ms < LEAVE_MS && left.length > 0; ms += 100) {
        await sleep(100);
        left = await thereOf(nodes);
      }
      expect(left).toEqual([]);
    } finally {
      for (const pid of left) process.kill(pid, "SIGKILL");
      await rm(folder, { recursive: true, force: true });
    }
  },
);
