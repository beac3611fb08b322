import { describe, expect, it } from "vitest";
import { SeededRandom } from "../../../src/base/index.ts";
import { AddressAsks } from "../../../src/link/punch/address-asks.ts";
import { readProbe } from "../../../src/link/punch/probe.ts";

const NODE = new Uint8Array(32).fill(1);
const OTHER = new Uint8Array(32).fill(2);

function asksOf() {
  const sent: { readonly port: number; readonly nonce: Uint8Array }[] = [];
  const asks = new AddressAsks({
    random: new SeededRandom(1),
    send: (bytes, { port }) => {
      const datagram = readProbe(bytes);
      if (datagram?.kind === "ask") sent.push({ port, nonce: datagram.nonce });
    },
  });
  const nonceAt = (at: number): Uint8Array => sent[at]?.nonce ?? new Uint8Array(0);
  return { asks, sent, nonceAt };
}

const at = (port: number) => ({ host: "192.0.2.1", port });

describe("the question at which address others see us", () => {
  it("is repeated with growing gaps, and then given up", () => {
    const { asks, sent, nonceAt } = asksOf();
    asks.ask(NODE, at(1), 0);
    const deadlines: number[] = [];
    for (let next = asks.deadline(); next < Number.POSITIVE_INFINITY; next = asks.deadline()) {
      deadlines.push(next);
      asks.timeout(next - 1);
      asks.timeout(next);
    }
    expect(deadlines).toEqual([250, 750, 1_500, 3_000]);
    expect(sent).toEqual(Array.from({ length: 4 }, () => ({ port: 1, nonce: nonceAt(0) })));
    expect(asks.answered(at(1), nonceAt(0))).toBeUndefined();
  });

  it("is answered once, by whoever was asked, and from where he was asked", () => {
    const { asks, nonceAt } = asksOf();
    asks.ask(NODE, at(1), 0);
    expect(asks.answered(at(2), nonceAt(0))).toBeUndefined();
    expect(asks.answered(at(1), new Uint8Array(16))).toBeUndefined();
    expect(asks.answered(at(1), nonceAt(0))).toEqual(NODE);
    expect(asks.answered(at(1), nonceAt(0))).toBeUndefined();
    expect(asks.deadline()).toBe(Number.POSITIVE_INFINITY);
  });

  it("is not asked again where it waits for an answer", () => {
    const { asks, sent } = asksOf();
    asks.ask(NODE, at(1), 0);
    asks.ask(NODE, at(1), 100);
    asks.ask(NODE, at(2), 100);
    asks.ask(OTHER, at(1), 100);
    expect(sent.map(({ port }) => port)).toEqual([1, 2, 1]);
  });

  it("gives way, the oldest first, where there are too many", () => {
    const { asks, sent, nonceAt } = asksOf();
    for (let port = 1; port <= 17; port++) asks.ask(NODE, at(port), 0);
    expect(sent).toHaveLength(17);
    expect(asks.answered(at(1), nonceAt(0))).toBeUndefined();
    expect(asks.answered(at(2), nonceAt(1))).toEqual(NODE);
    expect(asks.answered(at(17), nonceAt(16))).toEqual(NODE);
  });
});
