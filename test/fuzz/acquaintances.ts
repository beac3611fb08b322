import type { DhtInput } from "../../src/dht/index.ts";
import type { SwarmNode } from "../../src/testing/swarm/swarm.ts";

/** Who was ever told of whom: to begin with, in an answer, or by being asked. */
export class Acquaintances {
  readonly #known = new Map<SwarmNode, Set<string>>();

  observe(node: SwarmNode, input: DhtInput): void {
    if (input.kind === "start") this.#note(node, input.bootstrap);
    if (input.kind === "request" && input.asker.contact) this.#note(node, [input.asker.contact]);
    if (input.kind === "response" && input.response.kind === "nodes") {
      this.#note(node, input.response.contacts);
    }
  }

  /** These nodes by who may find each other: of whom one was told of another, directly or not. */
  among(nodes: readonly SwarmNode[]): readonly (readonly SwarmNode[])[] {
    const left = new Set(nodes);
    const groups: SwarmNode[][] = [];
    for (const first of nodes) {
      if (!left.delete(first)) continue;
      const group = [first];
      for (const node of group) {
        for (const other of left) {
          if (!this.#isTold(node, other) && !this.#isTold(other, node)) continue;
          left.delete(other);
          group.push(other);
        }
      }
      groups.push(group);
    }
    return groups;
  }

  #isTold(node: SwarmNode, of: SwarmNode): boolean {
    return this.#known.get(node)?.has(of.contact.key) === true;
  }

  #note(node: SwarmNode, contacts: readonly { readonly key: string }[]): void {
    const known = this.#known.get(node) ?? new Set();
    this.#known.set(node, known);
    for (const { key } of contacts) known.add(key);
  }
}
