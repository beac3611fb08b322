import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { expect, it, onTestFinished } from "vitest";
import { VoidphoneOnionClient } from "../../../src/voidphone/index.ts";
import { MessageBuffer } from "../../../src/voidphone/message.ts";
import {
  encodeOnionNotice,
  type OnionNotice,
  type OnionRequest,
  readOnionRequest,
} from "../../../src/voidphone/onion/onion-messages.ts";

const HOST = "127.0.0.1";
/** A place in line is kept for as long again: a machine that is busy must answer within that. */
const ANSWER_MS = 1_500;
const IGNORED = { incoming: () => {}, data: () => {}, failed: () => {}, closed: () => {} };

/** An onion module that says what it is told to, when it is told to. */
class SlowModule {
  readonly asked: OnionRequest[] = [];
  #client: Socket | undefined;
  #tell = (): void => {};

  async listen(): Promise<string> {
    const server = createServer((socket) => {
      this.#client = socket;
      const buffer = new MessageBuffer();
      socket.on("data", (chunk: Uint8Array) => {
        buffer.push(new Uint8Array(chunk));
        for (let message = buffer.take(); message !== undefined; message = buffer.take()) {
          this.asked.push(readOnionRequest(message.slice()));
        }
        this.#tell();
      });
    });
    server.listen(0, HOST);
    await once(server, "listening");
    onTestFinished(() => {
      this.#client?.destroy();
      server.close();
    });
    return `${HOST}:${(server.address() as AddressInfo).port}`;
  }

  async hasHeard(count: number): Promise<void> {
    while (this.asked.length < count) {
      await new Promise<void>((resolve) => {
        this.#tell = resolve;
      });
    }
  }

  say(notice: OnionNotice): void {
    this.#client?.write(encodeOnionNotice(notice));
  }
}

it("a build that was given up is not answered in the place of the next one", async () => {
  const module = new SlowModule();
  const endpoint = await module.listen();
  const client = await VoidphoneOnionClient.connect(endpoint, IGNORED, { answerMs: ANSWER_MS });
  onTestFinished(() => client.close());
  const target = (key: number) => ({ host: HOST, port: 7, hostKey: Uint8Array.of(key) });
  const ready = (key: number, tunnelId: number): OnionNotice => {
    return { kind: "ready", tunnelId, hostKey: Uint8Array.of(key) };
  };

  await expect(client.build(target(1))).rejects.toMatchObject({ code: "CULVERT_TIMEOUT" });
  const second = client.build(target(2));
  await module.hasHeard(2);
  module.say(ready(1, 11));
  await module.hasHeard(3);
  expect(module.asked[2]).toEqual({ kind: "destroy", tunnelId: 11 });
  module.say(ready(2, 22));
  expect(await second).toBe(22);

  await expect(client.build(target(3))).rejects.toMatchObject({ code: "CULVERT_TIMEOUT" });
  const fourth = client.build(target(4));
  await module.hasHeard(5);
  const refused: OnionNotice = { kind: "error", request: "build", tunnelId: 0 };
  module.say(refused);
  module.say(ready(4, 44));
  expect(await fourth).toBe(44);
  const fifth = client.build(target(5));
  await module.hasHeard(6);
  module.say(refused);
  await expect(fifth).rejects.toMatchObject({ code: "CULVERT_REFUSED" });
});
