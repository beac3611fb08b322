import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { RunningNode } from "culvert/node";
import {
  callPeer,
  MIDTERM,
  type PeerRequest,
  VoidphoneApiClient,
  VoidphoneOnionClient,
  VoidphoneRpsClient,
} from "culvert/voidphone";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { fromHex, SeededRandom, utf8 } from "../../src/base/index.ts";
import { blindPublicKey, rootPublicKey } from "../../src/crypto/index.ts";
import { isFault, parseRecord, verifyRecord } from "../../src/mapservice/index.ts";
import { eventualBytes } from "./eventually.ts";
import { InProcessNetwork, until } from "./in-process-network.ts";
import { hashOf, ShippedPeer } from "./voidphone/shipped-peer.ts";

const CELL = 1_024;
const HOST = "127.0.0.1";
const PORTS = { api: `${HOST}:0`, onion: `${HOST}:0`, rps: `${HOST}:0`, midterm: undefined };
const GEOMETRY = { cellBytes: CELL, onionBytes: 2_048, onionHopsMax: 5 };

describe("nodes with VoidPhone's interfaces", () => {
  const network = new InProcessNetwork({ geometry: GEOMETRY });
  const foreign: ShippedPeer[] = [];
  let [first, last]: (RunningNode | undefined)[] = [];
  let directory = "";

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "culvert-voidphone-"));
    foreign.push(await ShippedPeer.start());
    const finalPeers = foreign.map(({ port }) => `${HOST}:${port}`);
    const peers = { midterm: `${HOST}:0`, final: `${HOST}:0`, midtermPeers: [], finalPeers };
    const voidphone = { ...PORTS, ...peers };
    first = await network.add({ directory, voidphone });
    await network.start(3);
    last = await network.add({
      voidphone: { ...PORTS, final: undefined, midtermPeers: [], finalPeers: [] },
    });
  });
  afterAll(async () => {
    await network.stop();
    for (const peer of foreign) await peer.stop();
    await rm(directory, { recursive: true });
  });

  async function withApis(
    work: (one: VoidphoneApiClient, other: VoidphoneApiClient) => Promise<void>,
  ): Promise<void> {
    const one = await VoidphoneApiClient.connect(first?.voidphone.api ?? "");
    const other = await VoidphoneApiClient.connect(last?.voidphone.api ?? "");
    await work(one, other);
    one.close();
    other.close();
  }

  it("give a client at one what a client at another has put", () =>
    withApis(async (one, other) => {
      const key = new SeededRandom(1).bytes(32);
      one.put({ key, value: utf8("from one end"), ttlSeconds: 600 });
      expect(await eventualBytes(() => other.get(key))).toEqual(utf8("from one end"));
      expect(await other.get(new SeededRandom(2).bytes(32))).toBeUndefined();
    }));

  it("give a record of the Map as the value of its address, whatever is put there beside it", () =>
    withApis(async (one, other) => {
      const [seed, frame] = [new SeededRandom(3).bytes(32), new SeededRandom(4).bytes(32)];
      const payload = new SeededRandom(5).bytes(CELL);
      const client = await network.client("direct");
      await client.transport().bind({ writeSeed: seed }).put(frame, payload, { ttlSeconds: 600 });
      await client.close();
      const address = blindPublicKey(rootPublicKey(seed), frame);
      const bytes = (await eventualBytes(() => other.get(address))) ?? new Uint8Array();
      const forged = bytes.slice();
      forged[forged.length - 1] = (forged.at(-1) ?? 0) ^ 1;
      one.put({ key: address, value: forged, ttlSeconds: 600 });
      await eventualBytes(() => one.get(address));
      const record = parseRecord((await other.get(address)) ?? new Uint8Array(), CELL);
      if (isFault(record)) throw new Error(record);
      expect(Buffer.from(record.address).equals(address)).toBe(true);
      expect(verifyRecord(record)).toBe(true);
      expect(Buffer.from(record.payload).equals(payload)).toBe(true);
    }));

  it(
    "exchange values with foreign peers, whoever has joined whom",
    () =>
      withApis(async (_one, other) => {
        const [met] = foreign;
        const joining = await ShippedPeer.start();
        foreign.push(joining);
        const { final = "" } = first?.voidphone ?? {};
        await joining.join(HOST, Number(final.split(":").at(-1)));
        for (const peer of [met, joining]) {
          const text = `foreign ${peer?.id}`;
          await peer?.put(hashOf(text), Buffer.from(text), 600);
          expect(await eventualBytes(() => other.get(fromHex(hashOf(text))))).toEqual(utf8(text));
        }
        const api = await VoidphoneApiClient.connect(first?.voidphone.api ?? "");
        api.put({ key: fromHex(hashOf("ours")), value: utf8("ours"), ttlSeconds: 600 });
        for (const peer of [met, joining]) {
          const got = async () => await peer?.get(hashOf("ours"));
          expect(await eventualBytes(got)).toEqual(utf8("ours"));
        }
        api.close();
        expect(foreign.flatMap(({ complaints }) => complaints)).toEqual([]);
      }),
    60_000,
  );

  it("keep what a peer of the dialect midterm stores, for all", () =>
    withApis(async (_one, other) => {
      const { midterm = "" } = first?.voidphone ?? {};
      const at = { host: HOST, port: Number(midterm.split(":").at(-1)) };
      const random = new SeededRandom(6);
      const [key, value] = [random.bytes(32), utf8("from the midterm")];
      const rpcId = random.bytes(32);
      const ask = (request: PeerRequest) => callPeer(at, request, { dialect: MIDTERM });
      const wish = { ttlSeconds: 600, replication: 5 };
      const stored = await ask({ kind: "store", rpcId, key, value, ...wish });
      expect(stored?.kind).toBe("stored");
      expect(await eventualBytes(() => other.get(key))).toEqual(value);
      const found = await ask({ kind: "find-value", rpcId, key });
      expect(found?.kind === "value" && Buffer.from(found.value).toString()).toBe(
        "from the midterm",
      );
      expect((await ask({ kind: "find-node", rpcId, target: key }))?.kind).toBe("nodes");
    }));

  it("build tunnels to random peers, and carry data both ways", async () => {
    const heard: string[] = [];
    const tell = (who: string) => ({
      incoming: (id: number): void => {
        heard.push(`${who}: incoming`);
        ids.push(id);
      },
      data: (_id: number, data: Uint8Array): void => {
        heard.push(`${who}: ${Buffer.from(data)}`);
      },
      failed: (request: string): void => {
        heard.push(`${who}: ${request} failed`);
      },
      closed: () => {},
    });
    const ids: number[] = [];
    const near = await VoidphoneOnionClient.connect(first?.voidphone.onion ?? "", tell("near"));
    const far = await VoidphoneOnionClient.connect(last?.voidphone.onion ?? "", tell("far"));
    const rps = await VoidphoneRpsClient.connect(first?.voidphone.rps ?? "");
    const port = Number(last?.contacts[0]?.split(":").at(-1));
    let peer = await rps.query();
    for (let tries = 0; peer.port !== port && tries < 200; tries++) peer = await rps.query();
    expect(peer.host).toBe(HOST);
    near.cover(1_000);
    const tunnel = await near.build({ host: peer.host, port, hostKey: peer.hostKey });
    await until(() => ids.length === 1);
    near.send(tunnel, utf8("hello"));
    await until(() => heard.includes("far: hello"));
    far.send(ids[0] ?? 0, utf8("welcome"));
    await until(() => heard.includes("near: welcome"));
    near.destroy(tunnel);
    expect(heard).toEqual(["far: incoming", "far: hello", "near: welcome"]);
    near.close();
    far.close();
    rps.close();
    const guards = await eventualBytes(() =>
      readFile(join(directory, "guards")).catch(() => undefined),
    );
    expect(guards?.length).toBeGreaterThan(0);
  });
});
