import type { Core } from "../src/base/index.ts";

/** Takes what a core wants done, effect by effect: what the body does may bring more of them. */
export function* effectsOf<Effect>(core: Pick<Core<never, Effect>, "poll">): Generator<Effect> {
  for (let effect = core.poll(); effect !== undefined; effect = core.poll()) yield effect;
}
