/**
 * Links on loopback between two processes, each carrier against its raw baseline in the same run:
 * bulk, echoes, connections, memory, and what 10,000 streams leave behind.
 */
import { once } from "node:events";
import { connect as connectHttp2 } from "node:http2";
import { connect } from "node:net";
import UDX from "udx-native";
import { type CarrierName, NodeIdentity } from "../src/identity/index.ts";
import { RecordSealer } from "../src/link/channel/record-cipher.ts";
import { type Link, type LinkHost, type LinkStream, openLinkHost } from "../src/link/index.ts";
import { atLeast, atMost, check, median, printTable, writeResults } from "./harness.ts";
import { HelperProcess } from "./helper-process.ts";
import type { Holdings, LinkPeer } from "./link-peer.ts";
import { Echoes, type Pipe, sendBulk } from "./pipe.ts";

type Sink = Omit<Pipe, "on">;

/** As in the other process. */
const SEAL_KEY = new Uint8Array(32).fill(3);
const AT = { host: "127.0.0.1", port: 0 };
const PIECE = new Uint8Array(256 * 1_024).fill(7);
const { LINK_BULK_BYTES, LINK_ROUNDS } = process.env;
const BULK_BYTES = Number(LINK_BULK_BYTES ?? 64 * 2 ** 20);
/** Many short ones rather than a few that are long: what disturbs one disturbs its neighbours. */
const ROUNDS = Number(LINK_ROUNDS ?? 11);
const CONNECTIONS = 1_000;
const STREAMS = 10_000;
const ECHOES = 2_000;
const MESSAGE = new Uint8Array(1_024).fill(9);
const IDENTITY_OF_PEER = new NodeIdentity(new Uint8Array(32).fill(2));

const limits = { linksMax: 2_048, idleLinksKept: 2_048 };

function openHost(number: number, udp = true): Promise<LinkHost> {
  const identity = new NodeIdentity(new Uint8Array(32).fill(number & 0xff).with(0, number >> 8));
  return openLinkHost({ identity, network: "bench", limits, ...(udp && { udp: AT }) });
}

function target(ports: LinkPeer, carrier: CarrierName) {
  const addresses = ports.addresses.filter((address) => address.carrier === carrier);
  return { id: IDENTITY_OF_PEER.id, publicKey: IDENTITY_OF_PEER.publicKey, addresses };
}

/** Sends all, waits for the peer's end, and says how fast it went, in MB/s. */
async function bulk(sink: Sink, over: Promise<unknown>, bytes = BULK_BYTES): Promise<number> {
  return (await sendBulk(sink, { bytes, piece: PIECE, over })) / 1_000;
}

async function bulkLink(link: Link, bytes?: number): Promise<number> {
  const stream = await link.openStream("sink", { priority: "bulk" });
  stream.resume();
  const speed = await bulk(stream, once(stream, "close"), bytes);
  check(stream.bytesWritten >= (bytes ?? BULK_BYTES), "every byte was written");
  return speed;
}

/** Seals what is written, and nothing else: the least that a link could do. */
function sealing(sink: Sink): Sink {
  const sealer = new RecordSealer(SEAL_KEY);
  return {
    write(bytes) {
      let hasRoom = true;
      for (let at = 0; at < bytes.length; at += 32_768) {
        hasRoom = sink.write(sealer.seal(bytes.subarray(at, at + 32_768)));
      }
      return hasRoom;
    },
    once: (event, listener) => sink.once(event, listener),
    end: () => sink.end(),
  };
}

async function bulkTcp(port: number, isSealed: boolean): Promise<number> {
  const socket = connect({ port, host: AT.host, allowHalfOpen: true });
  await once(socket, "connect");
  socket.resume();
  return bulk(isSealed ? sealing(socket) : socket, once(socket, "close"));
}

async function bulkHttp2({ http2Port }: LinkPeer): Promise<number> {
  const session = connectHttp2(`https://localhost:${http2Port}`, { rejectUnauthorized: false });
  await once(session, "connect");
  const request = session.request({ ":method": "POST" });
  request.resume();
  const speed = await bulk(request, once(request, "end"));
  session.close();
  return speed;
}

/** Each raw stream has its own: late packets of the last one would be taken for the next one's. */
let udxIds = 0;

async function bulkUdx(
  peer: HelperProcess,
  { udxPort }: LinkPeer,
  isSealed: boolean,
): Promise<number> {
  const udx = new UDX();
  const socket = udx.createSocket();
  socket.bind(0, AT.host);
  const udxId = ++udxIds;
  const stream = udx.createStream(udxId);
  peer.order({ udxPort: socket.address()?.port, udxId, isSealed });
  await new Promise((resolve) => setTimeout(resolve, 100));
  stream.connect(socket, udxId, udxPort, AT.host);
  stream.on("data", () => {});
  const speed = await bulk(isSealed ? sealing(stream) : stream, once(stream, "end"));
  stream.destroy();
  await socket.close();
  return speed;
}

/** Echoes of 1 KiB, one at a time: microseconds, sorted. */
async function echoes(link: Link, count = ECHOES): Promise<number[]> {
  const stream = await link.openStream("echo", { priority: "urgent" });
  const times = await new Echoes(stream, MESSAGE).many(count);
  stream.destroy();
  return times.map((ms) => ms * 1_000).sort((a, b) => a - b);
}

