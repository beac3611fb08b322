import { onTestFinished } from "vitest";

/** What nobody catches from now on, which the test runner would take for a failure. */
export function uncaught(): unknown[] {
  const seen: unknown[] = [];
  const others = process.listeners("uncaughtException");
  const note = (error: Error): void => void seen.push(error.message);
  process.removeAllListeners("uncaughtException").on("uncaughtException", note);
  onTestFinished(() => {
    process.off("uncaughtException", note);
    for (const other of others) process.on("uncaughtException", other);
  });
  return seen;
}
