/**
 * Requests and calls a second over one connection, as ratios to bare messages over the same kind of
 * connection in the same run: one process, sockets of the loopback, links above them.
 *
 * Run: `npx tsx bench/rpc.ts`.
 */
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { Directory, NodeDescriptor, NodeIdentity } from "../src/identity/index.ts";
import { systemClock } from "../src/io/clock.ts";
import { type Link, openLinkHost } from "../src/link/index.ts";
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
import { atLeast, check, measure, printTable, type Subject, writeResults } from "./harness.ts";

const LOOPBACK = { host: "127.0.0.1", port: 0 };
const BODY = Uint8Array.from({ length: 64 }, (_, at) => at);
const IN_FLIGHT = 16;
/** Items of one streaming call. */
const ITEMS = 1_000;
/** 3,000 and 10,000 a second where the bare mux makes 4,900 and 32,900. */
const ASKED = { alone: 0.61, together: 0.3 };

const manifest = {
  echo: unary({ request: BYTES, reply: BYTES }),
  count: serverStream({ request: TEXT, down: BYTES }),
};

/** Sends messages of one size and waits for their echoes, in the order in which they were sent. */
class Echoes {
  readonly #stream: ByteDuplex;
  readonly #waiting: (() => void)[] = [];
  #bytes = 0;

  constructor(stream: ByteDuplex) {
    this.#stream = stream;
    stream.on("data", (chunk) => {
      this.#bytes += chunk.length;
      for (; this.#bytes >= BODY.length; this.#bytes -= BODY.length) this.#waiting.shift()?.();
    });
    stream.on("error", () => {});
    stream.resume();
  }

  echo(): Promise<void> {
    this.#stream.write(BODY);
    return new Promise((resolve) => this.#waiting.push(resolve));
  }
}

function echoBack(stream: ByteDuplex): void {
  stream.on("data", (chunk) => void stream.write(chunk.slice()));
  stream.on("error", () => {});
  stream.resume();
}

/** `IN_FLIGHT` of them at once, so that one run is as many requests. */
const together = (run: () => Promise<unknown>) => async (): Promise<void> => {
  await Promise.all(Array.from({ length: IN_FLIGHT }, run));
};

async function socketEchoes(): Promise<{ echoes: Echoes; close: () => void }> {
  const server = createServer({ noDelay: true }, (socket: Socket) => echoBack(socket));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (typeof address !== "object" || address === null) throw new Error("a port is bound");
  const { connect } = await import("node:net");
  const socket = connect({ port: address.port, host: "127.0.0.1", noDelay: true });
  await once(socket, "connect");
  const close = (): void => {
    socket.destroy();
    server.close();
  };
  return { echoes: new Echoes(socket), close };
}

async function node(seed: number, directory: Directory) {
  const identity = new NodeIdentity(new Uint8Array(32).fill(seed));
  const host = await openLinkHost({ identity, network: "bench", tcp: LOOPBACK });
  const claims = {
    ...{ sequence: 1, expiresAtUnixS: Math.floor(systemClock.unixMs() / 1_000) + 3_600 },
    ...{ roles: [], relays: [], onionKeys: [], addresses: host.addresses },
    geometry: { cellBytes: 1, onionBytes: 1, onionHopsMax: 1 },
  };
  directory.add(NodeDescriptor.sign(identity, claims));
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
  return { host, rpc: new RpcNode({ carrier: links, streams: links, service }) };
}

async function main(): Promise<void> {
  const directory = new Directory({ unixMs: systemClock.unixMs });
  const [a, b] = [await node(1, directory), await node(2, directory)];
  const calls = a.rpc.caller(manifest, b.host.id);
  const reply = await calls.echo(BODY);
  check(reply.length === BODY.length && reply.every((byte, at) => byte === at), "an echo is whole");
  let items = 0;
  for await (const item of calls.count("100")) items += item.length === BODY.length ? 1 : 0;
  check(items === 100, "a stream is whole");

  b.host.handle("bench", (stream) => echoBack(stream));
  const link: Link | undefined = a.host.find(b.host.id);
  check(link !== undefined, "there is a link");
  const stream = await link?.openStream("bench", { priority: "urgent" });
  if (stream === undefined) throw new Error("there is a stream");
  const mux = new Echoes(stream);
  const pipe = await socketEchoes();

  const alone: Subject[] = [
    { name: "bare mux", run: () => mux.echo() },
    { name: "bare socket", run: () => pipe.echoes.echo() },
    { name: "unary call", run: async () => void (await calls.echo(BODY)) },
  ];
  const flight: Subject[] = [
    { name: "bare mux", run: together(() => mux.echo()) },
    { name: "bare socket", run: together(() => pipe.echoes.echo()) },
    { name: "unary call", run: together(() => calls.echo(BODY)) },
  ];
  const streaming: Subject[] = [
    {
      name: "server stream",
      run: async () => {
        for await (const _item of calls.count(`${ITEMS}`)) items += 1;
      },
    },
  ];
  const options = { rounds: 9, sampleMs: 200 };
  const rows = [
    ...(await measure(alone, options)).map((timing) => row(timing, "one at a time", 1)),
    ...(await measure(flight, options)).map((timing) => row(timing, "16 in flight", IN_FLIGHT)),
    ...(await measure(streaming, options)).map((timing) => row(timing, "items", ITEMS)),
  ];
  check(a.rpc.statistics.repeated === 0, "nothing was repeated on a reliable carrier");
  printTable("calls with 64 bytes each way, one process, loopback", rows);
  const ofMux = (how: string): number =>
    rows.find((row) => row.name === "unary call" && row.how === how)?.ofMux ?? 0;
  writeResults("rpc", rows, [
    atLeast("calls one at a time, of the bare mux", ofMux("one at a time"), ASKED.alone),
    atLeast("calls, 16 in flight, of the bare mux", ofMux("16 in flight"), ASKED.together),
  ]);
  pipe.close();
  await Promise.all([a.rpc.close({ drainMs: 0 }), b.rpc.close({ drainMs: 0 })]);
  await Promise.all([a.host.close(), b.host.close()]);
}

function row(timing: { name: string; us: number; ratio: number }, how: string, perRun: number) {
  const { name, us, ratio } = timing;
  return { name, how, "per second": (perRun * 1e6) / us, ofMux: 1 / ratio };
}

await main();