const at = (sorted: readonly number[], share: number): number =>
  sorted[Math.floor(sorted.length * share)] ?? Number.NaN;

/** Opens, uses and ends many streams; what is left must be nothing. */
async function manyStreams(link: Link): Promise<number> {
  const one = async (): Promise<void> => {
    const stream: LinkStream = await link.openStream("echo");
    stream.resume();
    stream.end("x");
    await once(stream, "close");
  };
  const start = performance.now();
  for (let done = 0; done < STREAMS; done += 100) {
    await Promise.all(Array.from({ length: 100 }, one));
  }
  return (STREAMS * 1_000) / (performance.now() - start);
}

async function memoryOf(peer: HelperProcess): Promise<Holdings> {
  return (await peer.ask({ ask: "memory" })) as Holdings;
}

/** Many nodes dial the peer's one UDP socket: how fast, and what each costs there. */
async function manyConnections(peer: HelperProcess, ports: LinkPeer) {
  const before = await memoryOf(peer);
  const hosts = await Promise.all(
    Array.from({ length: CONNECTIONS }, (_, number) => openHost(0x1000 + number)),
  );
  const start = performance.now();
  const links: Link[] = [];
  while (links.length < CONNECTIONS) {
    const next = hosts.slice(links.length, links.length + 16);
    links.push(...(await Promise.all(next.map((host) => host.dial(target(ports, "udp"))))));
  }
  const perSecond = (links.length * 1_000) / (performance.now() - start);
  let after = await memoryOf(peer);
  // A dialler has its link half a round trip before the listener.
  for (let looks = 0; looks < 50 && after.links - before.links < CONNECTIONS; looks++) {
    after = await memoryOf(peer);
  }
  check(after.links - before.links >= CONNECTIONS, "all are there at once");
  const kilobytes = (after.rss - before.rss) / 1_024 / links.length;
  await Promise.all(hosts.map((host) => host.close()));
  return { links: links.length, perSecond, kilobytes };
}

async function bulkRounds(peer: HelperProcess, ports: LinkPeer, links: Record<CarrierName, Link>) {
  const subjects: Record<string, () => Promise<number>> = {
    "raw TCP": () => bulkTcp(ports.tcpPort, false),
    "TCP, sealed records": () => bulkTcp(ports.sealedPort, true),
    "http2 over TLS": () => bulkHttp2(ports),
    "link over TCP": () => bulkLink(links.tcp),
    "udx-native alone": () => bulkUdx(peer, ports, false),
    "udx-native, sealed records": () => bulkUdx(peer, ports, true),
    "link over UDP": () => bulkLink(links.udp),
  };
  for (const carrier of ["tcp", "udp"] as const) await bulkLink(links[carrier], 2 ** 24);
  const samples: Record<string, number[]> = {};
  for (let round = 0; round < ROUNDS; round++) {
    for (const [name, run] of Object.entries(subjects)) {
      samples[name] = [...(samples[name] ?? []), await run()];
    }
  }
  return Object.entries(samples).map(([name, speeds]) => ({ name, MBps: median(speeds) }));
}

const peer = new HelperProcess("link-peer", [], {
  execArgv: [...process.execArgv, "--expose-gc"],
});
const ports = (await peer.next()) as LinkPeer;
const [overTcp, overUdp] = [await openHost(1, false), await openHost(3)];
const links = {
  tcp: await overTcp.dial(target(ports, "tcp")),
  udp: await overUdp.dial(target(ports, "udp")),
};
const speeds = await bulkRounds(peer, ports, links);
const speedOf = (name: string): number =>
  speeds.find((row) => row.name === name)?.MBps ?? Number.NaN;
printTable("bulk, one stream", speeds);
const echoRows = [];
for (const carrier of ["tcp", "udp"] as const) {
  await echoes(links[carrier], 500);
  const times = await echoes(links[carrier]);
  const streamsPerSecond = await manyStreams(links[carrier]);
  echoRows.push({ carrier, p50us: at(times, 0.5), p99us: at(times, 0.99), streamsPerSecond });
}
const held = await memoryOf(peer);
const leftOver = held.streams + links.tcp.streamCount + links.udp.streamCount;
printTable("echo of 1 KiB; streams opened, used and ended each second", echoRows);
const connections = await manyConnections(peer, ports);
printTable("connections on one UDP socket", [connections]);
const ratio = (name: string, baseline: string): number => speedOf(name) / speedOf(baseline);
writeResults("link", { speeds, echoes: echoRows, connections }, [
  atLeast("UDP bulk / udx-native alone", ratio("link over UDP", "udx-native alone"), 0.9),
  atLeast("TCP bulk / http2 over TLS", ratio("link over TCP", "http2 over TLS"), 0.6),
  atMost("KiB per idle connection at the listener", connections.kilobytes, 64),
  atLeast("connections on one UDP socket", connections.links, 1_000),
  atMost("streams left behind by 10,000, both ends", leftOver, 0),
]);
await Promise.all([overTcp.close(), overUdp.close()]);
await peer.stop();
