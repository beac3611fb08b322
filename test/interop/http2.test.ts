import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { connect, createServer } from "node:http2";
import { text } from "node:stream/consumers";
import { describe, expect, it } from "vitest";
import { cross, WAYS } from "./ways.ts";

describe.each(WAYS)("http2 over %s", (_name, way) => {
  it("carries many requests at once on one connection", async () => {
    await cross(way, async ({ a, b }) => {
      const server = createServer(async (incoming, outgoing) => {
        const hash = createHash("sha256");
        for await (const chunk of incoming) hash.update(chunk);
        outgoing.end(hash.digest("hex"));
      });
      server.emit("connection", b);
      const client = connect("http://culvert", { createConnection: () => a });
      const answers = [1, 1_000, 50_000, 100_000].map(async (size) => {
        const body = randomBytes(size);
        const stream = client.request({ ":method": "POST", ":path": `/${size}` });
        stream.end(body);
        // Node 24 closes what came whole over a Duplex before a promise can begin to read it.
        const [answer, [headers]] = await Promise.all([text(stream), once(stream, "response")]);
        expect(headers[":status"]).toBe(200);
        expect(answer).toBe(createHash("sha256").update(body).digest("hex"));
      });
      await Promise.all(answers);
      const closed = once(client, "close");
      client.close();
      await closed;
      server.close();
    });
  });
});
