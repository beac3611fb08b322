import { expect, it } from "vitest";
import { readFailure } from "../../../src/rpc/request/failure.ts";
import { CorePair } from "../core-pair.ts";

const BODY = Uint8Array.of(1);

it("there is a handler for a peer that has fewer, where others keep all that there are", () => {
  const pair = new CorePair({ runningMax: 4, runningPerPeerMax: 4 });
  const ask = (request: number): void => {
    const order = { peer: pair.b.id, type: "test.ask", meta: BODY, body: BODY, hardMs: 30_000 };
    pair.c.handle({ kind: "request", request, ...order, isIdempotent: false });
    pair.clock.advance(50);
  };
  for (let i = 0; i < 4; i++) pair.ask();
  pair.clock.advance(50);
  const [, , third, last] = pair.b.all("run");
  ask(1);
  // The last of whoever has most is stopped, and its caller told that it may have run.
  expect(pair.b.all("run")).toHaveLength(5);
  expect(pair.b.all("abort")).toEqual([{ kind: "abort", call: last?.call, reason: "displaced" }]);
  expect(pair.b.all("cutOff")).toEqual([{ kind: "cutOff", call: last?.call }]);
  const [replied] = pair.a.all("replied");
  expect(replied?.isFailure).toBe(true);
  // Not `CULVERT_BUSY`: that says that nothing has run, and that it may be asked again.
  expect(readFailure(replied?.body ?? BODY)).toMatchObject({
    code: "CULVERT_TIMEOUT",
    remote: true,
  });
  expect(pair.b.core.runningCount).toBe(4);
  ask(2);
  expect(pair.b.all("abort")).toHaveLength(2);
  expect(pair.b.all("abort")[1]).toMatchObject({ call: third?.call });
  // Then both have as many, and nobody has to give way.
  ask(3);
  pair.ask();
  pair.clock.advance(50);
  expect(pair.b.all("run")).toHaveLength(6);
  expect(pair.b.all("abort")).toHaveLength(2);
  expect(pair.c.all("replied")).toMatchObject([{ isFailure: true }]);
  // An answer that comes all the same is nobody's any more.
  pair.answerAll();
  pair.clock.advance(50);
  expect(pair.a.all("replied").map(({ isFailure }) => isFailure)).toEqual([
    ...[true, true, true, false, false],
  ]);
  expect(pair.b.core.runningCount).toBe(0);
});
