import { expect, it } from "vitest";
import { CorePair } from "./core-pair.ts";

it("a request is repeated ever more seldom where every copy of it breaks the connection", () => {
  const pair = new CorePair({}, true);
  pair.ask();
  pair.clock.advance(30);
  let told = 0;
  for (let ms = 0; ms < 20_000; ms += 10) {
    const count = pair.of("request").length;
    if (count > told) pair.a.handle({ kind: "disturbed", peer: pair.b.id });
    told = count;
    pair.clock.advance(10);
  }
  expect(told).toBeGreaterThan(4);
  expect(told).toBeLessThan(16);
});
