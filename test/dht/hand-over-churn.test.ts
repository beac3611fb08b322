import { expect, it } from "vitest";
import { SeededRandom } from "../../src/base/index.ts";
import { type Contact, HandOverCore, type HandOverEffect, keyOf } from "../../src/dht/index.ts";
import { compareDistance, type KeyText } from "../../src/dht/wire/key.ts";
import { publicHost } from "../../src/testing/swarm/swarm.ts";
import { effectsOf } from "../effects-of.ts";
import { contactAt } from "./nodes.ts";

const REPLICAS = 5;
const TTL = { ttlSeconds: 604_800 };
const MINUTE = 60_000;

/** A node, there or away, with what it keeps. */
interface Keeper {
  readonly contact: Contact;
  readonly core: HandOverCore;
  readonly kept: Set<KeyText>;
  /** How often something was offered to whom. */
  readonly offered: Map<KeyText, number>;
}

/** A network in which everybody knows at once who is there, and what is sent gets there at once. */
class Neighbours {
  readonly random: SeededRandom;
  readonly there = new Set<Keeper>();
  readonly addresses: readonly Uint8Array[];
  /** How much of what it keeps a node has given to another one at most. */
  copiesMost = 0;
  readonly #nodes: number;
  now = 0;

  constructor(options: { seed: number; nodes: number; records: number }) {
    this.random = new SeededRandom(options.seed);
    this.#nodes = options.nodes;
    for (let i = 0; i < options.nodes; i++) this.join();
    this.addresses = Array.from({ length: options.records }, () => this.random.bytes(32));
    for (const address of this.addresses) {
      for (const keeper of this.closest(address)) this.keep(keeper, address);
    }
  }

  join(): Keeper {
    const { random } = this;
    const contact = contactAt(random.bytes(32), publicHost(random.below(1_000_000)));
    const core = new HandOverCore({
      id: contact.id,
      random,
      neighbourhood: {
        nodesEstimated: this.#nodes,
        closestKnown: (address, count, isWanted = () => true) => {
          return this.closest(address, this.there.size)
            .map((keeper) => keeper.contact)
            .filter((other) => other.key !== contact.key && isWanted(other))
            .slice(0, count);
        },
        isDemoted: () => false,
      },
    });
    const keeper = { contact, core, kept: new Set<KeyText>(), offered: new Map<KeyText, number>() };
    this.there.add(keeper);
    return keeper;
  }

  leave(): Keeper {
    const keeper = [...this.there][this.random.below(this.there.size)] as Keeper;
    this.there.delete(keeper);
    return keeper;
  }

  closest(address: Uint8Array, count = REPLICAS): Keeper[] {
    const key = keyOf(address);
    return [...this.there]
      .sort((a, b) => compareDistance(key, a.contact.key, b.contact.key))
      .slice(0, count);
  }

  keep({ core, kept }: Keeper, address: Uint8Array): void {
    kept.add(keyOf(address));
    core.handle({ kind: "kept", address, ...TTL }, this.now);
  }

  pass(ms: number): void {
    for (const until = this.now + ms; this.now < until; this.now += 1_000) {
      for (const keeper of this.there) {
        while (keeper.core.deadline() <= this.now) keeper.core.timeout(this.now);
        this.#serve(keeper);
      }
    }
  }

  /** How many of the copies are where they are looked for. */
  share(): number {
    const copies = this.addresses.flatMap((address) => {
      return this.closest(address).map(({ kept }) => kept.has(keyOf(address)));
    });
    return copies.filter(Boolean).length / copies.length;
  }

  #serve(keeper: Keeper): void {
    const { core } = keeper;
    for (const effect of effectsOf(core)) {
      if (effect.kind === "offer") this.#offer(keeper, effect);
    }
  }

  #offer({ core, offered }: Keeper, effect: HandOverEffect & { readonly kind: "offer" }): void {
    const { offer, address, to } = effect;
    const count = (offered.get(to.key) ?? 0) + 1;
    offered.set(to.key, count);
    this.copiesMost = Math.max(this.copiesMost, count / core.counts.watched);
    const target = [...this.there].find(({ contact }) => contact === to);
    if (target !== undefined) this.keep(target, address);
    const answer =
      target === undefined
        ? ({ kind: "failed", code: "CULVERT_UNREACHABLE" } as const)
        : ({ kind: "taken" } as const);
    core.handle({ kind: "answer", offer, answer }, this.now);
  }
}

it("leaves every record where it is looked for, while nodes leave for good and for a while", () => {
  const network = new Neighbours({ seed: 1, nodes: 40, records: 200 });
  const away: { keeper: Keeper; until: number }[] = [];
  let least = 1;
  for (let minute = 0; minute < 60; minute++) {
    network.leave();
    network.join();
    for (let i = 0; i < 3; i++) {
      away.push({ keeper: network.leave(), until: network.now + network.random.below(4) * MINUTE });
    }
    for (const { keeper, until } of away) if (until === network.now) network.there.add(keeper);
    network.pass(MINUTE);
    least = Math.min(least, network.share());
  }
  expect(least).toBeGreaterThan(0.95);
  network.pass(3 * MINUTE);
  expect(network.share()).toBe(1);
  // What one may have in an hour is more than that, so nobody had to wait.
  expect(network.copiesMost).toBeLessThan(4 + 4);
});
