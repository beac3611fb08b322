import { describe, expect, it } from "vitest";
import { SeededRandom } from "../../src/base/index.ts";
import { Observations } from "../../src/link/observations.ts";

const MAX = 32;
const OURS = "192.0.2.9";

/** What `count` nodes of one network say, each of them something else unless told otherwise. */
function liesOf(count: number, network: string, seed: number, lie?: string) {
  const random = new SeededRandom(seed);
  return Array.from({ length: count }, (_, at) => ({
    ...{ address: lie ?? `198.51.100.${at}`, by: random.bytes(32) },
    from: `${network}.${1 + (at % 250)}`,
  }));
}

function listed(...sightings: ReturnType<typeof liesOf>): readonly string[] {
  const seen = new Observations<string>(MAX, (text) => text);
  for (const [at, sighting] of sightings.entries()) seen.take(sighting, at);
  return seen.list(0).map(({ address }) => address);
}

describe("where others see this node", () => {
  const [honest] = liesOf(1, "203.0.113", 1, OURS);
  if (honest === undefined) throw new Error("one is honest");

  it("is not forgotten for what any number of nodes of one network say", () => {
    const lies = [2, 3].flatMap((seed) => liesOf(100, "198.18.1", seed));
    expect(listed(honest, ...lies)).toContain(OURS);
  });

  it("comes among the first, whatever any number of nodes of one network say", () => {
    const lies = liesOf(MAX - 1, "198.18.1", 2);
    expect(listed(honest, ...lies).indexOf(OURS)).toBeLessThan(2);
  });

  it("is what most networks have seen, not most nodes", () => {
    const [other] = liesOf(1, "203.0.114", 3, OURS);
    const lies = liesOf(20, "198.18.1", 2, "198.51.100.7");
    expect(listed(honest, ...(other ? [other] : []), ...lies)[0]).toBe(OURS);
  });

  it("counts each node of a private network, and each whose host is not known", () => {
    const lie = liesOf(1, "203.0.115", 4, "198.51.100.7");
    const seen = [
      ...liesOf(1, "192.168.1", 2, OURS),
      ...liesOf(1, "192.168.1", 3, OURS).map((one) => ({ ...one, from: undefined as never })),
    ];
    expect(listed(...seen, ...lie)[0]).toBe(OURS);
  });

  it("is what each node has said last", () => {
    expect(listed(honest, { ...honest, address: "192.0.2.10" })).toEqual(["192.0.2.10"]);
  });
});
