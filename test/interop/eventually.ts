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

/** Asks until a value is there: a 650 is not answered, so nobody knows when it has arrived. */
export async function eventualBytes(
  get: () => Promise<Uint8Array | undefined>,
): Promise<Uint8Array> {
  return new Uint8Array(await eventually(get));
}
