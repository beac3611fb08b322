import type { Culvert, Launch, Machine } from "./culvert.ts";

/** A node of the network as a process, and all that it takes to start it again. */
export interface NodeProcess {
  readonly name: string;
  readonly running: Culvert;
  /** How others name it, one for each port. */
  readonly contacts: readonly string[];
}

/** How the nodes of a network are started. */
export interface NetworkOptions {
  readonly count: number;
  /** The address of all nodes, on the loopback; or that of each. */
  readonly host?: string;
  readonly hostOf?: (at: number) => string;
  /** Words for `culvert node`, after those of the network. */
  readonly words?: readonly string[];
  /** How each node is started, and with which words besides; as a user would if absent. */
  readonly each?: (at: number) => Launch & { readonly words?: readonly string[] };
  /** What the folders are called, when there are two networks on a machine. */
  readonly name?: string;
}

const CONTACTS = /others use --nodes (\S+)/;

/** A network of `culvert node` processes on one machine, each with a folder of its own. */
export class NetworkOfProcesses {
  readonly nodes: NodeProcess[] = [];
  readonly #machine: Machine;
  readonly #options: NetworkOptions;

  private constructor(machine: Machine, options: NetworkOptions) {
    this.#machine = machine;
    this.#options = options;
  }

  /** Starts all nodes; the others join by the first. The machine ends them. */
  static async start(machine: Machine, options: NetworkOptions): Promise<NetworkOfProcesses> {
    const network = new NetworkOfProcesses(machine, options);
    const { count, host = "127.0.0.1", hostOf = () => host } = options;
    const start = (at: number): Promise<NodeProcess> =>
      network.#startNode(at, `udp://${hostOf(at)}:0,tcp://${hostOf(at)}:0`);
    network.nodes.push(await start(0));
    const others = Array.from({ length: count - 1 }, (_, i) => i + 1);
    const started = others.map(start);
    network.nodes.push(...(await Promise.all(started)));
    return network;
  }

  /** What `--nodes` takes: the first two nodes. */
  get names(): string {
    return this.nodes.slice(0, 2).map(nameOf).join(",");
  }

  /** Kills a node, which is not started again. */
  async kill(at: number): Promise<void> {
    const { running } = this.#nodeAt(at);
    running.process.kill("SIGKILL");
    await running.ended;
  }

  /**
   * Ends a node, and starts it again from its folder, at its own address.
   *
   * @param meanwhile what happens to its folder, which has the node's name
   */
  async restart(
    at: number,
    signal: NodeJS.Signals,
    meanwhile?: (name: string) => Promise<void>,
  ): Promise<NodeProcess> {
    const { name, contacts, running } = this.#nodeAt(at);
    running.process.kill(signal);
    await running.ended;
    await meanwhile?.(name);
    const listen = contacts.map((contact) => contact.replace(/^.*@/, "")).join(",");
    const again = await this.#startNode(at, listen);
    this.nodes[at] = again;
    return again;
  }

  /** Ends all nodes before any of them is started again. */
  async restartAll(signal: NodeJS.Signals): Promise<void> {
    for (const { running } of this.nodes) running.process.kill(signal);
    await Promise.all(this.nodes.map(({ running }) => running.ended));
    for (const at of this.nodes.keys()) await this.restart(at, signal);
  }

  async #startNode(at: number, listen: string): Promise<NodeProcess> {
    const { each, words = [], name: series = "node" } = this.#options;
    const name = `${series}${at}`;
    const others = this.nodes.filter((node) => node.name !== name);
    const bootstrap = others.slice(0, 2).map(nameOf);
    const { words: own = [], ...launch } = each?.(at) ?? {};
    const join = bootstrap.length > 0 ? ["--join", bootstrap.join(",")] : [];
    const where = ["node", "--listen", listen, "--store", name];
    const running = this.#machine.start([...where, ...words, ...own, ...join], launch);
    const [, contacts = ""] = await running.says(CONTACTS);
    await running.says(/joined a network|alone so far/);
    return { name, running, contacts: contacts.split(",") };
  }

  #nodeAt(at: number): NodeProcess {
    const node = this.nodes[at];
    if (node === undefined) throw new RangeError(`there is no node ${at}`);
    return node;
  }
}

function nameOf({ contacts }: NodeProcess): string {
  return contacts[0] ?? "";
}
