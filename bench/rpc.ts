/**
 * Requests and calls a second over one connection, as ratios to bare messages over the same kind of
 * connection in the same run: two processes, sockets of the loopback, links above them.
 *
 * Run: `npm run -s bench -- rpc`.
 */
import { once } from "node:events";
import { type ClientHttp2Session, connect as connectHttp2 } from "node:http2";
import { connect } from "node:net";
import { Directory, NodeDescriptor } from "../src/identity/index.ts";
import { systemClock } from "../src/io/clock.ts";
import { atLeast, check, measure, printTable, type Subject, writeResults } from "./harness.ts";
import { HelperProcess } from "./helper-process.ts";
import { Echoes } from "./pipe.ts";
import { BODY, LOOPBACK, manifest, openRpcNode, type RpcPeer } from "./rpc-node.ts";

const IN_FLIGHT = 16;
/** Items of one streaming call. */
const ITEMS = 1_000;
/** Before anything is timed: of the first ten thousand calls most are of code not compiled yet. */
const WARM_RUNS = 20_000;
/** 3,000 and 10,000 a second where the bare mux makes 4,900 and 32,900. */
const ASKED = { alone: 0.61, together: 0.3 };

/** What most would use instead: a request of node:http2 over TLS, on a session that is there. */
async function http2Echo(session: ClientHttp2Session): Promise<void> {
  const request = session.request({ ":method": "POST", ":path": "/echo" });
  request.end(BODY);
  let bytes = 0;
  for await (const chunk of request) bytes += (chunk as Uint8Array).length;
  check(bytes === BODY.length, "an echo is whole");
}

/** `IN_FLIGHT` of them at once, so that one run is as many requests. */
const together = (run: () => Promise<unknown>) => async (): Promise<void> => {
  await Promise.all(Array.from({ length: IN_FLIGHT }, run));
};

async function main(): Promise<void> {
  const peer = new HelperProcess("rpc-peer");
  const { descriptor, socketPort, http2Port } = (await peer.next()) as RpcPeer;
  const other = NodeDescriptor.fromBytes(Buffer.from(descriptor, "base64"));
  const directory = new Directory({ unixMs: systemClock.unixMs });
  directory.add(other);
  const { host, rpc } = await openRpcNode(1, directory);
  const calls = rpc.caller(manifest, other.id);
  const reply = await calls.echo(BODY);
  check(reply.length === BODY.length && reply.every((byte, at) => byte === at), "an echo is whole");
  let items = 0;
  for await (const item of calls.count("100")) items += item.length === BODY.length ? 1 : 0;
  check(items === 100, "a stream is whole");

  const stream = await host.find(other.id)?.openStream("bench", { priority: "urgent" });
  if (stream === undefined) throw new Error("there is no stream");
  stream.on("error", () => {});
  const mux = new Echoes(stream, BODY);
  const socket = connect({ port: socketPort, host: LOOPBACK.host, noDelay: true });
  await once(socket, "connect");
  const bare = new Echoes(socket, BODY);
  const http2 = connectHttp2(`https://localhost:${http2Port}`, { rejectUnauthorized: false });
  await once(http2, "connect");

  const alone: Subject[] = [
    { name: "bare mux", run: () => mux.one() },
    { name: "bare socket", run: () => bare.one() },
    { name: "http2 over TLS", run: () => http2Echo(http2) },
    { name: "unary call", run: async () => void (await calls.echo(BODY)) },
  ];
  const flight: Subject[] = [
    { name: "bare mux", run: together(() => mux.one()) },
    { name: "bare socket", run: together(() => bare.one()) },
    { name: "http2 over TLS", run: together(() => http2Echo(http2)) },
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
  for (const { run } of alone) for (let i = 0; i < WARM_RUNS; i++) await run();
  const options = { rounds: 9, sampleMs: 200 };
  const rows = [
    ...(await measure(alone, options)).map((timing) => row(timing, "one at a time", 1)),
    ...(await measure(flight, options)).map((timing) => row(timing, "16 in flight", IN_FLIGHT)),
    ...(await measure(streaming, options)).map((timing) => row(timing, "items", ITEMS)),
  ];
  check(rpc.statistics.repeated === 0, "nothing was repeated on a reliable carrier");
  printTable("calls with 64 bytes each way, two processes, loopback", rows);
  const ofMux = (how: string): number =>
    rows.find((row) => row.name === "unary call" && row.how === how)?.ofMux ?? 0;
  writeResults("rpc", rows, [
    atLeast("calls one at a time, of the bare mux", ofMux("one at a time"), ASKED.alone),
    atLeast("calls, 16 in flight, of the bare mux", ofMux("16 in flight"), ASKED.together),
  ]);
  socket.destroy();
  http2.close();
  await rpc.close({ drainMs: 0 });
  await host.close();
  await peer.stop();
}

function row(timing: { name: string; us: number; ratio: number }, how: string, perRun: number) {
  const { name, us, ratio } = timing;
  return { name, how, "per second": (perRun * 1e6) / us, ofMux: 1 / ratio };
}

await main();
