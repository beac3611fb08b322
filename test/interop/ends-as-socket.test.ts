import { once } from "node:events";
import { createServer, get } from "node:http";
import * as http2 from "node:http2";
import type { Duplex } from "node:stream";
import { text } from "node:stream/consumers";
import { pair } from "culvert/testing";
import { expect, it } from "vitest";

const open = { endsAsSocket: true };

it("a server of http answers before it is closed, and says what was wrong", async () => {
  const { a, b, close } = await pair({ rtt: 50, loss: 0.1, seed: 3, open });
  const server = createServer((_incoming, outgoing) => {
    // It closes the connection as idle, with the answer still on its way.
    outgoing.on("close", () => server.close()).end("the answer");
  });
  server.emit("connection", b);
  const asked = get({ createConnection: (() => a) as () => never });
  const [answer] = await once(asked, "response");
  expect(await text(answer)).toBe("the answer");
  await close();

  const bad = await pair({ rtt: 50, open });
  const strict = createServer();
  strict.emit("connection", bad.b);
  bad.a.write("no http\r\n\r\n");
  expect(await text(bad.a)).toMatch(/^HTTP\/1.1 400 Bad Request/);
  await bad.close();
});

it("a server of http2 outlives clients that leave while it answers", async () => {
  for (const leaveMs of [0, 30, 60]) {
    const { a, b, close } = await pair({ rtt: 20, open });
    const errors: unknown[] = [];
    const server = http2.createServer((_incoming, outgoing) => outgoing.end("late"));
    const closed = new Promise((done) => server.on("session", (it) => it.on("close", done)));
    server.on("sessionError", (error) => errors.push(error)).emit("connection", b);
    const client = http2.connect("http://culvert", { createConnection: (): Duplex => a });
    client.on("error", (error) => errors.push(error));
    client.request().on("error", () => {});
    setTimeout(() => client.destroy(), leaveMs);
    await closed;
    expect(errors).toEqual([]);
    await close();
  }
});
