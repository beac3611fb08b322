import { once } from "node:events";
import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { SeededRandom } from "../src/base/index.ts";
import { blindPublicKey, rootPublicKey } from "../src/crypto/index.ts";
import {
  connectMap,
  MapClient,
  type MapServer,
  type MapServerOptions,
  type RemoteMap,
  startMapServer,
} from "../src/mapservice/index.ts";
import { encodeClientMessage } from "../src/mapservice/wire/wire.ts";

const PAYLOAD_SIZE = 512;
const SEED = new Uint8Array(32).fill(8);
const KEYS = { writeSeed: SEED, readRoot: rootPublicKey(SEED) };
const frameId = (index: number): Uint8Array => new SeededRandom(index).bytes(32);
const cellOf = (index: number): Uint8Array => new SeededRandom(-index).bytes(PAYLOAD_SIZE);

let folder: string;
const servers: MapServer[] = [];
const maps: RemoteMap[] = [];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "culvert-map-"));
});
afterEach(async () => {
  for (const map of maps.splice(0)) map.close();
  for (const server of servers.splice(0)) await server.close();
  await rm(folder, { recursive: true });
});

async function start(options: Partial<MapServerOptions> = {}): Promise<MapServer> {
  const listen = ["127.0.0.1:0"];
  const server = await startMapServer({ listen, payloadSize: PAYLOAD_SIZE, ...options });
  servers.push(server);
  return server;
}

async function reach(endpoint: string | undefined, answerMs = 30_000): Promise<RemoteMap> {
  const map = await connectMap(endpoint ?? "", { limits: { answerMs } });
  maps.push(map);
  return map;
}

/** A bare connection, which knows nothing of the protocol. */
async function bare(endpoint: string | undefined): Promise<Socket> {
  const [, port] = /:(\d+)$/.exec(endpoint ?? "") ?? [];
  const socket = connect(Number(port), "127.0.0.1");
  socket.on("error", () => {});
  await once(socket, "connect");
  return socket;
}

/** Resolves when the connection is over, with or without an error. */
function ended(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    socket.once("close", () => resolve());
  });
}

function drained(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    socket.once("drain", () => resolve());
  });
}

