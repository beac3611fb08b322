import { parseNodeContact } from "culvert/identity";
import {
  type ClientOptions,
  type NetworkClient,
  NODE_DEFAULTS,
  type NodeConfig,
  type NodeOptions,
  openClient,
  type RunningNode,
  startNode,
} from "culvert/node";
import { eventually } from "./eventually.ts";

/** Free ports of both carriers. */
export const LOOPBACK = [
  { carrier: "udp", host: "127.0.0.1", port: 0 },
  { carrier: "tcp", host: "127.0.0.1", port: 0 },
] as const;

/** A network of real nodes on real sockets, in this process. */
export class InProcessNetwork {
  readonly nodes: RunningNode[] = [];
  readonly #config: Partial<NodeConfig>;
  readonly #options: NodeOptions;

  constructor(config: Partial<NodeConfig> = {}, options: NodeOptions = {}) {
    this.#config = config;
    this.#options = options;
  }

  /** Starts so many nodes, one after the other, each joining by the first. */
  async start(count: number): Promise<this> {
    for (let i = 0; i < count; i++) await this.add();
    return this;
  }

  async add(config: Partial<NodeConfig> = {}): Promise<RunningNode> {
    const bootstrap = this.nodes.slice(0, 1).map((node) => parseNodeContact(contactOf(node)));
    const whole = { ...NODE_DEFAULTS, listen: LOOPBACK, bootstrap, ...this.#config, ...config };
    const node = await startNode(whole, this.#options);
    this.nodes.push(node);
    await node.joined;
    return node;
  }

  /** A client that joins by one node, the first unless another one is named. */
  async client(
    via: ClientOptions["via"],
    by: RunningNode | undefined = this.nodes[0],
  ): Promise<NetworkClient> {
    const bootstrap = by === undefined ? [] : [parseNodeContact(contactOf(by))];
    return await openClient({ bootstrap, via });
  }

  async stop(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.close()));
  }
}

/** How a node is named by those who join by it. */
export function contactOf({ contacts }: RunningNode): string {
  return contacts[0] ?? "";
}

/** Waits for what has no event to wait for. */
export async function until(isSo: () => boolean, ms = 20_000): Promise<void> {
  await eventually(() => isSo() || undefined, ms);
}
