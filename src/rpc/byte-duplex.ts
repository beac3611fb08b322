import type { Duplex } from "node:stream";

/**
 * A byte stream both ways: a link's stream, a socket, one end of a pair in memory. What ends one of
 * its sides leaves the other one open (`allowHalfOpen`).
 */
export type ByteDuplex = Duplex;