describe("a Map server", () => {
  test.each(["127.0.0.1:0", "[::1]:0", "unix:"])("serves on %s", async (kind) => {
    const endpoint = kind === "unix:" ? `unix:${join(folder, "map.sock")}` : kind;
    const server = await start({ listen: [endpoint], directory: join(folder, "data") });
    const [writer, reader] = [await reach(server.endpoints[0]), await reach(server.endpoints[0])];
    const [put, get] = [writer, reader].map((map) =>
      new MapClient(map, { nodeKey: server.nodeKey }).bind(KEYS),
    );
    const waiting = get?.get(frameId(1), { waitMs: 10_000 });
    await put?.put(frameId(1), cellOf(1));
    expect(await waiting).toEqual(cellOf(1));
    expect(server.statistics()).toMatchObject({ putsStored: 1, links: 2, protocolErrors: 0 });
  });

  test("carries many cells of many clients at once", async () => {
    const server = await start({ directory: join(folder, "data") });
    const clients = await Promise.all(Array.from({ length: 8 }, () => reach(server.endpoints[0])));
    const streams = clients.map((map) => new MapClient(map).bind(KEYS));
    const frames = Array.from({ length: 400 }, (_, i) => i);
    await Promise.all(frames.map((i) => streams[i % 8]?.put(frameId(i), cellOf(i))));
    const cells = await Promise.all(frames.map((i) => streams[(i + 3) % 8]?.get(frameId(i))));
    expect(cells).toEqual(frames.map(cellOf));
    expect(server.statistics().commits).toBeLessThan(300);
  });

  test("keeps its key and its records over a restart, and clients find it again", async () => {
    const directory = join(folder, "data");
    const listen = [`unix:${join(folder, "map.sock")}`];
    const first = await start({ listen, directory });
    const map = await reach(listen[0]);
    const stream = new MapClient(map, { nodeKey: first.nodeKey }).bind(KEYS);
    await stream.put(frameId(1), cellOf(1));
    const waiting = stream.get(frameId(2), { waitMs: 60_000 });
    const failed = expect(waiting).rejects.toMatchObject({ code: "CULVERT_UNREACHABLE" });
    await first.close();
    await failed;
    const meanwhile = stream.get(frameId(1));
    const second = await start({ listen, directory });
    expect(second.nodeKey).toEqual(first.nodeKey);
    expect(await meanwhile).toEqual(cellOf(1));
    await stream.put(frameId(3), cellOf(3));
    expect(map.isConnected).toBe(true);
    expect((await stat(join(directory, "node.key"))).mode & 0o777).toBe(0o600);
  });

  test("answers what it took before it closes", async () => {
    const server = await start({ directory: join(folder, "data") });
    const stream = new MapClient(await reach(server.endpoints[0])).bind(KEYS);
    const puts = Array.from({ length: 50 }, (_, i) => stream.put(frameId(i), cellOf(i)));
    await puts[0];
    await server.close();
    const settled = await Promise.allSettled(puts);
    const stored = settled.filter(({ status }) => status === "fulfilled").length;
    const reopened = await start({ directory: join(folder, "data") });
    expect(reopened.statistics().store.entries).toBeGreaterThanOrEqual(stored);
  });

  test("does not share its folder, its port, or another network's records", async () => {
    const directory = join(folder, "data");
    const server = await start({ directory });
    await expect(start({ directory })).rejects.toMatchObject({ code: "CULVERT_STATE_IN_USE" });
    await expect(start({ listen: [...server.endpoints] })).rejects.toMatchObject({
      code: "CULVERT_UNREACHABLE",
    });
    await server.close();
    await expect(start({ directory, payloadSize: 600 })).rejects.toMatchObject({
      code: "CULVERT_GEOMETRY_CHANGED",
    });
    await expect(start({ listen: ["nonsense"] })).rejects.toMatchObject({ code: "CULVERT_USAGE" });
    await writeFile(join(directory, "node.key"), "short");
    await expect(start({ directory })).rejects.toMatchObject({
      code: "CULVERT_BAD_STATE",
      detail: { keyFile: join(directory, "node.key") },
    });
  });

  test("loses what it is told to lose", async () => {
    const server = await start({ faults: { lose: 0.2, seed: 3 } });
    const map = await reach(server.endpoints[0], 300);
    const stream = new MapClient(map).bind(KEYS);
    const frames = Array.from({ length: 60 }, (_, i) => i);
    const puts = await Promise.allSettled(frames.map((i) => stream.put(frameId(i), cellOf(i))));
    const silent = puts.filter(({ status }) => status === "rejected").length;
    expect(silent).toBeGreaterThan(5);
    expect(silent).toBeLessThan(40);
    expect(server.statistics().store.entries).toBeLessThan(55);
  });
});

