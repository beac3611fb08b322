import { once } from "node:events";
import { mkdtemp, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { type AddressInfo, connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { generateSecret, Stream } from "culvert";
import { MemoryTransport } from "culvert/transport";
import { afterEach, beforeEach, expect, onTestFinished, test } from "vitest";
import { explain } from "../../../src/cli/failure.ts";
import { Forwarding, type ForwardingOptions } from "../../../src/cli/forward/forwarding.ts";
import type { Endpoint } from "../../../src/io/endpoint.ts";
import { serverAt } from "../../io/server-at.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "culvert-forwarding-"));
});
afterEach(() => rm(folder, { recursive: true }));

async function forwardFrom(
  path: string,
  tell: (...said: readonly unknown[]) => void = () => {},
): Promise<Forwarding> {
  const stream = Stream.listen(new MemoryTransport(), generateSecret());
  onTestFinished(() => stream.halt());
  return await Forwarding.start({
    secret: new Uint8Array(32).fill(1),
    role: "listener",
    stream,
    listen: { kind: "unix", path },
    target: undefined,
    tell,
  });
}

/** Both ends of a forwarding from a socket in the folder to `target`: gives the end there. */
async function forwardTo(
  target: Endpoint,
  tell: (...said: readonly unknown[]) => void,
): Promise<Forwarding> {
  const transport = new MemoryTransport();
  const [secret, seed] = [new Uint8Array(32).fill(1), generateSecret()];
  const listen = { kind: "unix", path: join(folder, "socket") } as const;
  const start = async (
    role: "listener" | "dialer",
    what: Pick<ForwardingOptions, "listen" | "target" | "tell">,
  ): Promise<Forwarding> => {
    const stream = Stream[role === "listener" ? "listen" : "dial"](transport, seed);
    onTestFinished(() => stream.halt());
    const end = await Forwarding.start({ ...what, secret: secret.slice(), role, stream });
    onTestFinished(() => end.close());
    return end;
  };
  const atTarget = await start("listener", { listen: undefined, target, tell });
  await start("dialer", { listen, target: undefined, tell: () => {} });
  return atTarget;
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

test("a file of that name is left as it is", async () => {
  const path = join(folder, "precious");
  await writeFile(path, "letters");
  const failure = explain(await forwardFrom(path).catch((error: unknown) => error));
  expect(failure).toMatchObject({ code: "CULVERT_UNREACHABLE", exit: 5 });
  expect(await readFile(path, "utf8")).toBe("letters");
});

test("a connection that could not be taken ends nothing but itself", async () => {
  const path = join(folder, "socket");
  const forwarding = await forwardFrom(path);
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  const server = serverAt(path);
  for (let times = 0; times < 3; times++) server.emit("error", new Error("accept EMFILE"));
  await forwarding.close();
});

test("a connection beyond those that there may be is cut, and that is told", async () => {
  const path = join(folder, "socket");
  const said: (readonly unknown[])[] = [];
  const forwarding = await forwardFrom(path, (...words) => said.push(words));
  const sockets = Array.from({ length: 257 }, () => connect(path));
  await Promise.race(sockets.map((socket) => once(socket, "close")));
  await expect.poll(() => said).toEqual([["refused", `unix:${path}`, "256 are open"]]);
  for (const socket of sockets) socket.destroy();
  await forwarding.close();
});

test("a target whose path no socket has room for is not another one", async () => {
  const path = join(folder, "x".repeat(108 - folder.length - 1));
  const server = createServer().listen(path);
  let connections = 0;
  server.on("connection", () => {
    connections += 1;
  });
  await once(server, "listening");
  onTestFinished(() => void server.close());
  const said: (readonly unknown[])[] = [];
  await forwardTo({ kind: "unix", path: `${path}er` }, (...words) => said.push(words));
  const socket = connect(join(folder, "socket")).on("error", () => {});
  onTestFinished(() => void socket.destroy());
  await Promise.race([once(socket, "close"), once(server, "connection")]);
  const refused = ["refused", `unix:${path}er`, "ENAMETOOLONG"];
  await expect.poll(() => said).toContainEqual(refused);
  expect(connections).toBe(0);
});

test("a connection that is cut while it is made does not look as if all were said", async () => {
  const ends: unknown[] = [];
  const server = createServer((socket) => {
    socket.on("error", ({ code }: NodeJS.ErrnoException) => ends.push(code));
    socket.on("end", () => ends.push("end"));
    socket.resume();
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  let atTarget: Forwarding | undefined;
  // Told when the connection is about to be begun: in the next tick the system makes it.
  const tell = (event: unknown): void => {
    if (event === "open") process.nextTick(() => void atTarget?.close());
  };
  atTarget = await forwardTo({ kind: "tcp", host: "127.0.0.1", port }, tell);
  const socket = connect(join(folder, "socket")).on("error", () => {});
  onTestFinished(() => void socket.destroy());
  await expect.poll(() => ends).toEqual(["ECONNRESET"]);
});
