import { once } from "node:events";
import { createServer as createHttpServer, request } from "node:http";
import { type AddressInfo, connect, createServer } from "node:net";
import { text } from "node:stream/consumers";
import { expect, test } from "vitest";
import { type Culvert, Machine } from "./culvert.ts";

const TICKET = /culvert1[a-z0-9]+/;

async function portOf(culvert: Culvert): Promise<number> {
  const [, port] = await culvert.says(/connections to 127\.0\.0\.1:(\d+)/);
  return Number(port);
}

async function ask(port: number, path: string): Promise<string> {
  const asking = request({ host: "127.0.0.1", port, path, agent: false }).end();
  const [answer] = await once(asking, "response");
  return await text(answer);
}

test("carries many http connections at once, and again after a kill", async () => {
  await using machine = await Machine.create();
  const { endpoint } = await machine.map("--memory", "--cell", "2048");
  const server = createHttpServer((asked, answer) => answer.end(`you asked for ${asked.url}`));
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  const near = machine.culvert("forward", "--to", `127.0.0.1:${port}`, "--map", endpoint);
  const [ticket] = await near.says(TICKET);
  const words = ["forward", ticket, "--listen", "127.0.0.1:0", "--map", endpoint];
  const far = machine.culvert(...words);
  const paths = ["/a", "/b", "/c", "/d"];
  const entrance = await portOf(far);
  const answers = await Promise.all(paths.map((path) => ask(entrance, path)));
  expect(answers).toEqual(paths.map((path) => `you asked for ${path}`));
  far.process.kill("SIGKILL");
  await far.ended;
  const again = machine.culvert(...words);
  expect(await ask(await portOf(again), "/again")).toBe("you asked for /again");
  server.close();
}, 120_000);

test("carries bytes until both ways have ended, and resets what leads nowhere", async () => {
  await using machine = await Machine.create();
  const { endpoint } = await machine.map("--memory", "--cell", "2048");
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on("end", () => socket.end("and goodbye"));
    socket.on("data", (bytes) => socket.write(bytes));
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  const near = machine.culvert(
    ...["forward", "--to", `127.0.0.1:${port}`, "--listen", "127.0.0.1:0", "--map", endpoint],
  );
  const [ticket] = await near.says(TICKET);
  const far = machine.culvert("forward", ticket, "--listen", "127.0.0.1:0", "--map", endpoint);
  const socket = connect({ port: await portOf(far), host: "127.0.0.1", allowHalfOpen: true });
  socket.end("hello ");
  expect(await text(socket)).toBe("hello and goodbye");
  // The far end was told nothing of where connections should go.
  const lost = connect(await portOf(near), "127.0.0.1");
  await expect(once(lost, "close")).rejects.toMatchObject({ code: "ECONNRESET" });
  server.close();
}, 120_000);

test("says why a connection led nowhere, and gives no ticket where it cannot listen", async () => {
  await using machine = await Machine.create();
  const { endpoint } = await machine.map("--memory", "--cell", "2048");
  const server = createServer();
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  const taken = `127.0.0.1:${port}`;
  const failed = await machine.run("forward", "--listen", taken, "--map", endpoint);
  expect(failed.stderr, "and no progress before").toMatch(/^culvert: error: cannot listen on/);
  expect((await machine.run("status", "--json")).stdout).not.toContain("forward");
  expect(failed.stdout + failed.stderr).not.toMatch(TICKET);
  server.close();
  await once(server, "close");
  const near = machine.culvert("forward", "--to", taken, "--map", endpoint);
  const [ticket] = await near.says(TICKET);
  const far = machine.culvert("forward", ticket, "--listen", "127.0.0.1:0", "--map", endpoint);
  connect(await portOf(far), "127.0.0.1").on("error", () => {});
  await near.says(/was cut: \S+ \(ECONNREFUSED\)/);
  await far.says(/was cut: \S+ \(by the other side\)/);
}, 120_000);
