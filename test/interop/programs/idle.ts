/** Two streams with nothing to do; `unref` lets the process go, and without it, it stays. */
import { setTimeout as pause } from "node:timers/promises";
import { pair } from "culvert/testing";

const { a, b } = await pair({ loss: 0.1, rtt: 20, seed: 7 });
b.resume();
a.write("hello");
await a.sync();
process.stdout.write("idle");
if (process.argv.includes("unref")) {
  a.unref();
  b.unref();
}
// Whatever was under way has come in by then.
await pause(100);
