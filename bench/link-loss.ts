/**
 * Links over UDP through a seeded line with loss, delay and a bottleneck, each against udx-native
 * alone over the same line in the same run: bulk at loss, sixteen echoes at loss, an echo beside a
 * saturating stream.
 */
import UDX from "udx-native";
import { NodeIdentity } from "../src/identity/index.ts";
import { type Link, type LinkHost, openLinkHost } from "../src/link/index.ts";
import { atLeast, atMost, check, median, printTable, writeResults } from "./harness.ts";
import { HelperProcess } from "./helper-process.ts";
import type { LinkPeer } from "./link-peer.ts";
import { Echoes, type Pipe, sendBulk } from "./pipe.ts";
import type { LinePorts, LineProfile } from "./udp-line.ts";

const AT = { host: "127.0.0.1", port: 0 };
const PIECE = new Uint8Array(64 * 1_024).fill(7);
const { LINK_LOSS_BYTES, LINK_LOSS_ROUNDS } = process.env;
const BULK_BYTES = Number(LINK_LOSS_BYTES ?? 60 * 2 ** 20);
const ROUNDS = Number(LINK_LOSS_ROUNDS ?? 5);
const MESSAGE = new Uint8Array(1_024);
const ECHOERS = 16;
const ECHOES_EACH = 60;
/** Of the design's table, in Mbit/s: what udx-native did, and what is asked of a link. */
const TABLE = { 0.01: { udx: 279, asked: 250 }, 0.05: { udx: 174, asked: 150 } } as const;
const DELAY_MS = 25;
const BOTTLENECK = { bytesPerSecond: 20e6 / 8, queueBytes: 125_000 };
const PEER = new NodeIdentity(new Uint8Array(32).fill(2));

const peer = new HelperProcess("link-peer");
const ports = (await peer.next()) as LinkPeer;
const peerUdp = ports.addresses.find(({ carrier }) => carrier === "udp")?.port ?? 0;
const line = new HelperProcess("udp-line");
let seed = 0;

async function lay(profile: Omit<LineProfile, "seed">): Promise<LinePorts> {
  seed += 1;
  return (await line.ask({ ...profile, seed })) as LinePorts;
}

/** A link over a line of its own, as long as `use` takes. */
async function overLink<T>(
  profile: Omit<LineProfile, "seed" | "toPort">,
  use: (link: Link) => Promise<T>,
): Promise<T> {
  const { nearPort } = await lay({ ...profile, toPort: peerUdp });
  const identity = new NodeIdentity(new Uint8Array(32).fill(100 + (seed & 0x7f)));
  const host: LinkHost = await openLinkHost({ identity, network: "bench", udp: AT });
  const at = { carrier: "udp", host: AT.host, port: nearPort } as const;
  const link = await host.dial({ id: PEER.id, publicKey: PEER.publicKey, addresses: [at] });
  const result = await use(link);
  await host.close();
  return result;
}

/** A raw udx stream over a line of its own. */
async function overUdx<T>(
  profile: Omit<LineProfile, "seed" | "toPort">,
  isEchoed: boolean,
  use: (stream: Pipe) => Promise<T>,
): Promise<T> {
  const { nearPort, farPort } = await lay({ ...profile, toPort: ports.udxPort });
  const udx = new UDX();
  const socket = udx.createSocket();
  socket.bind(0, AT.host);
  // Late packets of the stream before would be taken for this one's.
  const stream = udx.createStream(seed);
  stream.on("error", () => {});
  peer.order({ udxPort: farPort, udxId: seed, isEchoed });
  await new Promise((resolve) => setTimeout(resolve, 100));
  stream.connect(socket, seed, nearPort, AT.host);
  const result = await use(stream);
  stream.destroy();
  await socket.close();
  return result;
}

type BulkRow = {
  readonly loss: number;
  readonly "udx Mbit/s": number;
  readonly "link Mbit/s": number;
  readonly ratio: number;
};

/** Mbit/s until the other end has said that it has all. */
async function bulk(pipe: Pipe, end: string): Promise<number> {
  const over = new Promise<void>((resolve) => pipe.once(end, resolve));
  return ((await sendBulk(pipe, { bytes: BULK_BYTES, piece: PIECE, over })) * 8) / 1_000;
}

