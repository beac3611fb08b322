import {
  apiGateway,
  callPeer,
  encodeApiReply,
  encodeApiRequest,
  encodeOnionNotice,
  encodeOnionRequest,
  encodeRpsPeer,
  FINAL,
  MIDTERM,
  onionGateway,
  peerCertificate,
  peerGateway,
  readApiRequest,
  readVoidphoneConfig,
  rpsGateway,
  StandalonePeer,
  VoidphoneApiClient,
  VoidphoneGateways,
  VoidphoneOnionClient,
  VoidphonePeerNetwork,
  VoidphoneServer,
} from "culvert/voidphone";
import { afterEach, describe, expect, it } from "vitest";
import { expectClear, expectRefused, given, LIKE_BYTES, ODD } from "../odd-arguments.ts";
import { RememberingNode } from "./gateway-rig.ts";
import { MemoryTunnels } from "./memory-tunnels.ts";

const NUMBERS: readonly unknown[] = ["1", Number.NaN, -1, 1.5, 1n, Symbol("s"), {}, null, 65_536];
const NO_KEYS = [...ODD, ...LIKE_BYTES, new Uint8Array(31), new Uint8Array(33)];

const HOST = "127.0.0.1";
const key = new Uint8Array(32).fill(1);
const value = Uint8Array.of(1, 2);
const self = { id: key, host: HOST, port: 9 };
const node = new RememberingNode();

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function expectNoTask(task: Promise<unknown>): Promise<void> {
  await task.then(() => expect.unreachable("it was taken"), expectClear);
}

it("no message is made of what is none: text would be sent as zeros", () => {
  const put = { kind: "put", key, value, ttlSeconds: 60, replication: 1 } as const;
  const target = { host: HOST, port: 1, hostKey: value };
  const peer = { host: HOST, port: 1, portMappings: [], hostKey: value };
  for (const wrong of [...ODD, ...LIKE_BYTES]) {
    const none = given<never>(wrong);
    for (const encode of [encodeApiRequest, encodeApiReply, encodeOnionRequest]) {
      expectRefused(() => encode(none));
    }
    expectRefused(() => encodeOnionNotice(none));
    expectRefused(() => encodeRpsPeer(none));
    expectRefused(() => readApiRequest(none));
    expectRefused(() => encodeApiRequest({ ...put, value: none }));
    expectRefused(() => encodeApiReply({ kind: "success", key, value: none }));
    expectRefused(() => encodeOnionRequest({ kind: "build", target: none }));
    expectRefused(() => encodeOnionRequest({ kind: "data", tunnelId: 1, data: none }));
    expectRefused(() => encodeOnionRequest({ kind: "build", target: { ...target, host: none } }));
    expectRefused(() => encodeRpsPeer({ ...peer, hostKey: none }));
    expectRefused(() => encodeRpsPeer({ ...peer, host: none }));
    if (!Array.isArray(wrong)) expectRefused(() => encodeRpsPeer({ ...peer, portMappings: none }));
  }
  for (const wrong of NO_KEYS) {
    expectRefused(() => encodeApiRequest({ ...put, key: given(wrong) }));
    expectRefused(() => encodeApiReply({ kind: "failure", key: given(wrong) }));
  }
  for (const wrong of NUMBERS) {
    expectRefused(() => encodeApiRequest({ ...put, ttlSeconds: given(wrong) }));
    expectRefused(() => encodeApiRequest({ ...put, replication: given(wrong) }));
    expectRefused(() => encodeOnionRequest({ kind: "cover", coverBytes: given(wrong) }));
    expectRefused(() => encodeRpsPeer({ ...peer, port: given(wrong) }));
  }
});

