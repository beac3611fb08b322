import { once } from "node:events";
import { connect } from "node:net";
import { expect, it } from "vitest";
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
  const dial = async () => {
    const socket = connect(listener.address.port, "127.0.0.1").on("error", () => {});
    await once(socket, "connect");
    return socket;
  };
  const [first, second] = [await dial(), await dial()];
  const third = (await dial()).resume();
  if (!third.closed) await once(third, "close");
  expect(seen).toHaveLength(2);
  first.destroy();
  await once(first, "close");
  // The port hears of that a moment later.
  let fourth = (await dial()).resume();
  while (seen.length < 3) {
    if (!fourth.closed) await Promise.race([once(fourth, "close"), moment()]);
    if (fourth.closed) fourth = (await dial()).resume();
  }
  for (const socket of [second, fourth]) socket.destroy();
  for (const connection of seen) connection.close(true);
  await listener.close();
});

const moment = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));
