import { type Clock, CulvertError, SeededRandom } from "../../src/base/index.ts";
import { Contact, DhtNode, dhtNetworkOver } from "../../src/dht/index.ts";
import { NodeDescriptor, NodeIdentity, nodeIdText } from "../../src/identity/index.ts";
import { VirtualClock } from "../../src/testing/index.ts";

/** A node of a street. */
export interface Host {
  readonly identity: NodeIdentity;
  readonly contact: Contact;
  readonly node: DhtNode;
}

/** Nodes in one process that carry bytes to each other, on a virtual clock. */
export class Street {
  readonly clock = new VirtualClock();
  readonly hosts = new Map<string, Host>();
  readonly #random = new SeededRandom(4);
  /** Nodes that say nothing any more. */
  readonly mute = new Set<string>();
  /** Nodes that cannot be asked, by a limit of theirs or of whoever asks. */
  readonly busy = new Set<string>();

  /** @param clock of the node, if it is not that of all others */
  add(clock: Clock = this.clock): Host {
    const identity = new NodeIdentity(this.#random.bytes(32));
    const port = 7_000 + this.hosts.size;
    const address = { carrier: "udp", host: "127.0.0.1", port } as const;
    const contact = Contact.of(identity.id, { addresses: [address] });
    const network = dhtNetworkOver(
      async (to, message, { signal }) => {
        await this.#pause(5, signal);
        const asked = this.hosts.get(nodeIdText(to.id));
        if (asked === undefined) throw new Error("nobody is there");
        if (this.busy.has(nodeIdText(to.id))) throw new CulvertError("CULVERT_BUSY");
        if (this.mute.has(nodeIdText(to.id))) return await this.#pause(Infinity, signal);
        const from = { id: identity.id, source: "127.0.0.0/24", isAddressProven: true };
        const answer = asked.node.serve(message, from);
        await this.#pause(5, signal);
        return answer;
      },
      () => contact,
    );
    const components = { network, clock, random: this.#random };
    const node = new DhtNode(components, { id: identity.id, takesPrivate: () => true });
    const host = { identity, contact, node };
    this.hosts.set(nodeIdText(identity.id), host);
    return host;
  }

  /** So many nodes that know each other. */
  async populate(count: number): Promise<Host[]> {
    const hosts: Host[] = [];
    for (let i = 0; i < count; i++) {
      const host = this.add();
      const bootstrap = hosts.slice(0, 1).map(({ contact }) => contact);
      await this.clock.runPromise(host.node.start(bootstrap));
      hosts.push(host);
    }
    await this.clock.runUntil(this.clock.now() + 20_000);
    return hosts;
  }

  descriptor({ identity }: Host, sequence: number, lifeSeconds = 7_200): NodeDescriptor {
    return NodeDescriptor.sign(identity, {
      sequence,
      expiresAtUnixS: Math.floor(this.clock.unixMs() / 1_000) + lifeSeconds,
      roles: ["storage"],
      geometry: { cellBytes: 1, onionBytes: 1, onionHopsMax: 1 },
      addresses: [],
      relays: [],
      onionKeys: [],
    });
  }

  #pause(ms: number, signal: AbortSignal): Promise<never> {
    return new Promise((resolve, reject) => {
      signal.addEventListener("abort", () => reject(new Error("aborted")));
      this.clock.schedule(this.clock.now() + ms, () => resolve(undefined as never));
    });
  }
}
