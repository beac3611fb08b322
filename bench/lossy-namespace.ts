/** A network namespace of the kernel, in which it drops packets. */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Whether this process may make such a namespace: as root on Linux, with iptables. */
export function hasNamespaces(): boolean {
  const { status } = spawnSync("unshare", ["-n", "iptables", "-L", "INPUT"], { stdio: "ignore" });
  return status === 0;
}

/** Runs this program again in a namespace, and gives what it wrote to the file of its last word. */
export function runInNamespace(...words: readonly string[]): string {
  const folder = mkdtempSync(join(tmpdir(), "culvert-bench-"));
  const file = join(folder, "results.json");
  try {
    const program = [process.execPath, ...process.execArgv, process.argv[1] ?? ""];
    execFileSync("unshare", ["-n", ...program, ...words, file], { stdio: "inherit" });
    return readFileSync(file, "utf8");
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** In the namespace: brings the loopback up. */
export function openLoopback(): void {
  execFileSync("ip", ["link", "set", "lo", "up"]);
}

/** In the namespace: so large a share of all UDP packets is lost from now on. */
export function losePackets(share: number): void {
  const chance = ["-m", "statistic", "--mode", "random", "--probability", String(share)];
  execFileSync("iptables", ["-A", "INPUT", "-p", "udp", ...chance, "-j", "DROP"]);
}

/** In the namespace: nothing is lost any more. */
export function loseNothing(): void {
  execFileSync("iptables", ["-F", "INPUT"]);
}
