import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { expect, it, onTestFinished } from "vitest";
import { tcpNetwork } from "../../src/io/tcp-network.ts";

it("a port cuts who comes beyond its connections, unseen; later there is room", async () => {
  const seen: { close(isAbrupt: boolean): void }[] = [];
  const listener = await tcpNetwork.listen({
    at: { host: "127.0.0.1", port: 0 },
    connectionsMax: 2,
    onConnection: (connection) => {
      connection.start({ receive: () => {}, drained: () => {}, closed: () => {} });
      seen.push(connection);
    },
  });
  const sockets: Socket[] = [];
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy();
    for (const connection of seen) connection.close(true);
    await listener.close();
  });
  const dial = async (): Promise<Socket> => {
    const socket = connect(listener.address.port, "127.0.0.1").on("error", () => {});
    sockets.push(socket);
    await once(socket, "connect");
    return socket.resume();
  };
  const first = await dial();
  await dial();
  const third = await dial();
  while (!third.closed && seen.length < 3) await moment();
  expect([third.closed, seen.length]).toEqual([true, 2]);
  first.destroy();
  // The port hears of that a moment later.
  for (let next = await dial(); seen.length < 3; await moment()) {
    if (next.closed) next = await dial();
  }
});

const moment = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));
