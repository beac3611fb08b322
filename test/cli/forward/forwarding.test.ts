import { once } from "node:events";
import { mkdtemp, rename, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Duplex } from "node:stream";
import { afterEach, beforeEach, expect, test } from "vitest";
import { explain } from "../../../src/cli/failure.ts";
import { Forwarding } from "../../../src/cli/forward/forwarding.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "culvert-forwarding-"));
});
afterEach(() => rm(folder, { recursive: true }));

async function forwardFrom(path: string): Promise<Forwarding> {
  return await Forwarding.start({
    secret: new Uint8Array(32).fill(1),
    role: "listener",
    stream: new Duplex({ read: () => {}, write: (_chunk, _encoding, done) => done() }),
    listen: { kind: "unix", path },
    target: undefined,
    tell: () => {},
  });
}

test("a socket that a killed process left behind is in nobody's way", async () => {
  const path = join(folder, "socket");
  const server = createServer().listen(join(folder, "other"));
  await once(server, "listening");
  // Elsewhere, its server does not remove it.
  await rename(join(folder, "other"), path);
  await new Promise((resolve) => server.close(resolve));
  const forwarding = await forwardFrom(path);
  expect(forwarding.endpoint).toBe(`unix:${path}`);
  await forwarding.close();
});

test("one that somebody listens at is left to them, and another is advised", async () => {
  const path = join(folder, "socket");
  const server = createServer((socket) => socket.resume()).listen(path);
  await once(server, "listening");
  const failure = explain(await forwardFrom(path).catch((error: unknown) => error));
  expect(failure).toMatchObject({ code: "CULVERT_UNREACHABLE", exit: 5 });
  expect(failure.hint).toContain("--listen");
  await new Promise((resolve) => server.close(resolve));
});
