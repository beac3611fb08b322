import { once } from "node:events";
import { createServer, get } from "node:http";
import * as http2 from "node:http2";
import type { Duplex } from "node:stream";
import { text } from "node:stream/consumers";
import { pair } from "culvert/testing";
import { describe, expect, it } from "vitest";
import { type Ends, openOverLink } from "./ways.ts";

type OpenEnds = () => Promise<Ends & { close(): Promise<void> }>;

/** Two ends of a stream that end as sockets do. */
const WAYS: readonly (readonly [name: string, open: OpenEnds])[] = [
  ["a lossy Map", () => pair({ rtt: 20, loss: 0.1, seed: 3, open: { endsAsSocket: true } })],
  ["a link over TCP", () => overLink("tcp")],
  ["a link over UDP", () => overLink("udp")],
];

describe.each(WAYS)("over %s", (_name, open) => {
  it("a server of http answers before it is closed", async () => {
    const { a, b, close } = await open();
    const server = createServer((_incoming, outgoing) => {
      // It closes the connection as idle, with the answer still on its way.
      outgoing.on("close", () => server.close()).end("the answer");
    });
    server.emit("connection", b);
    const asked = get({ createConnection: () => a });
    const [answer] = await once(asked, "response");
    expect(await text(answer)).toBe("the answer");
    await close();
  });

  it("a server of http says what was wrong, also to who reads it later", async () => {
    const { a, b, close } = await open();
    const server = createServer();
    server.emit("connection", b);
    a.write("no http\r\n\r\n");
    await new Promise((resolve) => b.once("close", resolve));
    await once(a, "readable");
    expect(await text(a)).toMatch(/^HTTP\/1.1 400 Bad Request/);
    a.destroy();
    await close();
  });

  it("a server of http2 outlives clients that leave while it answers", async () => {
    for (const leaveMs of [0, 30, 60]) {
      const { a, b, close } = await open();
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
});

async function overLink(carrier: "tcp" | "udp"): ReturnType<OpenEnds> {
  const { a, b, close } = await openOverLink(carrier);
  for (const end of [a, b]) end.endsAsSocket = true;
  return { a, b, close };
}