async function bulkOverLink(link: Link): Promise<number> {
  const stream = await link.openStream("sink", { priority: "bulk" });
  stream.resume();
  return bulk(stream, "close");
}

async function echoer(link: Link): Promise<Echoes> {
  const stream = await link.openStream("echo", { priority: "urgent" });
  stream.on("error", () => {});
  return new Echoes(stream, MESSAGE);
}

/** Sixteen at once, each again and again; of raw udx all on its one stream. */
async function sixteen(echoers: readonly Echoes[]): Promise<number[]> {
  const all = await Promise.all(echoers.map((one) => one.many(ECHOES_EACH)));
  return all.flat();
}

/** The times of an echo while another stream sends all that it can. */
async function besideBulk(link: Link): Promise<number[]> {
  const stream = await link.openStream("sink", { priority: "bulk" });
  stream.on("error", () => {});
  let isOver = false;
  const fill = (): void => {
    while (!isOver && stream.write(PIECE));
  };
  stream.on("drain", fill);
  fill();
  const echoes = await echoer(link);
  await echoes.many(10);
  const times = await echoes.many(100);
  check(stream.bytesWritten > BOTTLENECK.bytesPerSecond, "the line was full meanwhile");
  isOver = true;
  stream.destroy();
  return times;
}

const share = (times: readonly number[], at: number): number =>
  times.toSorted((a, b) => a - b)[Math.floor(times.length * at)] ?? Number.NaN;
const spread = (name: string, times: readonly number[]) => ({
  name,
  p50: share(times, 0.5),
  p90: share(times, 0.9),
  p99: share(times, 0.99),
});

const bulkRows: BulkRow[] = [];
for (const loss of [0, 0.01, 0.05]) {
  const samples = { udx: [] as number[], link: [] as number[] };
  const profile = { loss, delayMs: DELAY_MS };
  for (let round = 0; round < ROUNDS; round++) {
    samples.udx.push(await overUdx(profile, false, (stream) => bulk(stream, "end")));
    samples.link.push(await overLink(profile, bulkOverLink));
  }
  const [udx, link] = [median(samples.udx), median(samples.link)];
  bulkRows.push({ loss, "udx Mbit/s": udx, "link Mbit/s": link, ratio: link / udx });
}
printTable("bulk, one stream, 50 ms round trip, lost each way", bulkRows);
const lossy = { loss: 0.05, delayMs: DELAY_MS };
const echoesOfUdx = await overUdx(lossy, true, (stream) => {
  const one = new Echoes(stream, MESSAGE);
  return sixteen(Array.from({ length: ECHOERS }, () => one));
});
const echoesOfLink = await overLink(lossy, async (link) => {
  const echoers = await Promise.all(Array.from({ length: ECHOERS }, () => echoer(link)));
  return sixteen(echoers);
});
const beside = await overLink({ loss: 0, delayMs: DELAY_MS, ...BOTTLENECK }, besideBulk);
const echoRows = [
  spread("16 at 5 % loss, udx-native alone", echoesOfUdx),
  spread("16 at 5 % loss, link", echoesOfLink),
  spread("beside a full stream, 20 Mbit/s", beside),
];
printTable("echoes of 1 KiB, 50 ms round trip, in ms", echoRows);
const ratioAt = (loss: number): number =>
  bulkRows.find((row) => row.loss === loss)?.ratio ?? Number.NaN;
writeResults("link-loss", { bulk: bulkRows, echoes: echoRows }, [
  atLeast(
    "bulk at 1 % loss / udx-native alone",
    ratioAt(0.01),
    TABLE[0.01].asked / TABLE[0.01].udx,
  ),
  atLeast(
    "bulk at 5 % loss / udx-native alone",
    ratioAt(0.05),
    TABLE[0.05].asked / TABLE[0.05].udx,
  ),
  atMost("16 echoes at 5 % loss, p50 ms", share(echoesOfLink, 0.5), 100),
  atMost("16 echoes at 5 % loss, p99 ms", share(echoesOfLink, 0.99), 600),
  atMost("echo beside a full stream at 20 Mbit/s, p50 ms", share(beside, 0.5), 150),
]);
await Promise.all([peer.stop(), line.stop()]);
