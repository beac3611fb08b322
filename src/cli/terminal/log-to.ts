import type { Log } from "../../base/index.ts";
import type { Context } from "../context.ts";
import { printable } from "../humanize.ts";

/** Warnings and worse always; everything with `--verbose`. */
export function logTo({ output }: Context, isVerbose: boolean): Log {
  return (level, event, fields = {}) => {
    if (!isVerbose && (level === "debug" || level === "info")) return;
    const words = printable(`${level} ${event} ${JSON.stringify(fields)}`);
    output.tell("log", { level, name: event, ...fields }, words);
  };
}