describe.each([MIDTERM, FINAL])("the dialect $name", (dialect) => {
  const header = { rpcId: key, sender: { id: key, port: 9 } };
  const store = { kind: "store", key, value, ttlSeconds: 60, ...header } as const;

  it("has no message of what is none", () => {
    for (const wrong of ODD) {
      const none = given<never>(wrong);
      expectRefused(() => dialect.encodeRequest(none));
      expectRefused(() => dialect.encodeReply(none));
      expectRefused(() => dialect.readRequest(none));
      expectRefused(() => dialect.readReply(none));
      expectRefused(() => dialect.encodeRequest({ ...store, value: none }));
      expectRefused(() => dialect.encodeReply({ kind: "error", fault: none }));
      expectRefused(() => dialect.encodeReply({ kind: "nodes", ...header, contacts: [none] }));
      const contacts = [{ ...self, host: none }];
      expectRefused(() => dialect.encodeReply({ kind: "nodes", ...header, contacts }));
    }
    for (const wrong of NO_KEYS) {
      const none = given<Uint8Array>(wrong);
      expectRefused(() => dialect.encodeRequest({ kind: "ping", ...header, rpcId: none }));
      expectRefused(() => dialect.encodeRequest({ kind: "find-node", ...header, target: none }));
      expectRefused(() => dialect.encodeRequest({ kind: "find-value", ...header, key: none }));
      expectRefused(() => dialect.encodeRequest({ ...store, key: none }));
      const contacts = [{ ...self, id: none }];
      expectRefused(() => dialect.encodeReply({ kind: "nodes", ...header, contacts }));
    }
    for (const wrong of NUMBERS) {
      expectRefused(() => dialect.encodeRequest({ ...store, ttlSeconds: given(wrong) }));
    }
    const many = Array.from({ length: 21 }, () => self);
    expectRefused(() => dialect.encodeReply({ kind: "nodes", ...header, contacts: many }));
  });

  it("asks nobody who is none", async () => {
    const ping = { kind: "ping", ...header } as const;
    for (const wrong of ODD) {
      await expectNoTask(callPeer(given(wrong), ping, { dialect }));
      await expectNoTask(callPeer(self, given(wrong), { dialect }));
      await expectNoTask(callPeer(self, ping, given(wrong)));
      // By its name alone, each peer would have seemed to be gone.
      for (const named of [wrong, dialect.name]) {
        await expectNoTask(callPeer(self, ping, { dialect: given(named) }));
        expectRefused(() => new VoidphonePeerNetwork({ dialect: given(named), self }));
      }
    }
    for (const port of [...NUMBERS, 0]) {
      await expectNoTask(callPeer({ host: HOST, port: given(port) }, ping, { dialect }));
    }
  });

  it("is a network of whoever can be told of", async () => {
    for (const wrong of ODD) {
      expectRefused(() => new VoidphonePeerNetwork(given(wrong)));
      expectRefused(() => new VoidphonePeerNetwork({ dialect, self: given(wrong) }));
    }
    for (const id of NO_KEYS) {
      expectRefused(() => new VoidphonePeerNetwork({ dialect, self: { ...self, id: given(id) } }));
    }
    for (const port of [...NUMBERS, 0]) {
      const us = { ...self, port: given<number>(port) };
      expectRefused(() => new VoidphonePeerNetwork({ dialect, self: us }));
    }
    const network = new VoidphonePeerNetwork({ dialect, self });
    ends.push(() => network.close());
    for (const wrong of ODD) {
      await expectNoTask(network.join(given(wrong)));
      await expectNoTask(network.ping(given(wrong)));
      await expectNoTask(network.store(given(wrong)));
      expectRefused(() => network.learn(given(wrong)));
      if (wrong === undefined || typeof wrong === "object") continue;
      await expectNoTask(network.get(key, given(wrong)));
      await expectNoTask(network.get(key, { signal: given(wrong) }));
    }
    for (const wrong of NO_KEYS) {
      await expectNoTask(network.get(given(wrong)));
      await expectNoTask(network.find(given(wrong)));
      expectRefused(() => network.closest(given(wrong), 1));
      expectRefused(() => network.learn({ ...self, id: given(wrong) }));
    }
    for (const wrong of NUMBERS) {
      await expectNoTask(network.join({ host: HOST, port: given(wrong) }));
      expectRefused(() => network.learn({ ...self, port: given(wrong) }));
    }
    // Of what was refused, nothing is left that later ones would stumble over.
    expect(network.closest(key, 9)).toEqual([]);
    expect(await network.get(key)).toBeUndefined();
  });
});

it("a gateway is before somebody who serves", async () => {
  for (const wrong of ODD) {
    const none = given<never>(wrong);
    for (const gatewayOf of [apiGateway, onionGateway, rpsGateway]) {
      expectRefused(() => gatewayOf(none));
    }
    expectRefused(() => peerGateway(FINAL, none));
    expectRefused(() => peerGateway(none, node));
    await expectNoTask(VoidphoneServer.listen(none, { endpoint: `${HOST}:0` }));
    await expectNoTask(VoidphoneServer.listen(apiGateway(node), none));
    await expectNoTask(VoidphoneServer.listen(apiGateway(node), { endpoint: none }));
    expectRefused(() => peerCertificate(none));
    expectRefused(() => peerCertificate({ id: key, host: none }));
    expectRefused(() => readVoidphoneConfig(none));
    if (wrong === undefined) continue;
    // In clear, where TLS was asked for.
    const options = { endpoint: `${HOST}:0`, certificate: none };
    await expectNoTask(VoidphoneServer.listen(apiGateway(node), options));
  }
});

