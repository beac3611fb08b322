import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { beforeEach, describe, expect, it, test } from "vitest";
import { concatBytes, utf8 } from "../../../src/base/index.ts";
import {
  apiGateway,
  callPeer,
  encodeApiRequest,
  FINAL,
  type GatewayEndpoints,
  MIDTERM,
  onionGateway,
  rpsGateway,
  type StandalonePeer,
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
import { apiOf, bare, ended, ends, entry, HOST, random, started } from "./loopback.ts";

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
