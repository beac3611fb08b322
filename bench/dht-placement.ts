/** Records of the Map on a swarm, for `dht-sim`: placement over the DHT cores of its nodes. */
import { toHex } from "../src/base/index.ts";
import {
  type Contact,
  keyOf,
  type NodeAnswer,
  PlacementCore,
  type PlacementEffect,
  type PlacementInput,
  type PlacementOutcome,
} from "../src/dht/index.ts";
import type { Swarm, SwarmNode } from "../src/testing/index.ts";

/** What honest nodes keep; a hostile one takes everything, and has nothing. */
export class PlacedRecords {
  readonly #swarm: Swarm;
  readonly #kept = new Map<SwarmNode, Set<string>>();

  constructor(swarm: Swarm) {
    this.#swarm = swarm;
  }

  /** Whether a put by this node was confirmed. */
  put(by: SwarmNode, address: Uint8Array): boolean {
    return this.#run(by, { kind: "put", operation: 1, address })?.kind === "stored";
  }

  /** Whether this node is given the record. */
  get(by: SwarmNode, address: Uint8Array): boolean {
    const input = { kind: "get", operation: 1, address, waitMs: 0 } as const;
    return this.#run(by, input)?.kind === "found";
  }

  /** How many honest nodes have it. */
  copies(address: Uint8Array): number {
    return [...this.#kept.values()].filter((kept) => kept.has(toHex(address))).length;
  }

  #run(
    by: SwarmNode,
    input: PlacementInput & { readonly address: Uint8Array },
  ): PlacementOutcome | undefined {
    const { core: dht } = by;
    const core = new PlacementCore({
      neighbourhood: {
        get knowsAll() {
          return dht.knowsAll;
        },
        get nodesEstimated() {
          return dht.statistics.nodesEstimated;
        },
        closestKnown: (address, count, isWanted) => dht.closestKnown(address, count, isWanted),
        isDemoted: () => false,
      },
      random: this.#swarm.random.fork(1),
    });
    core.handle(input, this.#swarm.now);
    let outcome: PlacementOutcome | undefined;
    for (let effect = core.poll(); effect !== undefined; effect = core.poll()) {
      if (effect.kind === "done") outcome ??= effect.outcome;
      const answer = this.#perform(effect, by, input.address);
      if (answer !== undefined) core.handle(answer, this.#swarm.now);
    }
    return outcome;
  }

  #perform(
    effect: PlacementEffect,
    by: SwarmNode,
    address: Uint8Array,
  ): PlacementInput | undefined {
    if (effect.kind === "find") {
      const { result } = this.#swarm.run(by, (operation) => {
        return { kind: "find", operation, target: address, count: 20 };
      });
      const nodes = result?.kind === "nodes" ? result.contacts : [];
      return { kind: "closest", operation: effect.operation, nodes };
    }
    if (effect.kind !== "put-at" && effect.kind !== "get-from") return undefined;
    const answer = this.#ask(effect.node, effect.kind === "put-at", address);
    return { kind: "answer", request: effect.request, answer };
  }

  #ask(contact: Contact, isPut: boolean, address: Uint8Array): NodeAnswer {
    const node = this.#swarm.nodes.find(({ id }) => keyOf(id) === contact.key);
    if (node?.isAlive !== true) return { kind: "failed", code: "CULVERT_UNREACHABLE" };
    const kept = this.#kept.get(node) ?? new Set();
    this.#kept.set(node, kept);
    if (isPut && node.behaviour === undefined) kept.add(toHex(address));
    if (isPut) return { kind: "stored", ttlSeconds: 3_600 };
    const isThere = kept.has(toHex(address));
    return isThere ? { kind: "found" } : { kind: "failed", code: "CULVERT_NOT_FOUND" };
  }
}
