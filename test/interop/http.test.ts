import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import {
  Agent,
  createServer,
  type IncomingMessage,
  type RequestListener,
  type RequestOptions,
  request,
  type Server,
} from "node:http";
import { type Duplex, Readable } from "node:stream";
import { buffer, text } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import { describe, expect, it } from "vitest";
import { cross, WAYS } from "./ways.ts";

/** An agent with one connection, which it is given. */
class OneConnection extends Agent {
  readonly #socket: Duplex;

  constructor(socket: Duplex, options: { keepAlive: boolean }) {
    super({ ...options, maxSockets: 1 });
    this.#socket = socket;
  }

  override createConnection(): Duplex {
    return this.#socket;
  }
}

describe.each(WAYS)("http over %s", (_name, way) => {
  it("carries requests one after another on one connection, and large bodies", async () => {
    await cross(way, async ({ a, b }) => {
      const server = serve(b, async (incoming, outgoing) => {
        const hash = createHash("sha256");
        for await (const chunk of incoming) hash.update(chunk);
        outgoing.setHeader("x-path", incoming.url ?? "").end(hash.digest("hex"));
      });
      const agent = new OneConnection(a, { keepAlive: true });
      for (const size of [0, 10, 200_000]) {
        const body = randomBytes(size);
        const answer = await ask({ agent, method: "POST", path: `/${size}` }, body);
        expect(await text(answer)).toBe(createHash("sha256").update(body).digest("hex"));
        expect([answer.statusCode, answer.headers["x-path"]]).toEqual([200, `/${size}`]);
        expect(answer.headers.connection).toBe("keep-alive");
      }
      await farewell(agent, server);
    });
  });

  it("streams in chunks both ways at once, with trailers", async () => {
    await cross(way, async ({ a, b }) => {
      const server = serve(b, async (incoming, outgoing) => {
        outgoing.writeHead(200, { trailer: "x-bytes" });
        let bytes = 0;
        incoming.on("data", (chunk: Buffer) => {
          bytes += chunk.length;
        });
        await pipeline(incoming, outgoing, { end: false });
        outgoing.addTrailers({ "x-bytes": `${bytes}` });
        outgoing.end();
      });
      const agent = new OneConnection(a, { keepAlive: true });
      const body = randomBytes(150_000);
      const asked = request({ agent, host: "culvert", method: "POST" });
      const answered = once(asked, "response");
      await pipeline(Readable.from(pieces(body, 7_001)), asked);
      const [answer] = await answered;
      expect(body.equals(await buffer(answer))).toBe(true);
      expect(answer.headers["transfer-encoding"]).toBe("chunked");
      expect(answer.trailers).toEqual({ "x-bytes": "150000" });
      await farewell(agent, server);
    });
  });

  it("waits for a slow reader, and tells the client of 100-continue", async () => {
    await cross(way, async ({ a, b }) => {
      const body = randomBytes(250_000);
      const server = serve(b, (_incoming, outgoing) => outgoing.end(body));
      const agent = new OneConnection(a, { keepAlive: true });
      const headers = { expect: "100-continue", "content-length": 5 };
      const asked = request({ agent, host: "culvert", method: "PUT", headers });
      asked.flushHeaders();
      const answered = once(asked, "response");
      await once(asked, "continue");
      asked.end("12345");
      const [answer] = await answered;
      const chunks: Buffer[] = [];
      for await (const chunk of answer) {
        if (chunks.push(chunk) % 8 === 0) await new Promise((resolve) => setTimeout(resolve, 20));
      }
      expect(body.equals(Buffer.concat(chunks))).toBe(true);
      await farewell(agent, server);
    });
  });

  it("closes when the client asks for it, without an agent", async () => {
    await cross(way, async ({ a, b }) => {
      const server = serve(b, (_incoming, outgoing) => outgoing.end("bye"));
      const answer = await ask({ createConnection: () => a });
      expect(await text(answer)).toBe("bye");
      expect(answer.headers.connection).toBe("close");
      server.close();
    });
  });
});

function serve(socket: Duplex, listener: RequestListener): Server {
  const server = createServer(listener);
  server.emit("connection", socket);
  return server;
}

async function ask(options: RequestOptions, body?: Uint8Array): Promise<IncomingMessage> {
  const asked = request({ host: "culvert", ...options });
  asked.end(body);
  const [answer] = await once(asked, "response");
  return answer;
}

/** Has the connection closed by both, after one more request. */
async function farewell(agent: Agent, server: Server): Promise<void> {
  const last = await ask({ agent, headers: { connection: "close" } });
  last.resume();
  await once(last, "end");
  agent.destroy();
  server.close();
}

function* pieces(bytes: Buffer, length: number): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += length) yield bytes.subarray(at, at + length);
}
