import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  apiGateway,
  callPeer,
  FINAL,
  MIDTERM,
  onionGateway,
  VoidphoneApiClient,
  VoidphoneOnionClient,
  VoidphoneServer,
} from "../../src/voidphone/index.ts";
import { RememberingNode } from "./gateway-rig.ts";
import { MemoryTunnels } from "./memory-tunnels.ts";

const endpoint = "127.0.0.1:0";
const key = new Uint8Array(32).fill(1);
const value = Uint8Array.of(1, 2);

let node: RememberingNode;
let servers: VoidphoneServer[];
beforeEach(() => {
  node = new RememberingNode();
  servers = [];
});
afterEach(() => Promise.all(servers.map((server) => server.close())));

test.each([MIDTERM, FINAL])(
  "no peer is dialled for what no message carries ($name)",
  async (dialect) => {
    const header = { rpcId: key, sender: { id: key, port: 1 } };
    const store = {
      kind: "store",
      key,
      value,
      ttlSeconds: 65_536,
      replication: 1,
      ...header,
    } as const;
    const calling = callPeer({ host: "127.0.0.1", port: 1 }, store, { dialect });
    await expect(calling).rejects.toThrow(RangeError);
  },
);

describe("a client of the module API", () => {
  test("refuses what would be stored under another key, or end its connection", async () => {
    const server = await VoidphoneServer.listen(apiGateway(node), { endpoint });
    servers.push(server);
    const client = await VoidphoneApiClient.connect(server.endpoint);
    const put = (entry: { key?: Uint8Array; value?: Uint8Array }) => () =>
      client.put({ key, value, ttlSeconds: 60, ...entry });
    expect(put({ key: key.subarray(1) })).toThrow("a key or an id has 32 bytes, not 31");
    expect(put({ value: new Uint8Array(0) })).toThrow("a value has at least one byte");
    await expect(client.get(new Uint8Array(33))).rejects.toThrow(RangeError);
    put({})();
    expect(await client.get(key)).toEqual(value);
    expect(node.entries.length).toBe(1);
    client.close();
  });
});

describe("a client of the onion module", () => {
  test("refuses a target that is none, and keeps its tunnels", async () => {
    const network = new Map<string, MemoryTunnels>();
    const [here, there] = [
      new MemoryTunnels(network, "192.0.2.1 1"),
      new MemoryTunnels(network, "192.0.2.2 1"),
    ];
    there.accept(() => {});
    const server = await VoidphoneServer.listen(onionGateway(here), { endpoint });
    servers.push(server);
    const nothing = (): void => {};
    const events = { incoming: nothing, data: nothing, failed: nothing, closed: nothing };
    const client = await VoidphoneOnionClient.connect(server.endpoint, events);
    const target = { host: "192.0.2.2", port: 1, hostKey: Uint8Array.of(1) };
    await expect(client.build({ ...target, host: "localhost" })).rejects.toThrow(RangeError);
    const hostKey = new Uint8Array(0);
    await expect(client.build({ ...target, hostKey })).rejects.toThrow(RangeError);
    expect(await client.build(target)).toBeGreaterThan(0);
    client.close();
  });
});
