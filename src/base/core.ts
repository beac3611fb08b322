import type { Instant } from "./ports.ts";

/**
 * A protocol as a synchronous state machine without clock, IO or randomness of its own.
 *
 * Contract:
 * - `handle` takes one input, `timeout` runs every timer that is due at `now`; calling `timeout`
 *   early does nothing. `now` never goes backwards between calls.
 * - After each `handle` or `timeout` the owner calls `poll` until it returns `undefined`, and only
 *   then mutates again. Effects come in the order in which they have to be performed.
 * - `deadline` says when `timeout` has to be called next; `Infinity` while no timer is armed.
 * - None of them throws on anything a peer, a store or a network can cause; a throw is a defect.
 */
export interface Core<Input, Effect> {
  handle(input: Input, now: Instant): void;
  timeout(now: Instant): void;
  poll(): Effect | undefined;
  deadline(): Instant;
}
