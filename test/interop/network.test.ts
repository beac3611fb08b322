import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { generateSecret, Stream } from "culvert";
import { parseNodeContact } from "culvert/identity";
import { openClient, type RunningNode } from "culvert/node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { SeededRandom } from "../../src/base/index.ts";
import { contactOf, InProcessNetwork } from "./in-process-network.ts";

/** Enough for three relays and an exit that is none of them, twice. */
const NODES = 6;

async function readAll(stream: Stream): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}

describe("a network of nodes", () => {
  const network = new InProcessNetwork();
  beforeAll(() => network.start(NODES), 60_000);
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
      const keptMs = incoming.progress().peerExpiresAt - performance.now();
      expect(keptMs).toBeGreaterThan(3_600_000);
      expect(keptMs).toBeLessThanOrEqual(7 * 24 * 3_600_000);
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
      const first = await network.add({ directory });
      const { name } = first;
      await first.close();
      const again = await network.add({ directory });
      expect(again.name).toBe(name);
      expect(await again.joined).toBeGreaterThan(0);
      await again.close();
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  });

  it("is joined by nodes of both families, over UDP", async () => {
    const both = new InProcessNetwork();
    const here = await both.add();
    const listen = [{ carrier: "udp", host: "::1", port: 0 }] as const;
    const there = await both.add({ listen, bootstrap: [] });
    const bootstrap = [here, there].map((node) => parseNodeContact(contactOf(node)));
    const client = await openClient({ bootstrap, via: "direct" });
    try {
      expect(client.nodesKnown).toBe(2);
    } finally {
      await client.close();
      await both.stop();
    }
  });

  it("cannot be joined by another node's name", async () => {
    const liar = contactOf(network.nodes[0] as RunningNode).replace(/^../, (byte) =>
      byte === "00" ? "01" : "00",
    );
    const joining = openClient({ bootstrap: [parseNodeContact(liar)], via: "direct" });
    await expect(joining).rejects.toMatchObject({ code: "CULVERT_WRONG_PEER" });
  });
});
