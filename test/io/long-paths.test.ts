import { mkdtemp, readdir, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { listenAt } from "../../src/io/byte-server.ts";
import { connectSocket } from "../../src/io/connect-socket.ts";
import { connectMap } from "../../src/mapservice/index.ts";

it("no socket is at another path than the one that was named, be that too long", async () => {
  const folder = await mkdtemp(join(tmpdir(), "culvert-paths-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const longest = join(folder, "x".repeat(108)).slice(0, 108);
  const server = createServer();
  onTestFinished(() => void server.close());
  const unix = (path: string) => ({ kind: "unix", path }) as const;
  const refused = { code: "CULVERT_UNREACHABLE", cause: { code: "ENAMETOOLONG" } };
  await expect(listenAt(createServer(), unix(`${longest}y`))).rejects.toMatchObject(refused);
  expect(await readdir(folder)).toEqual([]);
  await listenAt(server, unix(longest));
  await expect(connectSocket(unix(`${longest}y`))).rejects.toMatchObject(refused);
  (await connectSocket(unix(longest))).destroy();
  const map = connectMap(`unix:${longest}y`);
  await expect(map).rejects.toThrow("no Map answers at");
});
