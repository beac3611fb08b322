import { describe, expect, test } from "vitest";
import { concatBytes, SeededRandom } from "../../../src/base/index.ts";
import { FINAL, MIDTERM, type PeerReply } from "../../../src/voidphone/index.ts";
import { ReplyReader } from "../../../src/voidphone/peer/call-peer.ts";

const random = new SeededRandom(1);
const [rpcId, other] = [random.bytes(32), random.bytes(32)];
const sender = { id: random.bytes(32), port: 7_402 };

describe.each([MIDTERM, FINAL])("who asks in the dialect $name", (dialect) => {
  const pong = (id: Uint8Array): Uint8Array =>
    dialect.encodeReply({ kind: "pong", rpcId: id, sender });
  const first = (...messages: Uint8Array[]): PeerReply | undefined =>
    new ReplyReader(dialect, rpcId).push(concatBytes(...messages));

  test("takes the answer with its own RPC id, and passes over all others", () => {
    expect(first(pong(other))).toBeUndefined();
    expect(first(pong(other), pong(rpcId), pong(other))).toMatchObject({ kind: "pong", rpcId });
    const almost = rpcId.slice();
    almost[31] = 1 ^ (rpcId[31] ?? 0);
    expect(first(pong(almost))).toBeUndefined();
  });

  test("takes an error, which has no RPC id, for its own", () => {
    const error = dialect.encodeReply({ kind: "error", fault: "not-found" });
    expect(first(pong(other), error)).toEqual({ kind: "error", fault: "not-found" });
  });

  test("gives up on who says eight things, and none of them what was asked", () => {
    const noise = Array.from({ length: 7 }, () => pong(other));
    expect(first(...noise, pong(rpcId))).toMatchObject({ kind: "pong" });
    expect(() => first(...noise, pong(other), pong(rpcId))).toThrow("says much");
  });
});
