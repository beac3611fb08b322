/**
 * Lets everything that is ready run: promise callbacks, and the ticks of Node's streams, which wait
 * until no promise callback is left. One turn of the event loop does both.
 */
export function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
