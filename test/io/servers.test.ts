import { statSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ByteServer, listenAt } from "../../src/io/byte-server.ts";
import { serveText } from "../../src/io/text-server.ts";
import { serverAt } from "./server-at.ts";

/** What Node says when it could not take a connection, for want of descriptors. */
const fail = (server: Server): boolean => server.emit("error", new Error("accept EMFILE"));

describe("a server that could not take a connection", () => {
  it("of bytes goes on", async () => {
    const server = await ByteServer.listen({
      endpoint: { kind: "tcp", host: "127.0.0.1", port: 0 },
      connectionsMax: 1,
      onConnection: (connection) => connection.close(true),
    });
    const port = server.endpoint.kind === "tcp" ? server.endpoint.port : 0;
    for (let times = 0; times < 3; times++) expect(fail(serverAt(port))).toBe(true);
    await server.close();
  });

  it("of a page goes on", async () => {
    const page = { path: "/", contentType: "text/plain", text: async () => "here" };
    const { port, close } = await serveText({ host: "127.0.0.1", port: 0 }, page);
    for (let times = 0; times < 3; times++) expect(fail(serverAt(port))).toBe(true);
    const answer = await fetch(`http://127.0.0.1:${port}/`);
    expect(await answer.text()).toBe("here");
    await close();
  });
});

it("that cannot be made this user's alone does not listen", async () => {
  const server = createServer();
  // Such a name is no file: Linux listens there, and has no mode to set.
  const endpoint = { kind: "unix", path: `\0culvert-${process.pid}` } as const;
  await expect(listenAt(server, endpoint)).rejects.toMatchObject({ code: "CULVERT_UNREACHABLE" });
  expect(server.listening).toBe(false);
});

it("at a UNIX socket is this user's alone from the first moment on", async () => {
  const folder = await mkdtemp(join(tmpdir(), "culvert-socket-"));
  const umask = process.umask(0);
  try {
    const path = join(folder, "socket");
    const server = createServer();
    let mode: number | undefined;
    server.once("listening", () => {
      mode = statSync(path).mode & 0o077;
    });
    await listenAt(server, { kind: "unix", path });
    expect(mode).toBe(0);
    expect(process.umask(0)).toBe(0);
    server.close();
  } finally {
    process.umask(umask);
    await rm(folder, { recursive: true });
  }
});
