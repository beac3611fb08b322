// Calls of all five kinds between two nodes, one of them in return, and one that is given up.
import { once } from "node:events";
import { type NodeAddress, type NodeId, NodeIdentity } from "culvert/identity";
import { openLinkHost } from "culvert/link";
import { linkDialler } from "culvert/node";
import {
  cborMessage,
  clientStream,
  duplex,
  type Handlers,
  NOTHING,
  PeerLinks,
  RpcNode,
  raw,
  Service,
  serverStream,
  TEXT,
  unary,
} from "culvert/rpc";

interface Sum {
  readonly of: number;
  readonly total: number;
}

// What comes is a stranger's: a function, or a schema of whatever library, says what it has to be.
const count = cborMessage((value) => {
  if (typeof value !== "number") throw new TypeError("no number");
  return value;
});
const sum = cborMessage((value): Sum => {
  const { of, total } = value as Partial<Sum>;
  if (typeof of !== "number" || typeof total !== "number") throw new TypeError("no sum");
  return { of, total };
});

const manifest = {
  greet: unary({ request: TEXT, reply: TEXT }),
  inReturn: unary({ request: NOTHING, reply: TEXT }),
  countUp: serverStream({ request: count, down: count }),
  add: clientStream({ up: count, reply: sum }),
  shout: duplex({ up: TEXT, down: TEXT }),
  tunnel: raw({ request: TEXT }),
};

/** A node that serves all of this, and calls those whose addresses it knows or who are linked. */
async function startNode(name: string, addresses: readonly NodeAddress[] = []) {
  const identity = new NodeIdentity(crypto.getRandomValues(new Uint8Array(32)));
  const tcp = { host: "127.0.0.1", port: 0 };
  const host = await openLinkHost({ identity, network: "example", tcp });
  const dial = (id: NodeId) => host.dial({ id, addresses });
  const links = new PeerLinks(linkDialler(host, dial));
  const handlers: Handlers<typeof manifest> = {
    greet: (whom) => `hello ${whom}, from ${name}`,
    inReturn: (_nothing, { peer }) => node.caller(manifest, peer).greet(name),
    async *countUp(from, { signal }) {
      for (let at = from; !signal.aborted; at++) yield at;
    },
    async add(items) {
      let [of, total] = [0, 0];
      for await (const item of items) [of, total] = [of + 1, total + item];
      return { of, total };
    },
    async *shout(items) {
      for await (const item of items) yield item.toUpperCase();
    },
    async tunnel(_where, accept) {
      const stream = await accept(); // a Node Duplex: of this handler until it returns
      stream.pipe(stream);
      await once(stream, "close");
    },
  };
  const service = Service.of(manifest, handlers);
  const node = new RpcNode({ carrier: links, streams: links, service });
  const close = async (): Promise<void> => {
    await node.close();
    await host.close({ graceful: true });
  };
  return { host, node, close };
}

const server = await startNode("the server");
const client = await startNode("the client", server.host.addresses);
const peer = client.node.caller(manifest, server.host.id);

console.log(await peer.greet("Ada")); // survives loss, and runs once
console.log(await peer.inReturn());
for await (const at of peer.countUp(7)) {
  console.log(at);
  if (at === 9) break; // which gives the call up: the handler's signal is aborted
}
console.log(await peer.add([1, 2, 3]));
for await (const loud of peer.shout(["a", "b"])) console.log(loud);

const stream = await peer.tunnel("nowhere");
stream.end("through the tunnel\n");
for await (const chunk of stream) process.stdout.write(chunk);

const inTime = AbortSignal.timeout(50);
const late = peer.add(forever(), { signal: inTime, totalMs: 60_000 });
await late.catch((error) => console.log(error.name));

await client.close();
await server.close();

async function* forever(): AsyncGenerator<number> {
  for (;;) yield await new Promise<number>((resolve) => setTimeout(resolve, 5, 1));
}
