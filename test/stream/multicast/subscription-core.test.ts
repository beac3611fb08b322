import { expect, it } from "vitest";
import { SeededRandom } from "../../../src/base/index.ts";
import { generateCapability } from "../../../src/stream/multicast/capability-text.ts";
import { resolveSubscriptionOptions } from "../../../src/stream/multicast/options.ts";
import { SubscriptionCore } from "../../../src/stream/multicast/subscription-core.ts";

it("a reader that has taken the end knows so in another session", () => {
  const init = {
    ...{ read: generateCapability().readCapability(), repair: undefined, cellBytes: 200 },
    ...{ random: new SeededRandom(1), options: resolveSubscriptionOptions({}) },
  };
  const core = new SubscriptionCore(init);
  const resumed = (isDone: boolean): boolean =>
    new SubscriptionCore({ ...init, state: { ...core.state(), isDone } }).progress.isEnded;
  expect([core.progress.isEnded, resumed(false), resumed(true)]).toEqual([false, false, true]);
});
