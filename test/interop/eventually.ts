import { setTimeout as pause } from "node:timers/promises";

/** What `look` gives once it is there, for what has no event to wait for. */
export async function eventually<T>(
  look: () => T | undefined | Promise<T | undefined>,
  ms = 20_000,
): Promise<T> {
  const deadline = Date.now() + ms;
  for (;;) {
    const seen = await look();
    if (seen !== undefined) return seen;
    if (Date.now() > deadline) throw new Error(`it did not come to that: ${look}`);
    await pause(20);
  }
}
