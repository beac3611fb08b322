import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import {
  Broadcast,
  BufferedStream,
  CulvertError,
  generateSecret,
  Stream,
  Subscription,
} from "culvert";
import {
  connectMap,
  LevelRecordStore,
  MapClient,
  MapService,
  MemoryRecordStore,
  ReadCapability,
  startMapServer,
  WriteCapability,
} from "culvert/mapservice";
import * as testing from "culvert/testing";
import { LossyTransport, MemoryTransport, type Transport } from "culvert/transport";
import { describe, expect, it } from "vitest";
import { fromHex, toHex } from "../src/base/index.ts";
import { ROOT } from "./tidy/source.ts";

const run = promisify(execFile);

interface VectorStream {
  readonly context: string;
  readonly readCap: string;
  readonly writeCap: string;
  readonly boxes: readonly { boxId: string; message: string; signature: string }[];
}

/** Everything that comes out of a readable, as text. */
async function textOf(chunks: AsyncIterable<unknown>): Promise<string> {
  let text = "";
  for await (const chunk of chunks) text += String(chunk);
  return text;
}

describe("culvert and culvert/transport", () => {
  it("carry bytes and values between two who share a secret", async () => {
    const map: Transport = new MemoryTransport();
    const transport = new LossyTransport(map, { loss: 0.1, rttMs: 5, seed: 3 });
    const secret = generateSecret();
    const a = new BufferedStream(Stream.listen(transport, secret));
    const b = new BufferedStream(Stream.dial(transport, secret));
    await a.write({ hello: [1, 2, 3] });
    expect(await b.read()).toEqual({ hello: [1, 2, 3] });
    await Promise.all([a.close(), b.close()]);
    await Promise.all([a.stream.halt(), b.stream.halt()]);
  });

  it("fail with a CulvertError", () => {
    const dial = () => Stream.dial(new MemoryTransport(), "culvertsecret1nonsense");
    expect(dial).toThrow(CulvertError);
    expect(dial).toThrow(expect.objectContaining({ code: "CULVERT_BAD_TICKET" }));
  });

  it("carry one writer's bytes to a reader that can only read", async () => {
    const transport = new MemoryTransport();
    const writer = new Broadcast(transport);
    const reader = new Subscription(transport, writer.capability());
    writer.end("to whom it may concern");
    expect(await textOf(reader)).toBe("to whom it may concern");
    await writer.halt();
  });
});

describe("culvert/mapservice", () => {
  const vectors: { streams: readonly VectorStream[] } = JSON.parse(
    readFileSync(join(ROOT, "test/vectors/bacap.json"), "utf8"),
  );

  it.each(vectors.streams)(
    "has the capabilities of the reference",
    ({ readCap, writeCap, context: contextHex, boxes }) => {
      const context = fromHex(contextHex);
      let write = WriteCapability.fromBytes(fromHex(writeCap));
      let read = ReadCapability.fromBytes(fromHex(readCap));
      expect([toHex(write.toBytes()), toHex(read.toBytes())]).toEqual([writeCap, readCap]);
      expect("sign" in read).toBe(false);
      for (const { boxId, message, signature } of boxes) {
        expect([toHex(write.address(context)), toHex(read.address(context))]).toEqual([
          boxId,
          boxId,
        ]);
        expect(toHex(write.sign(context, fromHex(message)))).toBe(signature);
        [write, read] = [write.next(), read.next()];
      }
    },
  );

  it("has a service, a client for it, and the stores", async () => {
    const server = await startMapServer({ listen: ["127.0.0.1:0"], payloadSize: 512 });
    const map = await connectMap(server.endpoints[0] ?? "");
    const client = new MapClient(map);
    for (const part of [MapService, MemoryRecordStore, LevelRecordStore]) {
      expect(typeof part).toBe("function");
    }
    const secret = generateSecret();
    const a = Stream.listen(client, secret);
    const b = Stream.dial(client, secret);
    a.end("by way of a Map");
    expect(await textOf(b)).toBe("by way of a Map");
    await Promise.all([a.halt(), b.halt()]);
    map.close();
    await server.close();
  });
});

describe("culvert/testing", () => {
  it("has two connected streams over a lossy Map in memory, in real time", async () => {
    const { a, b, close } = await testing.pair({ loss: 0.2, rtt: 5, seed: 7 });
    a.end("there");
    b.end("back");
    expect(await Promise.all([textOf(b), textOf(a)])).toEqual(["there", "back"]);
    await close();
  });

  it("has the virtual world and the compliance suites", () => {
    const suites = Object.keys(testing).filter((name) => /suite|compliance/i.test(name));
    expect(suites.length).toBeGreaterThanOrEqual(3);
    const create = testing.streamSubjects({ cellBytes: 256 });
    expect(testing.runWorld({ ...testing.writeSyncClose(1), create }).violation).toBeUndefined();
  });
});

describe("npm run r1", () => {
  const KEYS = [
    "loss",
    "seed",
    "bytes",
    "goodputBps",
    "putsPerFrame",
    "getsPerFrame",
    "latencyP50Ms",
    "latencyP99Ms",
    "traceHash",
  ];

  it.each([["--paced"], ["--window", "64"]])("prints one JSON line with %s", async (...mode) => {
    const args = ["run", "-s", "r1", "--", "--loss", "0.1", "--seed", "7", "--bytes", "200000"];
    const { stdout } = await run("npm", [...args, ...mode, "--json"], { cwd: ROOT });
    expect(stdout.split("\n")).toHaveLength(2);
    const result = JSON.parse(stdout);
    expect(Object.keys(result)).toEqual(KEYS);
    expect(result).toMatchObject({ loss: 0.1, seed: 7, bytes: 200_000 });
    for (const key of KEYS.slice(3, 8)) expect(result[key], key).toBeGreaterThan(0);
    expect(result.traceHash).toMatch(/^[0-9a-f]+$/);
  });
});
