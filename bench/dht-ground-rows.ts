/** Rows of `dht-sim` in which somebody grinds ids around a key. */
import { publicHost, type Swarm } from "../src/testing/index.ts";
import { surround } from "./dht-hostile.ts";
import { draw, getAll, network, putAll } from "./dht-network.ts";
import { PlacedRecords } from "./dht-placement.ts";
import { atLeastShare, type DhtRow } from "./dht-row.ts";
import type { Verdict } from "./harness.ts";

/** Ids ground around keys before the values are put. */
export function groundRow(isOneNetwork: boolean, asked: number): DhtRow {
  const where = isOneNetwork ? "all in one /24" : "each in a /24 of its own";
  return {
    name: isOneNetwork ? "ground-one-24" : "ground",
    title: `80 ids ground around a key of 500 nodes, ${where}`,
    run(seed) {
      let [found, tried, asked80, widest] = [0, 0, 0, 0];
      for (let round = 0; round < 10; round++) {
        const swarm = network({ seed: seed + round, nodes: 500 });
        const record = draw(swarm);
        const hostOf = (i: number): string => {
          return isOneNetwork ? `203.0.114.${i + 1}` : publicHost(1_000_000 + i);
        };
        surround(swarm, record.key, { count: 80, sharedBytes: 4, hostOf });
        const isHonest = ({ behaviour }: { readonly behaviour: unknown }) => !behaviour;
        putAll(swarm, 1, { keys: [record], from: isHonest });
        const gets = getAll(swarm, [record], 20, isHonest);
        found += gets.success * 20;
        tried += 20;
        asked80 += gets.askedMean;
        widest = Math.max(widest, gets.ms95);
      }
      return {
        verdicts: [atLeastShare("gets that succeed", found / tried, asked)],
        figures: { success: found / tried, askedMean: asked80 / 10, ms95: widest },
      };
    },
  };
}

/** Ids ground around the address of a record of the Map, before it is put or after that. */
export function groundMapRow(nodes: number, rounds: number): DhtRow {
  return {
    name: `ground-map-${nodes}`,
    title: `ids ground around a record of the Map, which five of ${nodes} nodes keep`,
    run(seed) {
      const crowds = { five: [5, 2], eighty: [80, 1], oneNetwork: [80, 80] } as const;
      const figures: Record<string, number> = {};
      const verdicts: Verdict[] = [];
      for (const [name, [count, perNetwork]] of Object.entries(crowds)) {
        for (const when of ["before", "after"] as const) {
          let found = 0;
          for (let round = 0; round < rounds; round++) {
            const swarm = network({ seed: seed + round, nodes });
            found += groundMap(swarm, { count, perNetwork, isFirst: when === "before" });
          }
          const share = found / (10 * rounds);
          figures[`${name}-${when}`] = share;
          verdicts.push(atLeastShare(`gets, ${name} ${when} the put`, share, 0.9));
        }
      }
      return { verdicts, figures };
    },
  };
}

/** How many of ten gets succeed. */
function groundMap(
  swarm: Swarm,
  crowd: { readonly count: number; readonly perNetwork: number; readonly isFirst: boolean },
): number {
  const { count, perNetwork, isFirst } = crowd;
  const isHonest = ({ behaviour }: { readonly behaviour: unknown }) => !behaviour;
  const records = new PlacedRecords(swarm);
  const address = swarm.random.bytes(32);
  const grind = (): void => {
    const hostOf = (i: number): string => {
      return publicHost(1_000_000 + Math.floor(i / perNetwork)).replace(/1$/, `${i + 1}`);
    };
    surround(swarm, address, { count, sharedBytes: 4, hostOf });
  };
  if (isFirst) grind();
  records.put(swarm.pick(isHonest), address);
  if (!isFirst) grind();
  let found = 0;
  for (let i = 0; i < 10; i++) if (records.get(swarm.pick(isHonest), address)) found += 1;
  return found;
}
