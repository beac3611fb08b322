import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import { describe, expect, it } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { cross, type Ends, WAYS } from "./ways.ts";

describe.each(WAYS)("ws over %s", (_name, way) => {
  it("carries messages of every size, pings, and a closing handshake", async () => {
    await cross(way, async (ends) => {
      const { client, server, close } = connect(ends);
      server.on("connection", (socket) => {
        socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary }));
      });
      await once(client, "open");
      for (const message of ["text: ż", randomBytes(1), randomBytes(70_000), randomBytes(0)]) {
        const echoed = once(client, "message");
        client.send(message);
        const [data, isBinary] = await echoed;
        expect(isBinary).toBe(typeof message !== "string");
        expect(Buffer.from(message).equals(data)).toBe(true);
      }
      const answered = once(client, "pong");
      client.ping("are you there");
      expect(`${await answered}`).toBe("are you there");
      const closed = once(client, "close");
      client.close(4_000, "that was all");
      expect((await closed)[0]).toBe(4_000);
      close();
    });
  });

  it("carries many messages at once, in order, compressed", async () => {
    await cross(way, async (ends) => {
      const { client, server, close } = connect(ends, { perMessageDeflate: true });
      const received: string[] = [];
      const ended = new Promise<[number, Buffer]>((resolve) => {
        server.on("connection", (socket) => {
          socket.on("message", (data) => received.push(`${data}`));
          socket.on("close", (code, reason) => resolve([code, reason]));
        });
      });
      await once(client, "open");
      const messages = Array.from({ length: 300 }, (_, i) => `${i} `.repeat(1 + (i % 50)));
      for (const message of messages) client.send(message);
      client.close(1_000, "done");
      const [code, reason] = await ended;
      expect([code, `${reason}`]).toEqual([1_000, "done"]);
      expect(received).toEqual(messages);
      close();
    });
  });

  it("tells the other side when one is terminated", async () => {
    await cross(
      way,
      async (ends) => {
        const { client, server, close } = connect(ends);
        const ended = new Promise<number>((resolve) => {
          server.on("connection", (socket) => {
            socket.on("error", () => {}).on("close", resolve);
          });
        });
        await once(client, "open");
        client.terminate();
        expect(await ended).toBe(1_006);
        close();
      },
      { isAborted: true },
    );
  });
});

function connect({ a, b }: Ends, options: { perMessageDeflate?: boolean } = {}) {
  const server = new WebSocketServer({ noServer: true, ...options });
  const http = createServer().on("upgrade", (request, socket, head) => {
    server.handleUpgrade(request, socket, head, (webSocket) => {
      server.emit("connection", webSocket, request);
    });
  });
  http.emit("connection", b);
  const createConnection = () => a;
  const client = new WebSocket("ws://culvert/", { createConnection, ...options });
  const close = (): void => {
    server.close();
    http.close();
  };
  return { client, server, close };
}
