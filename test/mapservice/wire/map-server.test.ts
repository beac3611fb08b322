import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { LevelRecordStore, startMapServer } from "../../../src/mapservice/index.ts";
import {
  encodeClientMessage,
  readNodeMessage,
  WIRE_VERSION,
} from "../../../src/mapservice/wire/wire.ts";

it("waits for no client that is silent when it is closed", async () => {
  const server = await startMapServer({ listen: ["127.0.0.1:0"], payloadSize: 40 });
  const [, port] = /:(\d+)$/.exec(server.endpoints[0] ?? "") ?? [];
  // It never ends its own half, as one whose machine sleeps.
  const client = connect({ port: Number(port), host: "127.0.0.1", allowHalfOpen: true });
  onTestFinished(() => void client.destroy());
  const versions = { versionMin: WIRE_VERSION, versionMax: WIRE_VERSION };
  client.write(encodeClientMessage({ kind: "hello", ...versions }));
  const [greeting] = await once(client, "data");
  const goodbye = once(client, "data");
  const closing = server.close();
  expect(greeting.length).toBeGreaterThan(4);
  const [last] = await goodbye;
  expect(readNodeMessage(last.subarray(4), 40)).toEqual({ kind: "goodbye", reason: "closing" });
  await closing;
}, 3_000);

it("leaves no folder in use when it is started with options that cannot be", async () => {
  const directory = await mkdtemp(join(tmpdir(), "culvert-map-server-"));
  const options = { listen: [], payloadSize: 40, directory };
  const wrong = [{ limits: { linksMax: 0 } }, { faults: { lose: 2, seed: 1 } }];
  for (const given of wrong) {
    await expect(startMapServer({ ...options, ...given })).rejects.toBeInstanceOf(RangeError);
  }
  const sizes = { payloadSize: 40, entriesMax: 10, bytesMax: 10_000 };
  const store = await LevelRecordStore.open({ ...sizes, path: join(directory, "records") });
  await store.close();
  await rm(directory, { recursive: true });
});
