import { requireArray, requireFunction } from "../../base/index.ts";
import type { NodeId } from "../../identity/index.ts";
import type { Method } from "../message/manifest.ts";

/** A call on its way through middleware. */
export interface MiddlewareCall {
  /** The node at the other end: the caller's when serving, the server's when calling. */
  readonly peer: NodeId;
  readonly method: string;
  readonly kind: Method["kind"];
  readonly signal: AbortSignal | undefined;
  /** What travels beside the call. When calling it may be added to before `next`. */
  readonly meta: Record<string, string>;
}

/**
 * Runs around calls: checks, counts, logs, adds meta. `next` goes on and settles when the call has
 * ended, with the reply of a unary or client-streaming call; not calling it and throwing refuses
 * the call.
 */
export type Middleware = (call: MiddlewareCall, next: () => Promise<unknown>) => Promise<unknown>;

/** @throws TypeError for what is no list of functions */
export function requireMiddleware(chain: readonly Middleware[] = []): void {
  requireArray("middleware", chain);
  for (const middleware of chain) requireFunction("each middleware", middleware);
}

/** Runs `call` through all of `chain`, the first one outermost, and then `run`. */
export async function runMiddleware(
  chain: readonly Middleware[],
  call: MiddlewareCall,
  run: () => Promise<unknown>,
): Promise<unknown> {
  let next = run;
  for (const middleware of chain.toReversed()) {
    const inner = next;
    let isCalled = false;
    next = async () => {
      if (isCalled) throw new Error("middleware called next twice");
      isCalled = true;
      return await inner();
    };
    const step = next;
    next = async () => await middleware(call, step);
  }
  return await next();
}

/**
 * The items of a streaming call, made inside `chain`: `next` settles when the last item was taken,
 * the call failed, or whoever takes them has left.
 */
export async function* streamMiddleware<Item>(
  chain: readonly Middleware[],
  call: MiddlewareCall,
  run: () => AsyncIterable<Item>,
): AsyncGenerator<Item, void, undefined> {
  const gate = new Gate();
  const ran = runMiddleware(chain, call, () => gate.pass());
  const isRefused = await Promise.race([gate.entered, ran.then(() => true)]);
  if (isRefused) return;
  try {
    yield* run();
  } catch (error) {
    gate.fail(error);
    await ran;
    throw error;
  } finally {
    gate.leave();
    await ran;
  }
}

/** Holds middleware inside `next` while items are taken. */
class Gate {
  readonly entered: Promise<false>;
  readonly #left: Promise<void>;
  #enter: () => void = () => {};
  leave: () => void = () => {};
  fail: (error: unknown) => void = () => {};

  constructor() {
    this.entered = new Promise((resolve) => {
      this.#enter = () => resolve(false);
    });
    this.#left = new Promise((resolve, reject) => {
      this.leave = resolve;
      this.fail = reject;
    });
    this.#left.catch(() => {});
  }

  pass(): Promise<void> {
    this.#enter();
    return this.#left;
  }
}
