import { once } from "node:events";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { connect as connectTls } from "node:tls";
import { describe, expect, it } from "vitest";
import { utf8 } from "../../../src/base/index.ts";
import {
  callPeer,
  encodeApiRequest,
  FINAL,
  MIDTERM,
  onionGateway,
  VoidphoneApiClient,
  VoidphoneServer,
} from "../../../src/voidphone/index.ts";
import { MemoryTunnels } from "../../voidphone/memory-tunnels.ts";
import { bare, ended, ends, entry, HOST, random, started } from "./loopback.ts";

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

describe.each([
  ["midterm", MIDTERM],
  ["final", FINAL],
] as const)("peers of the dialect %s whose places are all taken", (name, dialect) => {
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
});

describe("modules whose places are all taken", () => {
  it("of the DHT have one for a client, by the one that has been silent longest", async () => {
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

  it("of onions let nobody go who only listens, whoever comes", async () => {
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
});
