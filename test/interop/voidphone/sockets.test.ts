import { once } from "node:events";
import { connect, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { connect as connectTls } from "node:tls";
import { afterEach, beforeEach, describe, expect, it, test } from "vitest";
import { concatBytes, SeededRandom, utf8 } from "../../../src/base/index.ts";
import {
  apiGateway,
  callPeer,
  encodeApiRequest,
  FINAL,
  type GatewayEndpoints,
  MIDTERM,
  onionGateway,
  type PeerDialect,
  rpsGateway,
  StandalonePeer,
  VoidphoneApiClient,
  VoidphoneGateways,
  VoidphoneOnionClient,
  VoidphonePeerNetwork,
  VoidphoneRpsClient,
  VoidphoneServer,
} from "../../../src/voidphone/index.ts";
import { RememberingNode } from "../../voidphone/gateway-rig.ts";
import { MemoryTunnels } from "../../voidphone/memory-tunnels.ts";
import { resized, vector } from "../../voidphone/vectors.ts";

const HOST = "127.0.0.1";
const random = new SeededRandom(1);
const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function started(
  dialect: PeerDialect["name"],
  options: Partial<Parameters<typeof StandalonePeer.start>[0]> = {},
): Promise<StandalonePeer> {
  const p2p = { host: HOST, port: 0 };
  const peer = await StandalonePeer.start({ dialect, p2p, api: `${HOST}:0`, ...options });
  ends.push(() => peer.close());
  return peer;
}

async function apiOf(peer: StandalonePeer): Promise<VoidphoneApiClient> {
  const api = await VoidphoneApiClient.connect(peer.apiEndpoint ?? "");
  ends.push(() => api.close());
  return api;
}

/** A bare connection, which knows nothing of any protocol. */
async function bare(endpoint: string, localAddress = HOST): Promise<Socket> {
  const socket = connect({ port: Number(endpoint.split(":").at(-1)), host: HOST, localAddress });
  ends.push(() => socket.destroy());
  socket.on("error", () => {});
  await once(socket, "connect");
  return socket;
}

/** Behind the preface of a peer of the dialect `final`, a connection that speaks its TLS. */
async function secured(socket: Socket): Promise<Duplex> {
  let prefaceBytes = Number.POSITIVE_INFINITY;
  let read = 0;
  while (read < prefaceBytes) {
    const piece: Buffer | null = socket.read();
    if (piece === null) await once(socket, "readable");
    else {
      if (read === 0) prefaceBytes = 4 + piece.readUInt32BE(0);
      read += piece.length;
    }
  }
  const secure = connectTls({ socket, rejectUnauthorized: false });
  secure.on("error", () => {});
  await once(secure, "secureConnect");
  return secure;
}

/** Resolves when the connection is over, with or without an error. */
async function ended(socket: Socket): Promise<void> {
  socket.resume();
  if (!socket.closed) await new Promise((resolve) => socket.once("close", resolve));
}

const entry = (value: Uint8Array) => ({ key: random.bytes(32), value, ttlSeconds: 60 });

describe.each([
  ["midterm", MIDTERM],
  ["final", FINAL],
] as const)("peers of the dialect %s, over sockets", (name, dialect) => {
  it("are a network: what one stores, another finds, and all know each other", async () => {
    const peers = [await started(name), await started(name), await started(name)];
    const [first, second, third] = peers;
    if (first === undefined || second === undefined || third === undefined) throw new Error();
    const { port } = first.self();
    for (const peer of [second, third]) {
      expect(await peer.network.join({ host: HOST, port })).toBeGreaterThan(0);
    }
    for (const [from, to] of [
      [second, third],
      [third, second],
    ] as const) {
      const stored = entry(random.bytes(900));
      expect(await from.network.store({ ...stored, replication: 20 })).toBeGreaterThan(0);
      expect(await (await apiOf(to)).get(stored.key)).toEqual(stored.value);
    }
    expect(await second.network.ping({ host: HOST, port })).toBe(true);
    expect(await second.network.ping({ host: HOST, port: 1 })).toBe(false);
  });

  it("go on when others are malformed, silent, cut off or too many", async () => {
    const peer = await started(name, { sessions: { openMs: 300, connectionsPerSourceMax: 3 } });
    const { port } = peer.self();
    const bad: Socket[] = [];
    for (let count = 0; count < 12; count++) {
      const socket = await bare(`${HOST}:${port}`, "127.0.0.2");
      if (count % 3 > 0) socket.write(random.bytes(1 + random.below(2_000)));
      bad.push(socket);
    }
    const header = { rpcId: random.bytes(32), sender: { id: random.bytes(32), port: 9 } };
    const reply = await callPeer({ host: HOST, port }, { kind: "ping", ...header }, { dialect });
    expect(reply?.kind).toBe("pong");
    await Promise.all(bad.map(ended));
    const { refused = 0, displaced = 0 } = peer.gateways.server(name)?.statistics() ?? {};
    expect(refused + displaced).toBeGreaterThan(0);
  });

  it("have room for others while one of them does not leave when it is told to", async () => {
    const sessions = { connectionsMax: 8, connectionsPerSourceMax: 4 };
    const peer = await started(name, { sessions });
    const { port } = peer.self();
    for (let count = 0; count < 12; count++) {
      // It never ends its own half.
      const socket = connect({ port, host: HOST, localAddress: "127.0.0.2", allowHalfOpen: true });
      ends.push(() => socket.destroy());
      socket.on("error", () => {});
      await once(socket, "connect");
      socket.write(Uint8Array.of(0, 0, 0, 0, 0, 0));
      socket.resume();
      await expect.poll(() => socket.readableEnded || socket.closed).toBe(true);
    }
    const header = { rpcId: random.bytes(32), sender: { id: random.bytes(32), port: 9 } };
    const reply = await callPeer({ host: HOST, port }, { kind: "ping", ...header }, { dialect });
    expect(reply?.kind).toBe("pong");
  });

  it("have a place for who comes while all are taken by connections that say nothing", async () => {
    const sessions = { connectionsMax: 8, connectionsPerSourceMax: 4 };
    const peer = await started(name, { sessions });
    const { port } = peer.self();
    const silent: Socket[] = [];
    for (const localAddress of ["127.0.0.2", "127.0.0.3"]) {
      for (let count = 0; count < 4; count++)
        silent.push(await bare(`${HOST}:${port}`, localAddress));
    }
    await expect.poll(() => peer.gateways.server(name)?.statistics().sessions).toBe(8);
    const header = { rpcId: random.bytes(32), sender: { id: random.bytes(32), port: 9 } };
    for (let count = 1; count <= 3; count++) {
      const reply = await callPeer({ host: HOST, port }, { kind: "ping", ...header }, { dialect });
      expect(reply?.kind).toBe("pong");
    }
    expect(silent.filter(({ closed }) => !closed).length).toBeGreaterThanOrEqual(5);
  });

  it("have one for a source with fewer, where all have spoken and wait for nothing", async () => {
    const sessions = { connectionsMax: 4, connectionsPerSourceMax: 4 };
    const peer = await started(name, { sessions });
    const { port } = peer.self();
    const header = { rpcId: random.bytes(32), sender: { id: random.bytes(32), port: 9 } };
    const ping = dialect.encodeRequest({ kind: "ping", ...header });
    const talkers: Duplex[] = [];
    for (let count = 0; count < 4; count++) {
      const socket = await bare(`${HOST}:${port}`, "127.0.0.2");
      const talker = dialect === FINAL ? await secured(socket) : socket;
      talker.write(ping);
      await once(talker, "data");
      talkers.push(talker);
    }
    // One more of theirs takes the place of nobody.
    await ended(await bare(`${HOST}:${port}`, "127.0.0.2"));
    const reply = await callPeer({ host: HOST, port }, { kind: "ping", ...header }, { dialect });
    expect(reply?.kind).toBe("pong");
    await expect.poll(() => talkers.filter(({ closed }) => closed).length).toBe(1);
    expect(talkers[3]?.closed).toBe(true);
  });

  it("store for a client that has left at once", async () => {
    const [first, second] = [await started(name), await started(name)];
    await second.network.join({ host: HOST, port: first.self().port });
    const stored = entry(random.bytes(100));
    const api = await bare(second.apiEndpoint ?? "");
    api.end(encodeApiRequest({ kind: "put", replication: 20, ...stored }));
    await ended(api);
    await expect.poll(() => first.find(stored.key), { timeout: 5_000 }).toEqual(stored.value);
  });

  it("keep what others have stored when one of them floods", async () => {
    const peer = await started(name, { store: { bytesMax: 100_000 } });
    const { port } = peer.self();
    const header = { rpcId: random.bytes(32), sender: { id: random.bytes(32), port: 9 } };
    const quiet = entry(random.bytes(1_000));
    await peer.store({ ...quiet, replication: 1, source: "192.0.2.1" });
    const flood = Array.from({ length: 1_000 }, () => {
      const stored = { kind: "store", replication: 1, ...entry(random.bytes(1_000)) } as const;
      return { ...stored, ...header };
    });
    if (dialect === MIDTERM) {
      const socket = await bare(`${HOST}:${port}`);
      socket.resume();
      socket.write(concatBytes(...flood.map(dialect.encodeRequest)));
      const last = flood.at(-1);
      await expect.poll(() => last && peer.find(last.key)).toBeDefined();
    } else {
      for (const request of flood.slice(0, 150)) {
        await callPeer({ host: HOST, port }, request, { dialect });
      }
    }
    expect(await peer.find(quiet.key)).toEqual(quiet.value);
  });

  it("give up on a peer that never answers, whatever was asked", async () => {
    const silent = await VoidphoneServer.listen(
      { ...apiGateway(new RememberingNode()), open: () => ({ serve: hang, closed: () => {} }) },
      { endpoint: `${HOST}:0` },
    );
    ends.push(() => silent.close());
    const self = { id: random.bytes(32), host: HOST, port: 9 };
    const network = new VoidphonePeerNetwork({ dialect, self, limits: { callMs: 100 } });
    ends.push(() => network.close());
    network.learn({ id: random.bytes(32), host: HOST, port: silent.port });
    expect(await network.ping({ host: HOST, port: silent.port })).toBe(false);
    expect(await network.get(random.bytes(32))).toBeUndefined();
    expect(await network.find(random.bytes(32))).toEqual([]);
    expect(await network.store({ ...entry(utf8("v")), replication: 2 })).toBe(0);
    await expect(network.join({ host: HOST, port: silent.port })).rejects.toThrow();
  });
});

describe("the module API, over sockets", () => {
  let peer: StandalonePeer;
  beforeEach(async () => {
    peer = await started("midterm");
  });

  it("takes requests split, pipelined and as large as can be", async () => {
    const socket = await bare(peer.apiEndpoint ?? "");
    const stored = entry(random.bytes(65_495));
    const put = encodeApiRequest({ kind: "put", replication: 1, ...stored });
    const get = encodeApiRequest({ kind: "get", key: stored.key });
    const gets = Array.from({ length: 60 }, () => get);
    const bytes = concatBytes(put, get, get, put, ...gets);
    for (let at = 0; at < bytes.length; at += 9_001) socket.write(bytes.slice(at, at + 9_001));
    let heard = 0;
    socket.on("data", (chunk: Buffer) => {
      heard += chunk.length;
    });
    await expect.poll(() => heard, { timeout: 20_000 }).toBe(62 * (36 + stored.value.length));
  });

  test.each<[string, Uint8Array]>([
    ["a size below 4", Uint8Array.of(0, 1)],
    ["an unknown type", Uint8Array.of(0, 4, 9, 9)],
    ["an empty value", resized(vector("DHT_PUT").bytes, 40)],
    ["a get that is too long", resized(vector("DHT_GET").bytes, 99)],
    ["a TLS hello", Uint8Array.of(22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3)],
  ])("closes on %s, and others go on", async (_name, bytes) => {
    const api = await apiOf(peer);
    const socket = await bare(peer.apiEndpoint ?? "");
    socket.write(concatBytes(bytes, random.bytes(6_000)));
    await ended(socket);
    const stored = entry(utf8("still here"));
    api.put(stored);
    expect(await api.get(stored.key)).toEqual(stored.value);
  });

  it("has a place for a client while all are taken by some that say nothing", async () => {
    const sessions = { connectionsMax: 4, connectionsPerSourceMax: 4 };
    const { apiEndpoint = "", gateways } = await started("midterm", { sessions });
    const [first] = [await bare(apiEndpoint)];
    const get = encodeApiRequest({ kind: "get", key: random.bytes(32) });
    first.write(get);
    await once(first, "data");
    const silent: Socket[] = [];
    for (let count = 0; count < 3; count++) silent.push(await bare(apiEndpoint));
    await expect.poll(() => gateways.server("api")?.statistics().sessions).toBe(4);
    const late = await VoidphoneApiClient.connect(apiEndpoint);
    ends.push(() => late.close());
    const stored = entry(utf8("late"));
    late.put(stored);
    expect(await late.get(stored.key)).toEqual(stored.value);
    // The one that has been silent for longest is gone, and who has spoken is not.
    await ended(silent[0] ?? first);
    first.write(get);
    await once(first, "data");
    expect(silent.slice(1).map(({ closed }) => closed)).toEqual([false, false]);
  });

  it("fails what a client waits for when the module goes away", async () => {
    const node = new RememberingNode();
    node.mood = "hangs";
    const server = await VoidphoneServer.listen(apiGateway(node), { endpoint: `${HOST}:0` });
    const api = await VoidphoneApiClient.connect(server.endpoint);
    const waiting = expect(api.get(random.bytes(32))).rejects.toMatchObject({
      code: "CULVERT_CLOSED",
    });
    await expect.poll(() => server.statistics().sessions).toBe(1);
    await server.close();
    await waiting;
    expect(() => api.put(entry(utf8("v")))).toThrow();
    await expect(VoidphoneApiClient.connect(server.endpoint)).rejects.toMatchObject({
      code: "CULVERT_UNREACHABLE",
    });
  });
});

describe("all gateways of a node", () => {
  const node = { id: random.bytes(32), dht: new RememberingNode(), peer: new RememberingNode() };

  it("listen where they are told, and are known by it", async () => {
    const tunnels = new MemoryTunnels(new Map(), "192.0.2.1 7");
    const sampling = { sample: async () => undefined };
    const any = `${HOST}:0`;
    const gateways = await VoidphoneGateways.start(
      { api: any, midterm: any, final: "0.0.0.0:0", onion: any, rps: any },
      { ...node, tunnels, sampling },
      { announceHost: `::FFFF:${HOST}` },
    );
    ends.push(() => gateways.close());
    expect(gateways.contact("midterm")?.host).toBe(HOST);
    const { final, midterm } = {
      final: gateways.contact("final"),
      midterm: gateways.contact("midterm"),
    };
    for (const [self, dialect] of [
      [final, FINAL],
      [midterm, MIDTERM],
    ] as const) {
      if (self === undefined) throw new Error(dialect.name);
      const header = { rpcId: random.bytes(32), sender: { id: random.bytes(32), port: 9 } };
      const find = { kind: "find-node", target: node.id, ...header } as const;
      const reply = await callPeer(self, find, { dialect });
      expect(reply).toMatchObject({ kind: "nodes", contacts: [self] });
    }
    expect(gateways.server("onion")?.port).toBeGreaterThan(0);
  });

  test.each<[string, GatewayEndpoints, string]>([
    ["an address for all interfaces", { final: "0.0.0.0:0" }, "IP address"],
    ["a name for peers", { midterm: "localhost:0" }, "IP address"],
    ["what is no endpoint", { api: "nowhere" }, "no endpoint"],
    ["what the node has nothing for", { api: `${HOST}:0`, onion: `${HOST}:0` }, "onion"],
  ])("refuse %s, and leave nothing open", async (_name, endpoints, why) => {
    await expect(VoidphoneGateways.start(endpoints, node)).rejects.toMatchObject({
      code: "CULVERT_USAGE",
      message: expect.stringContaining(why),
    });
  });
});

describe("the onion and sampling modules, over sockets", () => {
  it("let nobody go who only listens, whoever comes", async () => {
    const gateway = onionGateway(new MemoryTunnels(new Map(), "192.0.2.1 7"), {
      limits: { connectionsMax: 2, connectionsPerSourceMax: 2 },
    });
    const server = await VoidphoneServer.listen(gateway, { endpoint: `${HOST}:0` });
    ends.push(gateway.close, () => server.close());
    const listeners = [await bare(server.endpoint), await bare(server.endpoint)];
    await expect.poll(() => server.statistics().sessions).toBe(2);
    await ended(await bare(server.endpoint));
    await ended(await bare(server.endpoint, "127.0.0.2"));
    expect(listeners.map(({ closed }) => closed)).toEqual([false, false]);
    expect(server.statistics()).toMatchObject({ refused: 2, displaced: 0 });
  });

  it("build tunnels between two clients, and carry data both ways", async () => {
    const network = new Map<string, MemoryTunnels>();
    const heard: string[] = [];
    const client = async (address: string, name: string): Promise<VoidphoneOnionClient> => {
      const gateway = onionGateway(new MemoryTunnels(network, address));
      const server = await VoidphoneServer.listen(gateway, { endpoint: `${HOST}:0` });
      const connected: VoidphoneOnionClient = await VoidphoneOnionClient.connect(server.endpoint, {
        incoming: (tunnelId) => connected.send(tunnelId, utf8(`${name} is here`)),
        data: (_tunnelId, data) => heard.push(`${name}: ${new TextDecoder().decode(data)}`),
        failed: (request) => heard.push(`${name}: ${request} failed`),
        closed: () => {},
      });
      ends.push(
        gateway.close,
        () => server.close(),
        () => connected.close(),
      );
      return connected;
    };
    const [near] = [await client("192.0.2.1 7", "near"), await client("192.0.2.2 7", "far")];
    const target = { host: "192.0.2.2", port: 7, hostKey: random.bytes(526) };
    const tunnelId = await near.build(target);
    near.send(tunnelId, utf8("hello"));
    near.send(tunnelId, new Uint8Array(2_000));
    await expect
      .poll(() => heard.toSorted())
      .toEqual(["far: hello", "near: data failed", "near: far is here"]);
    await expect(near.build({ ...target, port: 8 })).rejects.toMatchObject({
      code: "CULVERT_REFUSED",
      remote: true,
    });
    near.destroy(tunnelId);
    near.cover(1_000);
    near.destroy(tunnelId);
    await expect.poll(() => heard.at(-1)).toBe("near: destroy failed");
  });

  it("name a random peer", async () => {
    const peer = { host: HOST, port: 4, portMappings: [], hostKey: random.bytes(550) };
    const gateway = rpsGateway({ sample: async () => peer });
    const server = await VoidphoneServer.listen(gateway, { endpoint: `${HOST}:0` });
    const client = await VoidphoneRpsClient.connect(server.endpoint);
    ends.push(
      () => server.close(),
      () => client.close(),
    );
    expect(await Promise.all([client.query(), client.query()])).toEqual([peer, peer]);
  });
});

function hang(): Promise<undefined> {
  return new Promise(() => {});
}
