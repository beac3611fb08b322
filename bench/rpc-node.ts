/** What both processes of `bench/rpc.ts` are made of: a node with calls, and echoes without. */
import { Directory, NodeDescriptor, NodeIdentity } from "../src/identity/index.ts";
import { systemClock } from "../src/io/clock.ts";
import { type LinkHost, openLinkHost } from "../src/link/index.ts";
import { linkDialler, NodeLinks } from "../src/node/index.ts";
import {
  BYTES,
  type ByteDuplex,
  PeerLinks,
  RpcNode,
  Service,
  serverStream,
  TEXT,
  unary,
} from "../src/rpc/index.ts";

export const LOOPBACK = { host: "127.0.0.1", port: 0 };
export const BODY: Uint8Array = Uint8Array.from({ length: 64 }, (_, at) => at);

export const manifest = {
  echo: unary({ request: BYTES, reply: BYTES }),
  count: serverStream({ request: TEXT, down: BYTES }),
};

/** What the other process says once it is there. */
export interface RpcPeer {
  /** Base64 of its descriptor. */
  readonly descriptor: string;
  /** Where a bare socket echoes. */
  readonly socketPort: number;
  /** Where node:http2 over TLS answers a request with the request's body. */
  readonly http2Port: number;
}

export function echoBack(stream: ByteDuplex): void {
  stream.on("data", (chunk) => void stream.write(chunk.slice()));
  stream.on("error", () => {});
  stream.resume();
}

/** A node that finds others in `directory`, and the descriptor by which they find it. */
export async function openRpcNode(
  seed: number,
  directory: Directory = new Directory({ unixMs: systemClock.unixMs }),
): Promise<{ host: LinkHost; rpc: RpcNode; descriptor: NodeDescriptor }> {
  const identity = new NodeIdentity(new Uint8Array(32).fill(seed));
  const host = await openLinkHost({ identity, network: "bench", tcp: LOOPBACK });
  const descriptor = NodeDescriptor.sign(identity, {
    ...{ sequence: 1, expiresAtUnixS: Math.floor(systemClock.unixMs() / 1_000) + 3_600 },
    ...{ roles: [], relays: [], onionKeys: [], addresses: host.addresses },
    geometry: { cellBytes: 1, onionBytes: 1, onionHopsMax: 1 },
  });
  const ways = new NodeLinks(host, {
    known: () => undefined,
    lookup: directory,
    dial: (target) => host.dial(target),
  });
  const links = new PeerLinks(linkDialler(host, (id) => ways.to(id)));
  const service = Service.of(manifest, {
    echo: (bytes) => bytes,
    async *count(text) {
      for (let i = 0; i < Number(text); i++) yield BODY;
    },
  });
  return { host, rpc: new RpcNode({ carrier: links, streams: links, service }), descriptor };
}
