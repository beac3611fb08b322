import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { afterEach } from "vitest";
import { SeededRandom } from "../../../src/base/index.ts";
import {
  type PeerDialect,
  StandalonePeer,
  VoidphoneApiClient,
} from "../../../src/voidphone/index.ts";

export const HOST = "127.0.0.1";
export const random = new SeededRandom(1);
export const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

/** A peer with an API, that is closed behind the test. */
export async function started(
  dialect: PeerDialect["name"],
  options: Partial<Parameters<typeof StandalonePeer.start>[0]> = {},
): Promise<StandalonePeer> {
  const p2p = { host: HOST, port: 0 };
  const peer = await StandalonePeer.start({ dialect, p2p, api: `${HOST}:0`, ...options });
  ends.push(() => peer.close());
  return peer;
}

/** A client of its API. */
export async function apiOf(peer: StandalonePeer): Promise<VoidphoneApiClient> {
  const api = await VoidphoneApiClient.connect(peer.apiEndpoint ?? "");
  ends.push(() => api.close());
  return api;
}

/** A bare connection, which knows nothing of any protocol. */
export async function bare(endpoint: string, localAddress = HOST): Promise<Socket> {
  const socket = connect({ port: Number(endpoint.split(":").at(-1)), host: HOST, localAddress });
  ends.push(() => socket.destroy());
  socket.on("error", () => {});
  await once(socket, "connect");
  return socket;
}

/** Resolves when the connection is over, with or without an error. */
export async function ended(socket: Socket): Promise<void> {
  socket.resume();
  if (!socket.closed) await new Promise((resolve) => socket.once("close", resolve));
}

/** A value under a key of its own. */
export const entry = (value: Uint8Array) => ({ key: random.bytes(32), value, ttlSeconds: 60 });
