import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { StandalonePeer, VoidphoneApiClient } from "culvert/voidphone";
import { expect, test } from "vitest";
import { fromHex, SeededRandom, utf8 } from "../src/base/index.ts";
import { hashOf, ShippedPeer } from "../test/interop/voidphone/shipped-peer.ts";
import { Machine } from "./culvert.ts";
import { freePort } from "./free-port.ts";

/** Asks until the value is there: nobody is told when a put has arrived. */
async function eventually(
  from: { get(key: Uint8Array): Promise<Uint8Array | undefined> },
  key: Uint8Array,
): Promise<Uint8Array> {
  for (let tries = 0; tries < 200; tries++) {
    const value = await from.get(key);
    if (value !== undefined) return new Uint8Array(value);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error("the value has not come");
}

const NODE = ["node", "--listen", "udp://127.0.0.1:0", "--memory", "-c", "voidphone.ini"];

test("a node serves clients where VoidPhone's configuration file says, for any life", async () => {
  await using machine = await Machine.create();
  const endpoint = `127.0.0.1:${await freePort()}`;
  const lines = ["hostkey = key.pem", "[gossip]", "k = 5", "[dht]", `api_address = ${endpoint}`];
  await writeFile(join(machine.folder, "voidphone.ini"), lines.join("\r\n"));
  const node = machine.culvert(...NODE);
  await node.says(/alone so far/);
  const api = await VoidphoneApiClient.connect(endpoint);
  // 0 stands for as long as the node likes; 65,535 is the most that the message can say.
  for (const [number, ttlSeconds] of [0, 1_000, 65_535].entries()) {
    const key = new SeededRandom(number).bytes(32);
    api.put({ key, value: utf8(`for ${ttlSeconds} s`), ttlSeconds });
    expect(await eventually(api, key)).toEqual(utf8(`for ${ttlSeconds} s`));
  }
  api.close();
  node.process.kill("SIGTERM");
  expect((await node.ended).signal).toBeNull();
});

test("a node is a peer where that file says so, which the shipped peer joins", async () => {
  await using machine = await Machine.create();
  const [api, port] = [`127.0.0.1:${await freePort()}`, await freePort()];
  const lines = ["hostkey = key.pem", "[dht]", `api_address = ${api}`];
  lines.push(`p2p_address = 127.0.0.1:${port}`);
  await writeFile(join(machine.folder, "voidphone.ini"), lines.join("\n"));
  const node = machine.culvert(...NODE);
  await node.says(/alone so far/);
  const theirs = await ShippedPeer.start();
  const client = await VoidphoneApiClient.connect(api);
  try {
    await theirs.join("127.0.0.1", port);
    await theirs.put(hashOf("theirs"), Buffer.from("of theirs"), 600);
    expect(await eventually(client, fromHex(hashOf("theirs")))).toEqual(utf8("of theirs"));
    client.put({ key: fromHex(hashOf("ours")), value: utf8("of ours"), ttlSeconds: 600 });
    const get = () => theirs.get(hashOf("ours"));
    expect(await eventually({ get }, fromHex(hashOf("ours")))).toEqual(utf8("of ours"));
    expect(theirs.complaints).toEqual([]);
  } finally {
    client.close();
    await theirs.stop();
  }
  node.process.kill("SIGTERM");
  expect((await node.ended).signal).toBeNull();
});

test("a node that has restarted is no impostor to the shipped peer", async () => {
  await using machine = await Machine.create();
  const [api, port] = [`127.0.0.1:${await freePort()}`, await freePort()];
  const lines = ["hostkey = key.pem", "[dht]", `api_address = ${api}`];
  lines.push(`p2p_address = 127.0.0.1:${port}`);
  await writeFile(join(machine.folder, "voidphone.ini"), lines.join("\n"));
  const store = ["--store", join(machine.folder, "store")];
  const theirs = await ShippedPeer.start();
  try {
    for (const run of ["first", "second"]) {
      const node = machine.culvert(...NODE.filter((word) => word !== "--memory"), ...store);
      await node.says(/alone so far/);
      if (run === "first") await theirs.join("127.0.0.1", port);
      const client = await VoidphoneApiClient.connect(api);
      await theirs.put(hashOf(run), Buffer.from(run), 600);
      expect(await eventually(client, fromHex(hashOf(run)))).toEqual(utf8(run));
      client.close();
      node.process.kill("SIGTERM");
      await node.ended;
    }
    expect(theirs.complaints).toEqual([]);
  } finally {
    await theirs.stop();
  }
});

test("a node meets peers of the dialect midterm that its own file names", async () => {
  await using machine = await Machine.create();
  const peer = await StandalonePeer.start({
    dialect: "midterm",
    p2p: { host: "127.0.0.1", port: 0 },
    api: "127.0.0.1:0",
  });
  const theirs = await VoidphoneApiClient.connect(peer.apiEndpoint ?? "");
  const api = `127.0.0.1:${await freePort()}`;
  const midterm = `127.0.0.1:${await freePort()}`;
  const peers = `midterm-peers = ["127.0.0.1:${peer.self().port}"]`;
  const lines = ["[voidphone]", `api = "${api}"`, `midterm = "${midterm}"`, peers];
  await writeFile(join(machine.folder, "node.toml"), lines.join("\n"));
  const node = machine.culvert(...NODE.slice(0, -1), "node.toml");
  await node.says(/alone so far/);
  const ours = await VoidphoneApiClient.connect(api);
  try {
    // What they keep is found once they are met, and only then is there anybody to be given more.
    for (const [number, from, to] of [
      [1, theirs, ours],
      [2, ours, theirs],
    ] as const) {
      const key = new SeededRandom(number).bytes(32);
      from.put({ key, value: key.slice(0, 9), ttlSeconds: 600 });
      expect(await eventually(to, key)).toEqual(key.slice(0, 9));
    }
  } finally {
    ours.close();
    theirs.close();
    await peer.close();
  }
  node.process.kill("SIGTERM");
  expect((await node.ended).signal).toBeNull();
});

const HEAD = "hostkey = hostkey.pem\n";

test.each([
  ["no section", HEAD, /line 1: there is no section/],
  ["no hostkey", "[dht]\napi_address = 127.0.0.1:1\n", /line 1: there is no hostkey/],
  ["a key twice", `${HEAD}[dht]\napi_address = h:1\napi_address = h:2\n`, /line 4: .*line 3/],
  ["a section twice", `${HEAD}[dht]\napi_address = h:1\n[dht]\n`, /line 4: .*line 2/],
  ["a bad address", `${HEAD}[dht]\napi_address = 127.0.0.1\n`, /line 3: api_address/],
  ["a line that is none", `${HEAD}[dht]\nwhat\n`, /line 3: neither/],
])("a node is not started by a file with %s", async (_what, text, words) => {
  await using machine = await Machine.create();
  await writeFile(join(machine.folder, "voidphone.ini"), text);
  const run = await machine.run(...NODE);
  expect([run.code, run.stdout]).toEqual([2, ""]);
  expect(run.stderr).toMatch(/^culvert: error: .+\nculvert: hint: .+$/m);
  expect(run.stderr).toMatch(words);
  expect(run.stderr).not.toContain("    at ");
});
