import { SeededRandom } from "../../src/base/index.ts";
import { CIRCUIT_LIMITS } from "../../src/onion/circuit/circuit-limits.ts";
import { MessageDesk } from "../../src/onion/message/message-desk.ts";
import { StaticRoutes } from "../../src/onion/route/static-routes.ts";
import { budgetOf, ChurnClient, ChurnMap, type ExitManner, Faults } from "../onion/churn-life.ts";
import {
  ChurnNet,
  type ChurnNode,
  type ChurnPlan,
  HONEST,
  type Misdeeds,
} from "../onion/churn-net.ts";

const HOUR_MS = 3_600_000;
const MANNERS: readonly ExitManner[] = ["never", "late", "noise", "rejects", "forges", "too long"];

/** A network whose every parameter follows from its seed. */
function planOf(random: SeededRandom): ChurnPlan {
  const one = <T>(...values: readonly T[]): T => values[random.below(values.length)] as T;
  const nodes = 5 + random.below(10);
  const isTiny = random.below(3) === 0;
  return {
    nodes,
    latencyMs: one(1, 20, 150),
    jitterMs: one(0, 10, 2_000),
    loss: one(0, 0, 0.05, 0.3),
    skewMs: one(0, 60_000, 0.4 * HOUR_MS, 1.5 * HOUR_MS),
    dialMs: one(50, 20_000),
    silenceMs: one(50, 60_000),
    descriptorMs: one(2 * HOUR_MS, 2 * HOUR_MS, 0.5 * HOUR_MS),
    hostile: random.below(Math.ceil(nodes / 2)),
    limits: isTiny
      ? {
          relay: {
            limits: {
              circuitsMax: 4 + random.below(20),
              circuitsPerLinkMax: 2 + random.below(8),
              buildsPerSecond: 1 + random.below(5),
              buildsBurst: 2 + random.below(10),
            },
            circuit: {
              ...CIRCUIT_LIMITS,
              requestsMax: 64,
              queuedCellsMax: 40,
              unsentCellsMax: 80 + random.below(80),
            },
          },
          packets: {
            delayedMax: 2,
            statesMax: 1 + random.below(8),
            stateMs: 30_000,
            surbsMax: 2,
            surbMs: one(5_000, HOUR_MS),
          },
        }
      : {},
  };
}

function misdeedsOf(random: SeededRandom): Misdeeds {
  const all: Partial<Misdeeds>[] = [
    { drops: 1 },
    { drops: 0.1 },
    { repeats: 0.2 },
    { flips: 0.1 },
    { babbles: 0.1 },
    { babbles: 1 },
    { hangsUp: 0.05 },
    { holdMs: random.below(40_000) },
    { stalls: true },
    { lies: true },
  ];
  return { ...HONEST, ...all[random.below(all.length)], ...all[random.below(all.length)] };
}

/** One network from its start to its end. */
export class ChurnRun {
  readonly plan: ChurnPlan;
  readonly net: ChurnNet;
  readonly map: ChurnMap;
  readonly faults = new Faults();
  readonly clients: ChurnClient[] = [];
  readonly all: ChurnClient[] = [];
  readonly #random: SeededRandom;
  readonly #restarts: (() => void)[] = [];
  #streams = 0;
  readonly #routes: { guards: number; guardsMax: number; relays: number };

  /** @param isBlind the canary: judges take hostile nodes for honest ones */
  constructor(seed: number, { isBlind = false } = {}) {
    const random = new SeededRandom(seed);
    this.#random = random;
    this.plan = planOf(random);
    this.net = new ChurnNet(this.plan, random.fork(1));
    this.map = new ChurnMap(this.net, random.fork(2), this.faults);
    const guards = 1 + random.below(3);
    this.#routes = { guards, guardsMax: guards + random.below(6), relays: 2 + random.below(2) };
    for (const node of this.net.nodes.slice(1, 1 + this.plan.hostile)) {
      if (random.below(2) === 0) node.misdeeds = misdeedsOf(random);
      node.isHostile = true;
      node.isTrusted = isBlind;
    }
    this.net.onStart = (node) => this.#furnish(node);
    this.net.onOpen = (from, to) => this.#judgeFirst(from, this.net.find(to));
  }

