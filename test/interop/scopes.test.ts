import { NodeIdentity, parseNodeContact } from "culvert/identity";
import { openLinkHost } from "culvert/link";
import { connectMap, startMapServer } from "culvert/mapservice";
import { linkDialler, NODE_DEFAULTS, openClient, startNode } from "culvert/node";
import { PeerLinks, RpcNode, TEXT, unary } from "culvert/rpc";
import { pair } from "culvert/testing";
import { MemoryTransport } from "culvert/transport";
import { describe, expect, it } from "vitest";

const CLOSED = { code: "CULVERT_CLOSED" };
const LOOPBACK = { host: "127.0.0.1", port: 0 } as const;

describe("the end of a scope closes", () => {
  it("what is in this process", async () => {
    const left: { map?: MemoryTransport; isOver?: () => boolean } = {};
    {
      await using ends = await pair();
      using map = new MemoryTransport();
      left.map = map;
      left.isOver = () => ends.a.destroyed && ends.b.destroyed;
      expect(left.isOver()).toBe(false);
    }
    expect(left.isOver()).toBe(true);
    await expect(left.map.get(new Uint8Array(32))).rejects.toMatchObject(CLOSED);
  });

  it("a Map's server, and the connection to one", async () => {
    let endpoint = "";
    let connection: { isClosed: boolean } | undefined;
    {
      await using server = await startMapServer({ listen: ["127.0.0.1:0"], payloadSize: 256 });
      endpoint = String(server.endpoints[0]);
      using map = await connectMap(endpoint);
      connection = map;
      expect(map.isClosed).toBe(false);
    }
    expect(connection.isClosed).toBe(true);
    await expect(connectMap(endpoint)).rejects.toMatchObject({ code: "CULVERT_UNREACHABLE" });
  });

  it("links, and the calls over them", async () => {
    const identity = new NodeIdentity(new Uint8Array(32).fill(1));
    const left: { dial?: () => Promise<unknown>; greet?: () => Promise<string> } = {};
    {
      await using host = await openLinkHost({ identity, network: "test", tcp: LOOPBACK });
      const dial = (id: Uint8Array) => host.dial({ id, addresses: [] });
      await using node = new RpcNode({ carrier: new PeerLinks(linkDialler(host, dial)) });
      const caller = node.caller({ greet: unary({ request: TEXT, reply: TEXT }) }, host.id);
      left.dial = () => dial(new Uint8Array(32));
      left.greet = () => caller.greet("Ada");
    }
    await expect(left.dial()).rejects.toMatchObject(CLOSED);
    await expect(left.greet()).rejects.toMatchObject(CLOSED);
  });

  it("a node, and a client of its network", async () => {
    const left: { transport?: () => unknown; contacts?: readonly string[] } = {};
    {
      const listen = [{ carrier: "tcp", ...LOOPBACK }] as const;
      await using node = await startNode({ ...NODE_DEFAULTS, listen });
      const bootstrap = node.contacts.map(parseNodeContact);
      await using client = await openClient({ bootstrap, via: "direct" });
      left.transport = () => client.transport();
      left.contacts = node.contacts;
      expect(left.transport()).toBeDefined();
    }
    expect(left.transport).toThrow(expect.objectContaining(CLOSED));
    const again = openClient({ bootstrap: left.contacts.map(parseNodeContact), via: "direct" });
    await expect(again).rejects.toMatchObject({ code: "CULVERT_UNREACHABLE" });
  });
});
