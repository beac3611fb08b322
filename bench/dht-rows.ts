import { cpuUsage, memoryUsage } from "node:process";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { Swarm } from "../src/testing/index.ts";
import { groundMapRow, groundRow } from "./dht-ground-rows.ts";
import { corrupt, falseTables } from "./dht-hostile.ts";
import { draw, type Gets, getAll, network, putAll, vanish } from "./dht-network.ts";
import { atLeastShare, type DhtRow } from "./dht-row.ts";
import { atMost, type Verdict } from "./harness.ts";

function noneWrong({ wrong }: Gets): Verdict {
  return { what: "wrong values", asked: "0", measured: String(wrong), isMet: wrong === 0 };
}

function figuresOf(gets: Gets): Record<string, number> {
  return { ...gets };
}

/** Hops and requests of a get, in a network of this size. */
function sizeRow(nodes: number, judge: (gets: Gets) => Verdict[]): DhtRow {
  return {
    name: `size-${nodes}`,
    title: `gets among ${nodes.toLocaleString("en-US")} nodes`,
    run(seed) {
      const swarm = network({ seed, nodes, ...(nodes > 50_000 && { farBucketSize: 128 }) });
      const records = putAll(swarm, nodes > 50_000 ? 50 : 100);
      const before = swarm.messages;
      const gets = getAll(swarm, records, 400);
      const rssMb = memoryUsage.rss() / 2 ** 20;
      return {
        verdicts: [...judge(gets), atLeastShare("gets that succeed", gets.success, 0.999)],
        figures: { nodes, ...figuresOf(gets), messages: swarm.messages - before, rssMb },
      };
    },
  };
}

/** An hour of 100 lookups a second, and how much of one core that takes. */
const HOUR: DhtRow = {
  name: "hour",
  title: "10,000 nodes, one hour of virtual time at 100 lookups/s",
  run(seed) {
    const from = cpuUsage();
    const swarm = network({ seed, nodes: 10_000 });
    const records = putAll(swarm, 200);
    let [started, ended, found] = [0, 0, 0];
    for (const until = swarm.now + 3_600_000; swarm.now < until; swarm.advance(10)) {
      const key = records[started % records.length]?.key ?? new Uint8Array(32);
      started += 1;
      swarm.operate(
        swarm.pick(),
        (operation) => ({ kind: "get", operation, key, valueKind: "record" }),
        ({ result }) => {
          ended += 1;
          if (result?.kind === "found") found += 1;
        },
      );
    }
    const { user, system } = cpuUsage(from);
    const minutes = (user + system) / 60e6;
    return {
      verdicts: [
        atMost("minutes of one core", minutes, 10),
        atLeastShare("lookups that succeed", found / ended, 0.999),
      ],
      figures: { minutes, started, found, messages: swarm.messages },
    };
  },
};

/** A share of the nodes stops in silence; gets right after that. */
function vanishRow(percentGone: number, asked: number): DhtRow {
  return {
    name: `vanish-${percentGone}`,
    title: `gets right after ${percentGone} % of 1,000 nodes stopped in silence`,
    run(seed) {
      const swarm = network({ seed, nodes: 1_000 });
      const records = putAll(swarm, 200);
      vanish(swarm, percentGone / 100);
      const gets = getAll(swarm, records, 400);
      const success = atLeastShare("gets that succeed", gets.success, asked);
      return { verdicts: [success], figures: { gone: percentGone, ...figuresOf(gets) } };
    },
  };
}

/** Networks of which one row gives the means: what a get waits for goes by the ids of a network. */
const SILENT_NETWORKS = 20;

/** One node of 100 gets what all others keep, once a part of them says nothing any more. */
const SILENT: DhtRow = {
  name: "silent-100",
  title: "gets by one node when a quarter, then a half, of 100 nodes fell silent",
  run(seed) {
    const means = new Map<string, number>();
    let success = 1;
    const note = (name: string, value: number): void => {
      means.set(name, (means.get(name) ?? 0) + value / SILENT_NETWORKS);
    };
    for (let i = 0; i < SILENT_NETWORKS; i++) {
      const swarm = network({ seed: seed * SILENT_NETWORKS + i, nodes: 100 });
      const records = putAll(swarm, 100);
      const [asker] = swarm.nodes;
      for (const percent of [25, 50]) {
        for (const node of swarm.nodes.slice(100 - percent)) if (node.isAlive) swarm.stop(node);
        const gets = getAll(swarm, records, 100, (node) => node === asker);
        success = Math.min(success, gets.success);
        note(`asked${percent}`, gets.askedMean);
        note(`msMedian${percent}`, gets.msMedian);
        note(`ms99of${percent}`, gets.ms99);
      }
    }
    return {
      verdicts: [atLeastShare("gets that succeed", success, 0.999)],
      figures: Object.fromEntries(means),
    };
  },
};