  get #clientCount(): number {
    return this.plan.nodes > 8 ? 2 : 1;
  }

  async run(): Promise<readonly string[]> {
    const { net } = this;
    for (const node of net.nodes) net.start(node);
    const turns = 30 + this.#random.below(60);
    for (let turn = 0; turn < turns; turn++) {
      this.#act();
      await net.clock.runUntil(net.clock.now() + this.#pauseMs());
    }
    await this.#heal();
    await this.#end();
    return this.faults.seen;
  }

  /** What every life of a node begins with. */
  #furnish(node: ChurnNode): void {
    const { service } = node;
    if (service === undefined) return;
    const random = this.#random;
    const isHostile = node.isHostile && random.below(2) === 0;
    const manner = isHostile ? (MANNERS[random.below(MANNERS.length)] ?? "never") : "fair";
    const places = random.below(3) === 0 ? 4 : 3_072;
    service.setHandlers({ request: this.map.serve(node, manner, places) });
    const desk = new MessageDesk(service, new StaticRoutes(() => []));
    desk.setMessageHandler((message) => {
      if (!message.isAnswerable || random.below(8) === 0) return;
      message.reply(message.data.subarray(0, Math.min(message.data.length, 300)));
    });
    if (node.index < this.#clientCount) this.#begin(node);
  }

  /** A client begins anew, with the guards of its last run. */
  #begin(node: ChurnNode): void {
    const guards = this.clients[node.index]?.routes.inner.guards ?? [];
    const parts = { net: this.net, map: this.map, node, faults: this.faults };
    const client = new ChurnClient(parts, { routes: this.#routes, guards });
    this.clients[node.index] = client;
    this.all.push(client);
  }

  #judgeFirst(from: ChurnNode, to: ChurnNode | undefined): void {
    if (from === to) this.faults.add("a node opens a channel to itself");
  }

  #pauseMs(): number {
    const random = this.#random;
    const dice = random.below(20);
    if (dice === 0) return random.below(HOUR_MS);
    return dice < 4 ? random.below(120_000) : random.below(8_000);
  }

  #act(): void {
    const random = this.#random;
    const client = this.clients[random.below(this.clients.length)];
    if (client === undefined) return;
    const signal = this.#signal();
    const dice = random.below(16);
    if (dice < 7) this.#ask(client, signal);
    else if (dice < 9) this.#manage(client);
    else if (dice === 9) void client.circuit(signal);
    else if (dice < 12) {
      const to = this.net.nodes[random.below(this.net.nodes.length)];
      const modes = ["none", "surb", "state", "errors"] as const;
      if (to !== undefined && to !== client.node) {
        void client.message(to, modes[random.below(4)] ?? "none", signal);
      }
    } else this.#churn(client);
  }

  #signal(): AbortSignal {
    const controller = new AbortController();
    const { clock } = this.net;
    if (this.#random.below(3) === 0) {
      clock.schedule(clock.now() + this.#random.below(60_000), () => controller.abort());
    }
    return controller.signal;
  }

  /** Some puts and gets of one stream. */
  #ask(client: ChurnClient, signal: AbortSignal): void {
    const random = this.#random;
    const carried = client.carriers[random.below(client.carriers.length)];
    if (carried === undefined) {
      this.#manage(client);
      return;
    }
    for (let i = 1 + random.below(12); i > 0; i--) {
      // Few addresses, so that some are asked for again.
      const address = new SeededRandom(1_000 * carried.number + random.below(40)).bytes(32);
      if (random.below(2) === 0) void client.put(carried, address, signal);
      else void client.get(carried, address, { waitMs: random.below(3) * 60_000, signal });
    }
  }

  #manage(client: ChurnClient): void {
    const random = this.#random;
    const dice = random.below(4);
    const carried = client.carriers[random.below(client.carriers.length)];
    if (dice === 0 && carried !== undefined) {
      carried.carrier.close();
      client.carriers.splice(client.carriers.indexOf(carried), 1);
      if (random.below(3) === 0) carried.carrier.prepare();
    } else if (dice === 1 && carried !== undefined) {
      carried.carrier.prepare();
    } else if (client.carriers.length < 4) {
      client.openCarrier(this.#streams++, {
        window: 1 + random.below(32),
        paths: 1 + random.below(3),
        spares: random.below(2),
        framesPerExit: random.below(3) === 0 ? 30 : 0,
        coverMs: random.below(9) === 0 ? 5_000 : 0,
        budgetMs: random.below(2) === 0 ? HOUR_MS : 120_000,
      });
    }
  }

  #churn(client: ChurnClient): void {
    const { net } = this;
    const random = this.#random;
    const node = net.nodes[random.below(net.nodes.length)];
    if (node === undefined) return;
    if (node.index < this.#clientCount) {
      if (random.below(10) > 0) return;
      void client.close();
      net.stop(client.node);
      client.carriers.length = 0;
      net.start(client.node);
    } else if (node.isUp && random.below(3) > 0) {
      net.stop(node);
      const downMs = random.below(4) === 0 ? random.below(5 * HOUR_MS) : random.below(90_000);
      const restart = (): void => {
        if (!node.isUp) net.start(node);
      };
      this.#restarts.push(net.clock.schedule(net.clock.now() + downMs, restart));
    }
  }

  /** Everybody is up and honest from now on; after some time everything works again. */
  async #heal(): Promise<void> {
    const { net, map } = this;
    for (const cancel of this.#restarts) cancel();
    net.areLinesBad = false;
    map.isBad = false;
    for (const node of net.nodes) {
      const isLiar = node.misdeeds !== HONEST;
      node.misdeeds = HONEST;
      if (isLiar) net.stop(node);
      if (!node.isUp) net.start(node);
    }
    await net.clock.runUntil(net.clock.now() + 1.2 * HOUR_MS);
    for (const node of net.nodes) net.publish(node);
    const { skewMs, descriptorMs } = this.plan;
    const [client] = this.clients;
    // Clocks that are too far apart for keys, or for descriptors, to meet are no defect.
    if (client === undefined || skewMs > HOUR_MS || descriptorMs < 2 * HOUR_MS) return;
    const carried = client.openCarrier(this.#streams++, { window: 1, paths: 1, spares: 0 });
    let isDone: boolean | undefined;
    for (let tries = 0; tries < 4 && isDone === undefined; tries++) {
      const { signal } = new AbortController();
      const address = new SeededRandom(1_000 * carried.number + tries).bytes(32);
      isDone = await net.clock.runPromise(client.put(carried, address, signal));
    }
    if (isDone === undefined) this.faults.add("nothing works when all is well again");
  }

  async #end(): Promise<void> {
    const { net } = this;
    for (const client of this.all) void client.close();
    await net.clock.runUntil(net.clock.now() + 1);
    for (const client of this.all) {
      for (const { carrier } of client.carriers) {
        const { writes, reads } = carrier.circuits;
        if (writes.length + reads.length > 0) this.faults.add("a closed carrier has circuits");
      }
    }
    // Relays keep circuits for fifteen minutes, if nobody tells them.
    await net.clock.runUntil(net.clock.now() + 1_000_000);
    const open = this.all.reduce((sum, client) => sum + client.open, 0);
    if (open > 0) this.faults.add(`${open} operations are open in the end`);
    const circuits = net.nodes.map(({ service }) => service?.circuits ?? 0);
    if (circuits.some((count) => count > 0)) this.faults.add(`circuits are left: ${circuits}`);
    if (this.map.open > 0) this.faults.add(`exits still ask for ${this.map.open}`);
    for (const node of net.nodes) net.stop(node);
    await net.clock.runUntil(net.clock.now() + 120_000);
    if (net.clock.pending > 0) this.faults.add(`${net.clock.pending} timers are left`);
    this.#judgeBudgets();
  }

  #judgeBudgets(): void {
    for (const client of this.all) {
      for (const { options, number } of client.carriers) this.#judgeBudget(options, number);
    }
  }

  #judgeBudget(options: Parameters<typeof budgetOf>[0], stream: number): void {
    const { budgetMs = HOUR_MS } = options;
    for (const [key, shown] of this.map.shown) {
      if (!key.startsWith(`${stream} `)) continue;
      // Requests wait for credit, and for slow lines: what an exit sees later than it was sent.
      for (const { at } of shown) {
        const within = shown.filter((one) => one.at >= at && one.at < at + budgetMs - 60_000);
        const count = new Set(within.map(({ address }) => address)).size;
        if (count > budgetOf(options)) this.faults.add(`an exit sees ${count} frames`);
      }
    }
  }
}