it("a node with gateways, and a peer alone, have an id that fits their answers", async () => {
  const p2p = { host: HOST, port: 0 };
  for (const id of NO_KEYS) {
    expectRefused(() => peerCertificate({ id: given(id), host: HOST }));
    for (const dialect of ["midterm", "final"] as const) {
      const peer = { id: given<Uint8Array>(id), peer: node };
      await expectNoTask(VoidphoneGateways.start({ [dialect]: `${HOST}:0` }, peer));
      if (id === undefined) continue;
      await expectNoTask(StandalonePeer.start({ dialect, p2p, id: given(id) }));
    }
  }
  for (const wrong of ODD) {
    await expectNoTask(StandalonePeer.start(given(wrong)));
    await expectNoTask(StandalonePeer.start({ dialect: given(wrong), p2p }));
    await expectNoTask(StandalonePeer.start({ dialect: "midterm", p2p: given(wrong) }));
    if (typeof wrong === "object" && wrong !== null) continue;
    await expectNoTask(VoidphoneGateways.start(given(wrong), { id: key }));
  }
});

describe("a client of a module", () => {
  it("refuses what is no value, and sends nothing of it", async () => {
    const server = await VoidphoneServer.listen(apiGateway(node), { endpoint: `${HOST}:0` });
    const client = await VoidphoneApiClient.connect(server.endpoint);
    ends.push(
      () => server.close(),
      () => client.close(),
    );
    const entry = { key, value, ttlSeconds: 60 };
    for (const wrong of [...ODD, ...LIKE_BYTES]) {
      expectRefused(() => client.put(given(wrong)));
      expectRefused(() => client.put({ ...entry, value: given(wrong) }));
      if (wrong === undefined || typeof wrong === "object") continue;
      await expectNoTask(client.get(key, given(wrong)));
      await expectNoTask(client.get(key, { signal: given(wrong) }));
    }
    for (const wrong of NO_KEYS) {
      expectRefused(() => client.put({ ...entry, key: given(wrong) }));
      await expectNoTask(client.get(given(wrong)));
    }
    for (const wrong of NUMBERS) {
      expectRefused(() => client.put({ ...entry, ttlSeconds: given(wrong) }));
      expectRefused(() => client.put({ ...entry, replication: given(wrong) }));
    }
    client.put(entry);
    expect(await client.get(key)).toEqual(value);
    expect(node.entries.length).toBe(1);
    for (const wrong of ODD) await expectNoTask(VoidphoneApiClient.connect(given(wrong)));
  });

  it("has somebody to tell: without, the end of its connection ended the process", async () => {
    const gateway = onionGateway(new MemoryTunnels(new Map(), "192.0.2.1 1"));
    const server = await VoidphoneServer.listen(gateway, { endpoint: `${HOST}:0` });
    ends.push(() => server.close());
    const { endpoint } = server;
    const nothing = (): void => {};
    const events = { incoming: nothing, data: nothing, failed: nothing, closed: nothing };
    for (const wrong of ODD) {
      await expectNoTask(VoidphoneOnionClient.connect(endpoint, given(wrong)));
      const few = { ...events, closed: given<() => void>(wrong) };
      await expectNoTask(VoidphoneOnionClient.connect(endpoint, few));
      if (wrong === undefined) continue;
      const answerMs = given<number>(wrong);
      await expectNoTask(VoidphoneOnionClient.connect(endpoint, events, { answerMs }));
    }
    const client = await VoidphoneOnionClient.connect(endpoint, events);
    ends.push(() => client.close());
    for (const wrong of ODD) {
      await expectNoTask(client.build(given(wrong)));
      expectRefused(() => client.send(1, given(wrong)));
      if (wrong === 0) continue;
      expectRefused(() => client.send(given(wrong), value));
      expectRefused(() => client.destroy(given(wrong)));
      expectRefused(() => client.cover(given(wrong)));
    }
  });
});
