import { afterEach, expect, it } from "vitest";
import { SeededRandom, SILENT } from "../../../src/base/index.ts";
import { NodeDescriptor, NodeIdentity } from "../../../src/identity/index.ts";
import { openLinkHost } from "../../../src/link/index.ts";
import { Closers } from "../../../src/node/closers.ts";
import { joinNetwork } from "../../../src/node/dht/joining.ts";
import { Overlay } from "../../../src/node/overlay.ts";
import {
  VirtualClock,
  VirtualNetwork,
  virtualTcp,
  virtualUdp,
} from "../../../src/testing/index.ts";

const HOUR_MS = 3_600_000;
const geometry = { cellBytes: 2_048, onionBytes: 4_096, onionHopsMax: 5 };

/** Real nodes on one network. One that knows nobody tells of nobody, as a liar would. */
class Ground {
  readonly clock = new VirtualClock();
  readonly #lines = new VirtualNetwork({ clock: this.clock, seed: 1 });
  readonly #closers = new Closers();

  /** How many nodes it knows is told by what comes. */
  async start(number: number, begunWith: readonly number[] = [], delayMs = 10) {
    const { clock } = this;
    const vhost = this.#lines.addHost({ addresses: [addressOf(number).host], line: { delayMs } });
    const random = new SeededRandom(number);
    const identity = identityOf(number);
    const components = { clock, random, udp: virtualUdp(vhost), tcp: virtualTcp(vhost) };
    const at = { host: "0.0.0.0", port: addressOf(number).port };
    const host = await openLinkHost({ identity, network: "test", udp: at, tcp: at, components });
    this.#closers.add(() => host.close());
    const addresses = [addressOf(number)];
    const parts = { host, identity, clock, random };
    const overlay = new Overlay(parts, { addresses: () => addresses, isLocal: false });
    this.#closers.add(() => overlay.close());
    const expiresAtUnixS = Math.floor(clock.unixMs() / 1_000) + 86_400;
    const said = { sequence: 1, expiresAtUnixS, roles: [], relays: [], onionKeys: [] };
    overlay.publish(NodeDescriptor.sign(identity, { ...said, geometry, addresses }));
    const bootstrap = begunWith.map((other) => ({
      id: identityOf(other).id,
      address: addressOf(other),
    }));
    const config = { bootstrap, directory: undefined };
    const machine = { clock, random };
    const joining = { config, nodes: undefined, overlay, closers: this.#closers, machine };
    await clock.runPromise(joinNetwork({ ...joining, log: SILENT }), 600_000);
    return overlay;
  }

  /** Three that know nobody else. */
  async network(first: number, delayMs?: number): Promise<void> {
    await this.start(first, [], delayMs);
    for (const number of [first + 1, first + 2]) await this.start(number, [first], delayMs);
  }

  async pass(ms: number): Promise<void> {
    await this.clock.runUntil(this.clock.now() + ms);
  }

  async close(): Promise<void> {
    await this.clock.runPromise(this.#closers.run());
  }
}

let ground: Ground;
afterEach(() => ground.close());

it("who joined by a liar joins by the others that it was told of once they are there", async () => {
  ground = new Ground();
  await ground.start(1);
  const { dht } = await ground.start(2, [2, 1, 11]);
  expect(dht.contacts).toHaveLength(1);
  await ground.pass(HOUR_MS);
  await ground.network(11);
  await ground.pass(HOUR_MS + 60_000);
  expect(dht.contacts).toHaveLength(4);
});

it("who joined by a liar that is near joins by those too that answer later", async () => {
  ground = new Ground();
  await ground.start(1);
  await ground.network(11, 600);
  const { dht } = await ground.start(2, [1, 11]);
  expect(dht.contacts).toHaveLength(1);
  await ground.pass(20_000);
  expect(dht.contacts).toHaveLength(4);
});

function identityOf(number: number): NodeIdentity {
  return new NodeIdentity(new SeededRandom(1_000 + number).bytes(32));
}

function addressOf(number: number) {
  return { carrier: "udp", host: `198.51.${number}.1`, port: 7_000 } as const;
}
