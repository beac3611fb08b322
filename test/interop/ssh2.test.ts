import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { promisify } from "node:util";
import ssh2, { type Client, type ConnectConfig } from "ssh2";
import { describe, expect, it } from "vitest";
import { sshServer } from "./ssh-server.ts";
import { cross, type Ends, WAYS } from "./ways.ts";

// Not ed25519: of those that ssh2 makes it cannot read one in 256.
const { private: hostKey } = ssh2.utils.generateKeyPairSync("ecdsa", { bits: 256 });
const PASSWORD = "correct horse";

describe.each(WAYS)("ssh2 over %s", (_name, way) => {
  it("executes commands, with input, output, errors and exit codes", async () => {
    await cross(way, async (ends) => {
      const { client } = await connect(ends);
      const channel = await promisify((command: string, done: Parameters<Client["exec"]>[1]) =>
        client.exec(command, done),
      )("sha256sum");
      const exited = once(channel, "exit");
      const errors = text(channel.stderr);
      const input = randomBytes(100_000);
      channel.end(input);
      expect(await text(channel)).toBe(createHash("sha256").update(input).digest("hex"));
      expect([await errors, (await exited)[0]]).toEqual(["ran sha256sum", 7]);
      await leave(client);
    });
  });

  it("carries files by sftp, both ways", async () => {
    await cross(way, async (ends) => {
      const { client, files } = await connect(ends);
      const content = randomBytes(120_000);
      files.set("/there", content);
      const sftp = await promisify((done: Parameters<Client["sftp"]>[0]) => client.sftp(done))();
      const write = promisify((path: string, data: Buffer, done: (error?: Error | null) => void) =>
        sftp.writeFile(path, data, done),
      );
      const read = promisify(
        (path: string, done: (error: Error | undefined | null, data: Buffer) => void) =>
          sftp.readFile(path, done as Parameters<typeof sftp.readFile>[1]),
      );
      const [, fetched] = await Promise.all([write("/here", content), read("/there")]);
      expect(files.get("/here")?.equals(content)).toBe(true);
      expect(content.equals(fetched)).toBe(true);
      await expect(read("/nowhere")).rejects.toThrow("No such file");
      await leave(client);
    });
  });

  it("refuses who does not know the password", async () => {
    await cross(way, async (ends) => {
      await expect(connect(ends, { password: "wrong" })).rejects.toThrow("authentication");
    });
  });
});

async function connect(
  { a, b }: Ends,
  config: ConnectConfig = {},
): Promise<{ client: Client; files: Map<string, Buffer> }> {
  const files = new Map<string, Buffer>();
  const run = (_command: string, input: Buffer): string => {
    return createHash("sha256").update(input).digest("hex");
  };
  const server = sshServer({ hostKey, password: PASSWORD, run, files });
  server.injectSocket(b);
  const client = new ssh2.Client();
  client.connect({ sock: a, username: "user", password: PASSWORD, ...config });
  await once(client, "ready");
  return { client, files };
}

async function leave(client: Client): Promise<void> {
  const closed = once(client, "close");
  client.end();
  await closed;
}