/** Records at five keepers, as the Map has them. */
const FIVE: DhtRow = {
  name: "five-keepers",
  title: "records at 5 of 1,000 nodes; 30 % stop; then again after repair",
  run(seed) {
    const limits = { replicas: 5, repairMs: 300_000 };
    const swarm = network({ seed, nodes: 1_000, limits });
    const records = putAll(swarm, 600);
    vanish(swarm, 0.3);
    const right = getAll(swarm, records, 600);
    swarm.advance(1_200_000);
    const copies = swarm.nodes.reduce((sum, { core, isAlive }) => {
      return isAlive ? sum + core.statistics.values : sum;
    }, 0);
    // What had lost all five keepers is gone for good; its writer puts it again.
    const lost = records.filter(({ key }) => !isKept(swarm, key));
    putAll(swarm, 0, { keys: lost });
    const repaired = getAll(swarm, records, 600);
    return {
      verdicts: [
        atLeastShare("gets right after", right.success, 0.99),
        atLeastShare("gets after repair", repaired.success, 0.999),
      ],
      figures: { right: right.success, repaired: repaired.success, lost: lost.length, copies },
    };
  },
};

function isKept(swarm: Swarm, key: Uint8Array): boolean {
  const asker = swarm.pick();
  const request = { kind: "find-value", key, near: key } as const;
  return swarm.nodes.some((node) => {
    return node.isAlive && swarm.probe(node, asker, request).kind === "value";
  });
}

const LOSS: DhtRow = {
  name: "loss",
  title: "1,000 nodes, a tenth of all messages lost",
  run(seed) {
    const swarm = network({ seed, nodes: 1_000, loss: 0.1 });
    const gets = getAll(swarm, putAll(swarm, 200), 400);
    return {
      verdicts: [atLeastShare("gets that succeed", gets.success, 0.999)],
      figures: figuresOf(gets),
    };
  },
};

/** Nodes come and go; a life lasts so long in the mean. */
function churnRow(lifeMinutes: number): DhtRow {
  return {
    name: `churn-${lifeMinutes}`,
    title: `300 nodes that live ${lifeMinutes} minutes in the mean, for half an hour`,
    run(seed) {
      const nodes = 300;
      const swarm = network({ seed, nodes });
      const records = putAll(swarm, 100);
      const everyMs = (lifeMinutes * 60_000) / nodes;
      for (const until = swarm.now + 1_800_000; swarm.now < until; swarm.advance(everyMs)) {
        swarm.stop(swarm.pick());
        const bootstrap = [swarm.pick().contact, swarm.pick().contact];
        swarm.tell(swarm.add(), { kind: "start", bootstrap });
      }
      const gets = getAll(swarm, records, 300);
      const success = atLeastShare("gets that succeed", gets.success, 0.99);
      return { verdicts: [success], figures: { lifeMinutes, ...figuresOf(gets) } };
    },
  };
}

const HIDDEN: DhtRow = {
  name: "nat",
  title: "100 nodes and 50 behind NATs that let nothing in",
  run(seed) {
    const swarm = network({ seed, nodes: 100 });
    for (let i = 0; i < 50; i++) {
      const node = swarm.add({ isHidden: true });
      swarm.tell(node, { kind: "start", bootstrap: [swarm.pick((n) => !n.isHidden).contact] });
      swarm.advance(100);
    }
    swarm.advance(30_000);
    const isHidden = ({ isHidden }: { readonly isHidden: boolean }) => isHidden;
    const records = putAll(swarm, 100, { from: isHidden });
    const gets = getAll(swarm, records, 200, isHidden);
    return {
      verdicts: [atLeastShare("gets from behind NATs", gets.success, 0.999)],
      figures: figuresOf(gets),
    };
  },
};

/** A share of the nodes lies: false tables, nodes that are not there, false values, silence. */
const HOSTILE: DhtRow = {
  name: "hostile-20",
  title: "a fifth of 1,000 nodes hostile, in four ways",
  run(seed) {
    const swarm = network({ seed, nodes: 1_000 });
    corrupt(swarm, 0.2);
    const isHonest = ({ behaviour }: { readonly behaviour: unknown }) => behaviour === undefined;
    const records = putAll(swarm, 200, { from: isHonest });
    const gets = getAll(swarm, records, 400, isHonest);
    return {
      verdicts: [noneWrong(gets), atLeastShare("gets that succeed", gets.success, 0.99)],
      figures: figuresOf(gets),
    };
  },
};

