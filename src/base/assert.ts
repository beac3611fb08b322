/**
 * Stops on a broken invariant of our own code, also in production.
 *
 * Never use it on bytes from a peer, a store, a file or a socket: those are parsed, and refused
 * with a {@link CulvertError}.
 *
 * @throws Error when `condition` is false
 */
export function assert(condition: unknown, why: string): asserts condition {
  if (!condition) throw new Error(`culvert: broken invariant: ${why}`);
}

/** Makes the compiler prove that every kind of a union has been handled. */
export function unreachable(value: never): never {
  throw new Error(`culvert: unhandled kind: ${JSON.stringify(value)}`);
}
