import { once } from "node:events";
import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";
import { Client } from "bittorrent-dht";
import { generateSecret, Stream } from "culvert";
import { MainlineMap, MapClient } from "culvert/mapservice";
import { transportCompliance } from "culvert/testing";
import { afterAll, beforeAll, describe, expect, it, test } from "vitest";
import { SeededRandom } from "../src/base/index.ts";
import { CommandOptions } from "../src/cli/arguments/command-options.ts";
import { requireMap } from "../src/cli/connection/connection.ts";
import type { Context } from "../src/cli/context.ts";
import { Output } from "../src/cli/terminal/output.ts";
import { crypto, rootPublicKey } from "../src/crypto/index.ts";

const NODES = 8;

/** What a node of other people checks a mutable item with. */
const verify = (signature: Uint8Array, message: Uint8Array, key: Uint8Array): boolean =>
  crypto().ed25519Verify(key, message, signature);

/** A network of other people's nodes on the loopback. */
class Network {
  readonly #nodes: Client[] = [];
  endpoint = "";
  /** Whether the nodes take what is put. */
  takes = true;

  async start(): Promise<void> {
    for (let i = 0; i < NODES; i++) {
      const bootstrap = this.endpoint === "" ? false : [this.endpoint];
      const node = new Client({
        bootstrap,
        host: "127.0.0.1",
        verify: (...signed: Parameters<typeof verify>) => this.takes && verify(...signed),
      });
      this.#nodes.push(node);
      const ready = once(node, "ready");
      node.listen(0, "127.0.0.1");
      await ready;
      if (i === 0) this.endpoint = `127.0.0.1:${node.address().port}`;
    }
  }

  async stop(): Promise<void> {
    for (const node of this.#nodes) await new Promise<void>((done) => node.destroy(() => done()));
  }
}

describe("the Mainline DHT as a Map", () => {
  const network = new Network();
  let shared: MainlineMap;
  beforeAll(async () => {
    await network.start();
    // One for all: nodes go on asking one that has left, and wait for it each time.
    shared = await MainlineMap.join({ bootstrap: [network.endpoint] });
  }, 60_000);
  const warnings: Error[] = [];
  const noteWarning = (warning: Error): void => void warnings.push(warning);
  process.on("warning", noteWarning);
  afterAll(async () => {
    await shared.close();
    await network.stop();
    process.off("warning", noteWarning);
    expect(warnings).toEqual([]);
  });

  let seeds = 100;
  transportCompliance(test, async () => {
    const writeSeed = new SeededRandom(seeds++).bytes(32);
    const stream = new MapClient(shared).bind({ writeSeed, readRoot: rootPublicKey(writeSeed) });
    const elapse = <T>(promise: Promise<T>): Promise<T> => promise;
    return { writer: stream, reader: stream, elapse, teardown: async () => {} };
  });

  it("carries a stream between two that each joined on their own", async () => {
    const maps = await Promise.all(
      [1, 2].map(() => MainlineMap.join({ bootstrap: [network.endpoint] })),
    );
    const [a, b] = maps.map((map) => new MapClient(map));
    if (a === undefined || b === undefined) throw new Error("two have joined");
    const secret = generateSecret();
    const sender = Stream.listen(a, secret);
    const receiver = Stream.dial(b, secret);
    const bytes = new SeededRandom(1).bytes(20_000);
    sender.end(bytes);
    receiver.end();
    const chunks: Uint8Array[] = [];
    for await (const chunk of receiver) chunks.push(chunk);
    expect(Buffer.concat(chunks)).toEqual(Buffer.from(bytes));
    await Promise.all([sender.halt(), receiver.halt()]);
    await Promise.all(maps.map((map) => map.close()));
  }, 120_000);

  it("tells a user that its nodes see who asks, and warns of nothing without a code", async () => {
    const screen = Object.assign(new PassThrough(), { isTTY: false });
    const parts = { stdout: screen, stderr: screen, json: true, verbose: false, env: {} };
    const context = { env: {}, output: new Output(parts) } as unknown as Context;
    const options = new CommandOptions({ map: `mainline:${network.endpoint}` });
    const map = await requireMap(context, options).open(context);
    await map.close();
    const told = await text(screen.end());
    const events = told
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(events).toMatchObject([{ event: "note", message: expect.stringContaining("see") }]);
  }, 60_000);

  it("does not say that a record is ended when no node took its tombstone", async () => {
    const writeSeed = new SeededRandom(7).bytes(32);
    const stream = new MapClient(shared).bind({ writeSeed, readRoot: rootPublicKey(writeSeed) });
    const frame = new SeededRandom(8).bytes(32);
    await stream.put(frame, new Uint8Array(shared.payloadSize));
    network.takes = false;
    await expect(stream.tombstone(frame)).rejects.toMatchObject({ code: "CULVERT_UNREACHABLE" });
    network.takes = true;
    await stream.tombstone(frame);
    await expect(stream.get(frame)).rejects.toMatchObject({ code: "CULVERT_NOT_FOUND" });
  }, 60_000);

  it("lets a put go that waits for another one of its address, and keeps the order", async () => {
    const writeSeed = new SeededRandom(9).bytes(32);
    const stream = new MapClient(shared).bind({ writeSeed, readRoot: rootPublicKey(writeSeed) });
    const frame = new SeededRandom(10).bytes(32);
    const [cell, other] = [1, 2].map((byte) => new Uint8Array(shared.payloadSize).fill(byte));
    if (cell === undefined || other === undefined) throw new Error("there are two");
    const abort = new AbortController();
    const ends: unknown[] = [];
    const note = (put: Promise<unknown>): Promise<unknown> =>
      put.then(
        () => ends.push("put"),
        ({ code, name }) => ends.push(name === "AbortError" ? name : code),
      );
    const first = note(stream.put(frame, cell));
    const second = note(stream.put(frame, cell, { signal: abort.signal }));
    abort.abort();
    await second;
    await Promise.all([first, note(stream.put(frame, other))]);
    expect(ends).toEqual(["AbortError", "put", "CULVERT_CONFLICT"]);
  }, 60_000);

  it("is not waited for by whoever has turned away", async () => {
    const turningAway = new AbortController();
    const nobody = MainlineMap.join({ bootstrap: ["127.0.0.1:9"], signal: turningAway.signal });
    turningAway.abort();
    await expect(nobody).rejects.toMatchObject({ name: "AbortError" });
  });

  it("cannot be joined where nobody answers", async () => {
    const nobody = MainlineMap.join({ bootstrap: ["127.0.0.1:9"] });
    await expect(nobody).rejects.toMatchObject({ code: "CULVERT_UNREACHABLE" });
  }, 60_000);
});
