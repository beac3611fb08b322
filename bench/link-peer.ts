/**
 * The other process of `bench/link.ts` and `bench/link-loss.ts`: takes what is sent to it, and
 * echoes what it should.
 */
import { createSecureServer } from "node:http2";
import { createServer } from "node:net";
import UDX from "udx-native";
import { type NodeAddress, NodeIdentity } from "../src/identity/index.ts";
import { RecordBuffer } from "../src/link/channel/record-buffer.ts";
import { RecordOpener } from "../src/link/channel/record-cipher.ts";
import { openLinkHost } from "../src/link/index.ts";
import { selfSigned } from "../test/interop/certificate.ts";

/** Where it can be reached: what it says first. */
export interface LinkPeer {
  readonly addresses: readonly NodeAddress[];
  readonly http2Port: number;
  readonly tcpPort: number;
  readonly sealedPort: number;
  readonly udxPort: number;
}

/** What it has at the moment, for who asks. */
export interface Holdings {
  readonly rss: number;
  readonly links: number;
  readonly streams: number;
}

const AT = { host: "127.0.0.1", port: 0 };
/** What the baselines with sealed records use. */
const SEAL_KEY = new Uint8Array(32).fill(3);
const limits = {
  linksMax: 2_048,
  linksPerAddressMax: 2_048,
  idleLinksKept: 2_048,
  handshakesPerSecond: 1e6,
  handshakesBurst: 1e6,
};
const identity = new NodeIdentity(new Uint8Array(32).fill(2));
const host = await openLinkHost({ identity, network: "bench", udp: AT, tcp: AT, limits });
host.handle("sink", (stream) => {
  stream.on("error", () => {});
  stream.resume();
  stream.on("end", () => stream.end());
});
host.handle("echo", (stream) => {
  stream.on("error", () => {});
  stream.pipe(stream);
});

const { cert, key } = selfSigned("localhost");
const http2 = createSecureServer({ cert, key, settings: { initialWindowSize: 4 * 2 ** 20 } });
http2.on("session", (session) => session.setLocalWindowSize(16 * 2 ** 20));
http2.on("stream", (stream) => {
  stream.resume();
  stream.on("end", () => {
    stream.respond({ ":status": 200 });
    stream.end();
  });
});
const sealed = createServer({ allowHalfOpen: true }, (socket) => {
  socket.on("data", opened());
  socket.on("end", () => socket.end());
});
const tcp = createServer({ allowHalfOpen: true }, (socket) => {
  socket.resume();
  socket.on("end", () => socket.end());
});

const udx = new UDX();
const udxSocket = udx.createSocket();
udxSocket.bind(0, AT.host);
const portOf = (server: { address(): unknown }): number => {
  const address = server.address();
  return typeof address === "object" && address !== null && "port" in address
    ? Number(address.port)
    : 0;
};
await new Promise<void>((resolve) => http2.listen(0, AT.host, resolve));
await new Promise<void>((resolve) => tcp.listen(0, AT.host, resolve));
await new Promise<void>((resolve) => sealed.listen(0, AT.host, resolve));

/** Opens records as they come, and nothing else: the least that a link could do. */
function opened(): (bytes: Uint8Array) => void {
  const records = new RecordBuffer(65_535);
  const opener = new RecordOpener(SEAL_KEY);
  return (bytes) => {
    records.push(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length));
    for (let box = records.take(); box !== undefined; box = records.take()) {
      if (opener.open(box) === undefined) throw new Error("a record is not whole");
    }
  };
}

interface Wish {
  /** A raw udx stream to this port. Both ends give it the same id. */
  readonly udxPort?: number;
  readonly udxId?: number;
  readonly isEchoed?: boolean;
  /** Sealed records come over it, which are opened. */
  readonly isSealed?: boolean;
  readonly ask?: "memory";
}

process.on("message", (message: Wish) => {
  if (message.ask === "memory") {
    globalThis.gc?.();
    const { rss } = process.memoryUsage();
    const links = host.links();
    const streams = links.reduce((sum, link) => sum + link.streamCount, 0);
    const held: Holdings = { rss, links: links.length, streams };
    process.send?.(held);
    return;
  }
  const { udxId = 0, udxPort = 0 } = message;
  const stream = udx.createStream(udxId);
  stream.connect(udxSocket, udxId, udxPort, AT.host);
  stream.on("error", () => {});
  const open = opened();
  stream.on("data", (bytes: Uint8Array) => {
    if (message.isEchoed === true) stream.write(bytes);
    if (message.isSealed === true) open(bytes);
  });
  stream.on("end", () => stream.end());
});
process.on("disconnect", () => process.exit(0));
const ready: LinkPeer = {
  addresses: host.addresses,
  http2Port: portOf(http2),
  tcpPort: portOf(tcp),
  sealedPort: portOf(sealed),
  udxPort: portOf(udxSocket),
};
process.send?.(ready);