describe("a hostile client", () => {
  test.each<[string, Uint8Array]>([
    ["garbage", new SeededRandom(1).bytes(5_000)],
    ["a web browser", new TextEncoder().encode("GET / HTTP/1.1\r\n\r\n")],
    ["a frame without end", Uint8Array.of(0xff, 0xff, 0xff, 0xff)],
  ])("with %s is shown the door, and nobody else notices", async (_, bytes) => {
    const server = await start();
    const stream = new MapClient(await reach(server.endpoints[0])).bind(KEYS);
    const socket = await bare(server.endpoints[0]);
    socket.resume();
    socket.write(bytes);
    await ended(socket);
    expect(server.statistics()).toMatchObject({ protocolErrors: 1, links: 1 });
    await stream.put(frameId(1), cellOf(1));
  });

  test("that says nothing, or stops in the middle, is cut off", async () => {
    const server = await start({ sessionLimits: { frameMs: 200, watchMs: 50 } });
    const [silent, slow] = [await bare(server.endpoints[0]), await bare(server.endpoints[0])];
    silent.resume();
    slow.resume();
    slow.write(Uint8Array.of(0, 0));
    await Promise.all([ended(silent), ended(slow)]);
    expect(server.statistics().timeouts).toBe(2);
  });

  test("cannot take every place", async () => {
    const server = await start({ limits: { linksPerSourceMax: 2 } });
    await reach(server.endpoints[0]);
    await reach(server.endpoints[0]);
    await expect(reach(server.endpoints[0])).rejects.toMatchObject({ code: "CULVERT_BUSY" });
    expect(server.statistics().refused).toBe(1);
  });

  test("that says nothing cannot keep others from the same door for long", async () => {
    const limits = { linksPerSourceMax: 3 };
    const server = await start({ limits, sessionLimits: { frameMs: 300, watchMs: 50 } });
    const silent = await Promise.all([1, 2, 3].map(() => bare(server.endpoints[0])));
    for (const socket of silent) socket.resume();
    await expect(reach(server.endpoints[0])).rejects.toMatchObject({ code: "CULVERT_BUSY" });
    await Promise.all(silent.map(ended));
    await reach(server.endpoints[0]);
  });

  test("that asks and never reads costs little memory, then its connection", async () => {
    const sessionLimits = { unsentBytesHigh: 64 * 1_024, frameMs: 500, watchMs: 100 };
    const server = await start({ sessionLimits });
    const stream = new MapClient(await reach(server.endpoints[0])).bind(KEYS);
    await stream.put(frameId(1), cellOf(1));
    const socket = await bare(server.endpoints[0]);
    socket.pause();
    socket.write(encodeClientMessage({ kind: "hello", versionMin: 1, versionMax: 1 }));
    const address = blindPublicKey(KEYS.readRoot, frameId(1));
    const closed = ended(socket);
    for (let request = 0; request < 200_000 && !socket.destroyed; request++) {
      const get = encodeClientMessage({ kind: "get", request, waitMs: 0, address });
      if (!socket.write(get)) await Promise.race([drained(socket), closed]);
      // Client and server share this process: the server has to have its turns.
      if (request % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    socket.destroy();
    expect(server.statistics().slowReaders).toBe(1);
    expect(await stream.get(frameId(1))).toEqual(cellOf(1));
  });
});

describe("a client", () => {
  test("is told when nobody is there", async () => {
    await expect(connectMap("127.0.0.1:1")).rejects.toMatchObject({ code: "CULVERT_UNREACHABLE" });
    await expect(connectMap(`unix:${folder}/none`)).rejects.toMatchObject({
      code: "CULVERT_UNREACHABLE",
    });
    await expect(connectMap("nowhere")).rejects.toMatchObject({ code: "CULVERT_USAGE" });
  });

  test("gives up on a node that does not greet, or speaks another language", async () => {
    const sockets: Socket[] = [];
    const listen = async (greet: (socket: Socket) => void): Promise<[Server, string]> => {
      const server = createServer((socket) => {
        sockets.push(socket);
        socket.on("error", () => {});
        greet(socket);
      }).listen(0, "127.0.0.1");
      await once(server, "listening");
      const address = server.address();
      if (address === null || typeof address === "string") throw new Error("a port");
      return [server, `127.0.0.1:${address.port}`];
    };
    const [mute, atMute] = await listen(() => {});
    const dialled = connectMap(atMute, { connectMs: 300 });
    await expect(dialled).rejects.toMatchObject({ code: "CULVERT_UNREACHABLE" });
    const [rude, atRude] = await listen((socket) => socket.write("220 smtp.example ESMTP\r\n"));
    await expect(connectMap(atRude)).rejects.toMatchObject({ code: "CULVERT_PROTOCOL" });
    for (const socket of sockets) socket.destroy();
    mute.close();
    rude.close();
  });

  test("drops a connection on which nothing is heard any more", async () => {
    const server = await start({ faults: { lose: 1, seed: 1 } });
    const map = await reach(server.endpoints[0], 200);
    const stream = new MapClient(map).bind(KEYS);
    const put = stream.put(frameId(1), cellOf(1));
    await expect(put).rejects.toMatchObject({ code: "CULVERT_TIMEOUT" });
    await expect.poll(() => server.statistics().linksOpened).toBe(2);
  });

  test("refuses to go on when the node comes back with another geometry", async () => {
    const listen = [`unix:${join(folder, "map.sock")}`];
    const first = await start({ listen });
    const map = await reach(listen[0]);
    await first.close();
    await start({ listen, payloadSize: PAYLOAD_SIZE + 1 });
    const got = new MapClient(map).bind(KEYS).get(frameId(1));
    await expect(got).rejects.toMatchObject({ code: "CULVERT_GEOMETRY_CHANGED" });
  });

  test("can be closed while it looks for its node", async () => {
    const listen = [`unix:${join(folder, "map.sock")}`];
    const server = await start({ listen });
    const map = await reach(listen[0]);
    await server.close();
    const got = new MapClient(map).bind(KEYS).get(frameId(1));
    map.close();
    await expect(got).rejects.toMatchObject({ code: "CULVERT_CLOSED" });
  });
});

test("a socket that a killed process left behind is taken over, a living one is not", async () => {
  const path = join(folder, "map.sock");
  const living = await start({ listen: [`unix:${path}`] });
  const second = start({ listen: [`unix:${path}`] });
  await expect(second).rejects.toMatchObject({ code: "CULVERT_UNREACHABLE" });
  await reach(living.endpoints[0]);
  expect((await stat(path)).mode & 0o777).toBe(0o600);
});
