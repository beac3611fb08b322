import { readFileSync } from "node:fs";

/** What `/proc` says of a process behind its name, which may have anything in it but a last `)`. */
const [PROCESS_GROUP, TERMINAL_GROUP] = [2, 5] as const;
/** Of a process without a terminal of its own. */
const NO_GROUP = "-1";

/**
 * Whether the terminal is this process's to write on: a job in the background shares it with the
 * shell, and whatever the user types there. Only Linux says so.
 *
 * @param readStat the line that tells; throws where there is none
 */
export function isInForeground(readStat: () => string = ownStat): boolean {
  try {
    const stat = readStat();
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const [ours, terminals = NO_GROUP] = [fields[PROCESS_GROUP], fields[TERMINAL_GROUP]];
    return terminals === NO_GROUP || terminals === ours;
  } catch {
    return true;
  }
}

function ownStat(): string {
  return readFileSync("/proc/self/stat", "latin1");
}
