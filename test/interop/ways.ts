import { type CulvertError, generateSecret, Stream } from "culvert";
import { NodeIdentity } from "culvert/identity";
import { type LinkStream, openLinkHost } from "culvert/link";
import { connectMap, MapClient } from "culvert/mapservice";
import { pair } from "culvert/testing";
import { expect, inject } from "vitest";

/** Two ends of one stream, in the place of two ends of a socket. */
export interface Ends {
  readonly a: Stream | LinkStream;
  readonly b: Stream | LinkStream;
}

/** One way to connect two streams. */
export interface Way {
  open(): Promise<Ends & { close(): Promise<void> }>;
}

/** Every piece of software is run over each of them. */
export const WAYS: readonly (readonly [name: string, way: Way])[] = [
  ["a Map that loses 20 % at 50 ms", { open: () => pair({ loss: 0.2, rtt: 50, seed: 20 }) }],
  ["a Map in another process", { open: openOverProcess }],
  ["a link over TCP", { open: () => openOverLink("tcp") }],
  ["a link over UDP", { open: () => openOverLink("udp") }],
];

const ABORTED = "CULVERT_PEER_ABORTED";

/** Time in which the last timers and sockets have to be gone. */
const DRAIN_MS = 10_000;

/**
 * Connects two streams, has `run` use them, and checks what is left: both ends close by themselves,
 * without an error unless one of them gives up, and nothing keeps the process alive.
 */
export async function cross(
  way: Way,
  run: (ends: Ends) => Promise<void>,
  options: { readonly isAborted?: boolean } = {},
): Promise<void> {
  const before = running();
  const { a, b, close } = await way.open();
  const troubles: CulvertError[] = [];
  for (const stream of [a, b]) {
    stream.on("error", (error: CulvertError) => troubles.push(error));
    stream.on("warning", (error: CulvertError) => troubles.push(error));
  }
  const closed = Promise.all([a, b].map((end) => new Promise((done) => end.once("close", done))));
  try {
    await run({ a, b });
    await closed;
    if (options.isAborted === true) expect(troubles.map(({ code }) => code)).toEqual([ABORTED]);
    else expect(troubles).toEqual([]);
  } finally {
    await close();
  }
  await expect.poll(() => more(running(), before), { timeout: DRAIN_MS }).toEqual([]);
}

async function openOverProcess(): Promise<Ends & { close(): Promise<void> }> {
  const endpoint = inject("mapEndpoint");
  const maps = await Promise.all([connectMap(endpoint), connectMap(endpoint)]);
  const secret = generateSecret();
  const a = Stream.listen(new MapClient(maps[0]), secret);
  const b = Stream.dial(new MapClient(maps[1]), secret);
  const close = async (): Promise<void> => {
    await Promise.all([a.halt(), b.halt()]);
    for (const map of maps) map.close();
  };
  return { a, b, close };
}

/** Two ends of a stream of a link on this machine. */
export async function openOverLink(
  carrier: "tcp" | "udp",
): Promise<{ readonly a: LinkStream; readonly b: LinkStream; close(): Promise<void> }> {
  const at = { host: "127.0.0.1", port: 0 };
  const open = (number: number) => {
    const identity = new NodeIdentity(new Uint8Array(32).fill(number));
    return openLinkHost({ identity, network: "interop", udp: at, tcp: at });
  };
  const [here, there] = await Promise.all([open(1), open(2)]);
  const accepted = new Promise<LinkStream>((resolve) => there.handle("socket", resolve));
  const addresses = there.addresses.filter((address) => address.carrier === carrier);
  const link = await here.dial({ id: there.id, addresses });
  const a = await link.openStream("socket");
  const close = async (): Promise<void> => {
    await Promise.all([here.close(), there.close()]);
  };
  return { a, b: await accepted, close };
}

/** What keeps this process alive, the test runner's own things included. */
function running(): string[] {
  return process.getActiveResourcesInfo();
}

/** What is there now and was not before. */
function more(now: readonly string[], before: readonly string[]): string[] {
  const known = [...before];
  return now.filter((name) => {
    const at = known.indexOf(name);
    if (at >= 0) known.splice(at, 1);
    return at < 0;
  });
}
