import { expect, it } from "vitest";
import { type Clock, type Log, SeededRandom } from "../../../src/base/index.ts";
import { NODE_DEFAULTS, type RunningNode, startNode } from "../../../src/node/index.ts";
import { VirtualClock, VirtualNetwork } from "../../../src/testing/index.ts";
import { Capture } from "../../../src/testing/road/capture.ts";
import { virtualMachine } from "../../../src/testing/road/road-node.ts";

const HOUR_MS = 3_600_000;
/** Far from the end of an epoch. */
const START = 482_136 * HOUR_MS + 600_000;

interface Said {
  readonly node: number;
  readonly event: string;
  readonly fields: Parameters<Log>[2];
}

/** Nodes whose clocks are so many hours ahead; what they say of their clocks. */
async function network(hoursAhead: number[]) {
  const time = new VirtualClock({ startUnixMs: START });
  const lines = new VirtualNetwork({ clock: time, seed: 1 });
  const said: Said[] = [];
  const nodes: RunningNode[] = [];
  for (const node of hoursAhead.keys()) {
    const host = lines.addHost({ addresses: [`198.51.${node}.1`] });
    const clock: Clock = {
      now: () => time.now(),
      unixMs: () => time.unixMs() + HOUR_MS * (hoursAhead[node] ?? 0),
      schedule: (at, run) => time.schedule(at, run),
    };
    const ground = { clock, capture: new Capture(time), isWatched: false };
    const machine = virtualMachine(ground, host, new SeededRandom(node));
    const listen = [{ carrier: "udp", host: "0.0.0.0", port: 7_000 }] as const;
    const bootstrap = nodes[0]?.contacts ?? [];
    const config = { ...NODE_DEFAULTS, listen, bootstrap, reachable: "direct" } as const;
    const log: Log = (_level, event, fields) => {
      if (event.startsWith("clock-")) said.push({ node, event, fields });
    };
    nodes.push(await time.runPromise(startNode(config, { machine, log })));
    await time.runPromise(nodes[node]?.joined ?? Promise.resolve(0));
  }
  const close = async (): Promise<void> => {
    for (const node of nodes) await time.runPromise(node.close());
  };
  return { time, said, close };
}

for (const [hours, side] of [
  [2, "ahead of"],
  [5, "ahead of"],
  [-2, "behind"],
  [-50, "behind"],
] as const) {
  it(`tells the operator of a node that is ${hours} hours ahead, and no other`, async () => {
    const hoursAhead = [0, 0, 0, hours, 0];
    const { time, said, close } = await network(hoursAhead);
    await time.runUntil(time.now() + HOUR_MS);
    const message = `this clock is hours ${side} those of most nodes`;
    expect(said).toEqual([{ node: 3, event: "clock-off", fields: { message } }]);
    hoursAhead[3] = 0;
    await time.runUntil(time.now() + 120_000);
    expect(said[1]).toMatchObject({ node: 3, event: "clock-right" });
    await time.runUntil(time.now() + HOUR_MS);
    expect(said).toHaveLength(2);
    await close();
  });
}
