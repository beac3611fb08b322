import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { generateSecret, Stream } from "culvert";
import { parseNodeContact } from "culvert/identity";
import {
  type ClientOptions,
  type NetworkClient,
  NODE_DEFAULTS,
  openClient,
  type RunningNode,
  startNode,
} from "culvert/node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { SeededRandom } from "../../src/base/index.ts";

/** Enough for three relays and an exit that is none of them, twice. */
const NODES = 6;

const LOOPBACK = [
  { carrier: "udp", host: "127.0.0.1", port: 0 },
  { carrier: "tcp", host: "127.0.0.1", port: 0 },
] as const;

/** A network of real nodes on real sockets, in this process. */
class Network {
  readonly nodes: RunningNode[] = [];

  async start(): Promise<void> {
    for (let i = 0; i < NODES; i++) this.nodes.push(await this.startOne());
  }

  async startOne(directory?: string): Promise<RunningNode> {
    const bootstrap = this.nodes.slice(0, 1).map((node) => parseNodeContact(contactOf(node)));
    const node = await startNode({ ...NODE_DEFAULTS, listen: LOOPBACK, bootstrap, directory });
    await node.joined;
    return node;
  }

  async client(via: ClientOptions["via"]): Promise<NetworkClient> {
    const bootstrap = this.nodes.slice(0, 2).map((node) => parseNodeContact(contactOf(node)));
    return await openClient({ bootstrap, via });
  }

  async stop(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.close()));
  }
}

function contactOf({ contacts }: RunningNode): string {
  return contacts[0] ?? "";
}

async function readAll(stream: Stream): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}

describe("a network of nodes", () => {
  const network = new Network();
  beforeAll(() => network.start(), 60_000);
  afterAll(() => network.stop(), 60_000);

  for (const via of ["direct", "onion"] as const) {
    it(`carries a stream to one who comes when the sender has left, via ${via}`, async () => {
      const secret = generateSecret();
      const bytes = Buffer.from(new SeededRandom(1).bytes(60_000));
      const sender = await network.client(via);
      const outgoing = Stream.listen(sender.transport(), secret);
      outgoing.end(bytes);
      await outgoing.close();
      await outgoing.halt();
      await sender.close();

      const receiver = await network.client(via);
      const incoming = Stream.dial(receiver.transport(), secret);
      incoming.end();
      expect((await readAll(incoming)).equals(bytes)).toBe(true);
      await incoming.halt();
      await receiver.close();
    });
  }

  it("carries http through circuits", async () => {
    const secret = generateSecret();
    const [near, far] = [await network.client("onion"), await network.client("onion")];
    const server = createServer((asked, answer) => answer.end(`you asked for ${asked.url}`));
    const service = Stream.listen(near.transport(), secret);
    server.emit("connection", service);
    const dialled = Stream.dial(far.transport(), secret);
    const asking = request({ path: "/tea", createConnection: () => dialled });
    asking.end();
    const [answer] = await once(asking, "response");
    let body = "";
    for await (const chunk of answer) body += chunk;
    expect(body).toBe("you asked for /tea");
    await Promise.all([service.halt(), dialled.halt()]);
    await Promise.all([near.close(), far.close()]);
  });

  it("keeps what a node has confirmed when that is started again from its folder", async () => {
    const directory = await mkdtemp(join(tmpdir(), "culvert-node-"));
    try {
      const first = await network.startOne(directory);
      const { name } = first;
      await first.close();
      const again = await network.startOne(directory);
      expect(again.name).toBe(name);
      expect(await again.joined).toBeGreaterThan(0);
      await again.close();
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  });

  it("cannot be joined by another node's name", async () => {
    const liar = contactOf(network.nodes[0] as RunningNode).replace(/^../, "00");
    const joining = openClient({ bootstrap: [parseNodeContact(liar)], via: "direct" });
    await expect(joining).rejects.toMatchObject({ code: "CULVERT_WRONG_PEER" });
  });
});