/** One source stores ten times of what a node has room for. */
const FLOOD: DhtRow = {
  name: "flood",
  title: "one source floods each of 60 nodes with ten times its room",
  run(seed) {
    const valueLimits = { plainMax: 200, recordsMax: 200 };
    const swarm = network({ seed, nodes: 60, valueLimits });
    const records = putAll(swarm, 200);
    const flooder = swarm.pick();
    for (const node of swarm.nodes) {
      for (let i = 0; i < 2_000; i++) {
        const { key, bytes } = draw(swarm);
        const value = { kind: "record", ttlSeconds: 3_600, bytes } as const;
        swarm.probe(node, flooder, { kind: "store", key, value, isCopy: false });
      }
    }
    const gets = getAll(swarm, records, 200, (node) => node !== flooder);
    const lost = Math.round((1 - gets.success) * 200);
    return {
      verdicts: [
        { what: "values of others lost", asked: "0", measured: String(lost), isMet: lost === 0 },
      ],
      figures: figuresOf(gets),
    };
  },
};

/** A joiner in a network where so large a part of all address prefixes is the attacker's. */
function eclipse(seed: number, share: number, honest: number): number {
  const swarm = network({ seed, nodes: honest });
  const records = putAll(swarm, 60);
  const hostile = Array.from({ length: Math.round((honest * share) / (1 - share)) }, () => {
    return swarm.add();
  });
  const lie = falseTables(hostile);
  for (const node of hostile) node.behaviour = lie;
  const joiner = swarm.add();
  const isGood = ({ behaviour }: { readonly behaviour: unknown }) => behaviour === undefined;
  // The attacker is first: all of its nodes press on the joiner before it knows anybody.
  for (const { contact } of hostile) swarm.tell(joiner, { kind: "met", contact });
  // And two of the three nodes that it was told to begin with are the attacker's too.
  const bootstrap = [...hostile.slice(0, 2), swarm.pick(isGood)].map(({ contact }) => contact);
  swarm.tell(joiner, { kind: "start", bootstrap });
  swarm.advance(120_000);
  return getAll(swarm, records, 60, (node) => node === joiner).success;
}

const ECLIPSE: DhtRow = {
  name: "eclipse",
  title: "one joiner, pressed on by the nodes of a part of all prefixes",
  run(seed) {
    const half = eclipse(seed, 0.55, 300);
    const most = eclipse(seed, 0.75, 300);
    return {
      verdicts: [atLeastShare("gets, 55 % of the prefixes hostile", half, 0.99)],
      figures: { half, most },
    };
  },
};

/** The same where tables have buckets, of which the attacker might have every place. */
const ECLIPSE_BUCKETS: DhtRow = {
  name: "eclipse-3000",
  title: "the same among 3,000 honest nodes, where tables have buckets",
  run(seed) {
    const half = eclipse(seed, 0.5, 3_000);
    return {
      verdicts: [atLeastShare("gets, 50 % of the prefixes hostile", half, 0.99)],
      figures: { half },
    };
  },
};

/** Heap of each node of a network of 100, with contacts of its own as real nodes have. */
const MEMORY: DhtRow = {
  name: "memory",
  title: "JS heap of each of 100 nodes, all messages through their bytes",
  run(seed) {
    setFlagsFromString("--expose-gc");
    const collect = runInNewContext("gc") as () => void;
    collect();
    const before = memoryUsage().heapUsed;
    const swarm = network({ seed, nodes: 100, isEncoded: true, limits: { peersMax: 512 } });
    swarm.advance(60_000);
    collect();
    const kb = (memoryUsage().heapUsed - before) / 1_024 / swarm.nodes.length;
    const contacts = swarm.nodes.reduce((sum, { core }) => sum + core.contacts.length, 0);
    return {
      verdicts: [atMost("KB of heap per node", kb, 60)],
      figures: { kb, contacts: contacts / swarm.nodes.length },
    };
  },
};

export const DHT_ROWS: readonly DhtRow[] = [
  sizeRow(100, (gets) => [atMost("requests per get", gets.askedMean, 4)]),
  sizeRow(500, (gets) => [atMost("requests per get", gets.askedMean, 5)]),
  sizeRow(2_000, (gets) => [atMost("round trips, median", gets.hopsMedian, 2)]),
  sizeRow(10_000, (gets) => [atMost("round trips, median", gets.hopsMedian, 2)]),
  MEMORY,
  LOSS,
  vanishRow(10, 0.999),
  vanishRow(30, 0.99),
  vanishRow(50, 0.99),
  SILENT,
  FIVE,
  churnRow(120),
  churnRow(30),
  HIDDEN,
  HOSTILE,
  groundRow(false, 0.9),
  groundRow(true, 1),
  groundMapRow(500, 10),
  groundMapRow(3_000, 4),
  FLOOD,
  ECLIPSE,
  ECLIPSE_BUCKETS,
  sizeRow(100_000, (gets) => [
    atMost("round trips, median", gets.hopsMedian, 2.5),
    atMost("MiB of this process", memoryUsage.rss() / 2 ** 20, 3_072),
  ]),
  HOUR,
];
