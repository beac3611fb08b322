import { describe, expect, it } from "vitest";
import { CulvertError } from "../../../src/base/index.ts";
import type { DhtNetwork, DhtRequest, DhtResponse } from "../../../src/dht/index.ts";
import type { DhtInput } from "../../../src/dht/node/protocol.ts";
import { SentRequests } from "../../../src/dht/node/sent-requests.ts";
import { settle } from "../../../src/testing/index.ts";
import { contactAt } from "../nodes.ts";

const TO = contactAt(new Uint8Array(32).fill(1));
const PING: DhtRequest = { kind: "ping" };
const PONG: DhtResponse = { kind: "pong" };

interface Asked {
  readonly signal: AbortSignal;
  readonly isLast: boolean;
  answer(response: DhtResponse): void;
  fail(error: Error): void;
}

/** A network whose answers the test gives. */
function sentOver() {
  const asked: Asked[] = [];
  const told: DhtInput[] = [];
  const network: DhtNetwork = {
    request: (_to, _request, { signal, isLast }) =>
      new Promise((answer, fail) => asked.push({ signal, isLast, answer, fail })),
  };
  const sent = new SentRequests(network, (input) => told.push(input));
  const send = (exchange: number, attempt: number): Asked => {
    sent.send({ kind: "send", exchange, attempt, to: TO, request: PING });
    return asked.at(-1) as Asked;
  };
  return { sent, send, told };
}

describe("a request to another node", () => {
  it("is answered by whichever attempt ends first, and the others are given up", async () => {
    const { send, told } = sentOver();
    const [first, second, last] = [send(1, 1), send(1, 2), send(1, 3)];
    expect([first, second, last].map(({ isLast }) => isLast)).toEqual([false, false, true]);
    second.answer(PONG);
    await settle();
    expect(told).toEqual([{ kind: "response", exchange: 1, response: PONG, attempt: 2 }]);
    expect(first.signal.aborted && last.signal.aborted).toBe(true);
    first.answer(PONG);
    last.fail(new Error("given up"));
    await settle();
    expect(told).toHaveLength(1);
  });

  it("has failed with its first attempt that does, and says where there was no room", async () => {
    const { send, told } = sentOver();
    send(1, 1).fail(new CulvertError("CULVERT_BUSY"));
    send(2, 1).fail(new CulvertError("CULVERT_UNREACHABLE"));
    await settle();
    expect(told).toEqual([
      { kind: "failed", exchange: 1, isBusy: true },
      { kind: "failed", exchange: 2, isBusy: false },
    ]);
  });

  it("is heard of no more once it is forgotten, or all are given up", async () => {
    const { sent, send, told } = sentOver();
    const [one, other] = [send(1, 1), send(2, 1)];
    sent.forget(1);
    expect(one.signal.aborted).toBe(true);
    expect(other.signal.aborted).toBe(false);
    sent.close();
    expect(other.signal.aborted).toBe(true);
    one.answer(PONG);
    other.answer(PONG);
    await settle();
    expect(told).toEqual([]);
  });
});
