import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import { connectMap, type MapServer, startMapServer } from "../../../src/mapservice/index.ts";
import { encodeClientMessage, WIRE_VERSION } from "../../../src/mapservice/wire/wire.ts";

const PER_SOURCE = 16;
const HELLO = { kind: "hello", versionMin: WIRE_VERSION, versionMax: WIRE_VERSION } as const;

async function serverOf(linksMax: number): Promise<MapServer> {
  const limits = { linksMax, linksPerSourceMax: PER_SOURCE };
  const server = await startMapServer({ listen: ["127.0.0.1:0"], payloadSize: 40, limits });
  onTestFinished(() => server.close());
  return server;
}

/** A connection from an address of its own: on Linux all of 127.0.0.0/8 is this machine. */
async function from(localAddress: string, server: MapServer): Promise<Socket> {
  const [, port] = /:(\d+)$/.exec(server.endpoints[0] ?? "") ?? [];
  const socket = connect({ port: Number(port), host: "127.0.0.1", localAddress });
  onTestFinished(() => void socket.destroy());
  socket.on("error", () => {});
  await once(socket, "connect");
  return socket;
}

describe.runIf(process.platform === "linux")("a Map server that is full", () => {
  it("has a place for one more, though a few addresses took all the connections", async () => {
    const server = await serverOf(16);
    // Nobody of them says a word. 16 askers, and 128 that may not be any.
    const silent: Promise<Socket>[] = [];
    for (let i = 0; i < 9 * PER_SOURCE; i++) silent.push(from(`127.0.1.${1 + (i % 9)}`, server));
    const sockets = await Promise.all(silent);
    const map = await connectMap(server.endpoints[0] ?? "");
    onTestFinished(() => map.close());
    expect(map.payloadSize).toBe(40);
    expect(server.statistics()).toMatchObject({ links: 1, displaced: 1 });
    expect(sockets).toHaveLength(144);
  }, 20_000);

  it("lets one more ask, though a few addresses ask as much as they may", async () => {
    const server = await serverOf(16);
    // Each takes what it can get: no more than are left.
    for (let i = 0; i < 5 * PER_SOURCE; i++) {
      const socket = await from(`127.0.1.${1 + Math.floor(i / PER_SOURCE)}`, server);
      socket.write(encodeClientMessage(HELLO));
      await once(socket, "data");
    }
    expect(server.statistics().links).toBe(16);
    const map = await connectMap(server.endpoints[0] ?? "");
    onTestFinished(() => map.close());
    expect(server.statistics()).toMatchObject({ links: 16, displaced: 1 });
  }, 20_000);
});
