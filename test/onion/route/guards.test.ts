import { describe, expect, it } from "vitest";
import { SeededRandom } from "../../../src/base/index.ts";
import { type NodeId, nodeIdText } from "../../../src/identity/index.ts";
import { BlameLedger } from "../../../src/onion/route/blame.ts";
import { Guards } from "../../../src/onion/route/guards.ts";

const SELF = new Uint8Array(32).fill(255);
const RELAYS: readonly NodeId[] = Array.from({ length: 40 }, (_, i) =>
  new Uint8Array(32).fill(i + 1),
);
const MINUTE_MS = 60_000;

/** A client that draws guards out of relays, some of which cannot be dialled. */
class Client {
  relays: readonly NodeId[] = RELAYS;
  now = 0;
  /** What was told to be kept, last. */
  kept: readonly NodeId[] = [];
  changes = 0;
  /** Everybody who was ever dialled. */
  readonly dialled = new Set<string>();
  readonly #ledger = new BlameLedger();
  readonly #guards: Guards;

  constructor(sample: readonly NodeId[] = []) {
    this.kept = sample;
    this.#guards = new Guards({
      ...{ used: 3, sampled: 12, random: new SeededRandom(7), sample },
      onChange: (guards) => {
        this.kept = guards;
        this.changes += 1;
      },
    });
  }

  choose(): readonly NodeId[] {
    return this.#guards.choose({
      relays: this.relays,
      isAvoided: (node) => this.#ledger.isAvoided(node, this.now),
      isLiar: (node) => this.#ledger.isLiar(node, this.now),
    });
  }

  /** Dials all that are chosen, each for some circuits; gives those that could be. */
  dial(isBlocked: (node: NodeId) => boolean, circuits = 1): readonly NodeId[] {
    const chosen = this.choose();
    for (const node of chosen) {
      this.dialled.add(nodeIdText(node));
      if (!isBlocked(node)) continue;
      const route = { origin: SELF, hops: [node] };
      for (let i = 0; i < circuits; i++) {
        this.#ledger.blame(route, { reason: "next-unreachable", hop: -1 }, this.now + i);
      }
    }
    return chosen.filter((node) => !isBlocked(node));
  }

  convict(node: NodeId): void {
    this.#ledger.convict(node, this.now);
  }
}

const nobody = (): boolean => false;
const all = (): boolean => true;

describe("guards", () => {
  it("stay, and come back after a dial that failed", () => {
    const client = new Client();
    const first = client.choose();
    expect(first).toHaveLength(3);
    client.dial((node) => node === first[0]);
    expect(client.choose()).toEqual([first[1], first[2], client.kept[3]]);
    client.now += MINUTE_MS;
    expect(client.dial(nobody)).toEqual(first);
    expect(client.changes).toBe(2);
  });

  it("come back as soon however many circuits were lost with one link", () => {
    const client = new Client();
    const first = client.choose();
    client.dial(all, 8);
    client.now += MINUTE_MS;
    expect(client.choose()).toEqual(first);
    expect(client.kept).toHaveLength(3);
  });

  it("are tried ever more seldom while they cannot be dialled", () => {
    const client = new Client();
    const [blocked] = client.choose();
    let tries = 0;
    for (let minute = 0; minute < 120; minute++) {
      if (client.dial((node) => node === blocked).length < 3) tries += 1;
      client.now += MINUTE_MS;
    }
    expect(tries).toBeGreaterThan(8);
    expect(tries).toBeLessThan(16);
    expect(client.kept).toHaveLength(4);
  });

  it("are none but a few, whoever blocks dials", () => {
    const client = new Client();
    const own = RELAYS.slice(30);
    for (let minute = 0; minute < 3 * 60; minute++) {
      client.dial((node) => !own.includes(node));
      client.now += MINUTE_MS;
    }
    expect(client.dialled.size).toBeLessThanOrEqual(12);
  });

  it("are all kept while nothing can be reached, over a restart too", () => {
    const client = new Client();
    const first = client.choose();
    for (let minute = 0; minute < 3 * 60; minute++) {
      client.dial(all);
      client.now += MINUTE_MS;
    }
    expect(client.kept.slice(0, 3)).toEqual(first);
    // And while nobody is heard of any more.
    client.relays = [];
    client.now += 24 * 60 * MINUTE_MS;
    expect(client.choose()).toEqual([]);
    client.relays = RELAYS;
    expect(client.choose()).toEqual(first);
    const again = new Client(client.kept);
    expect(again.choose()).toEqual(first);
    expect(again.changes).toBe(0);
  });

  it("make room for others when they are gone, the last first", () => {
    const sample = RELAYS.slice(0, 12);
    const client = new Client(sample);
    client.relays = RELAYS.slice(10);
    const chosen = client.choose();
    expect(chosen.slice(0, 2)).toEqual(sample.slice(10));
    expect(client.kept).toEqual([...sample.slice(0, 9), ...sample.slice(10), chosen[2]]);
  });

  it("are no longer those that were caught lying", () => {
    const client = new Client();
    const [liar, ...others] = client.choose();
    client.convict(liar ?? SELF);
    expect(client.choose().slice(0, 2)).toEqual(others);
    expect(client.kept).not.toContain(liar);
  });
});

it("a guard that cannot be dialled is tried again after 44 s, in the end every ten minutes", () => {
  const ledger = new BlameLedger();
  const [guard = SELF, other = SELF] = RELAYS;
  const pausesS: number[] = [];
  let nowS = 0;
  for (let tries = 0; tries < 12; tries++) {
    const failure = { reason: "next-unreachable", hop: -1 } as const;
    ledger.blame({ origin: SELF, hops: [guard, other] }, failure, 1_000 * nowS);
    const from = nowS;
    while (ledger.isAvoided(guard, 1_000 * nowS)) nowS += 1;
    pausesS.push(nowS - from);
  }
  expect(pausesS[0]).toBe(45);
  expect(pausesS.at(-1)).toBeGreaterThan(600);
  expect(pausesS.at(-1)).toBeLessThan(630);
});
