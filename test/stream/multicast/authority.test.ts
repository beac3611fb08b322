import { Broadcast, generateCapability, type ReadCapability, Subscription } from "culvert";
import { localCarrier, MapClient, MapService, MemoryRecordStore } from "culvert/mapservice";
import { VirtualClock } from "culvert/testing";
import { describe, expect, it, onTestFinished } from "vitest";
import { BlindedSigner, SigningKey } from "../../../src/crypto/index.ts";
import { SEQUENCE, signedBytes } from "../../../src/mapservice/index.ts";
import { DATA_CONTEXT } from "../../../src/stream/frame/frame-keys.ts";
import { Listener } from "./multicast-place.ts";

const PAYLOAD_SIZE = 200;

/** A Map that checks signatures, in this process, and a client of it for each party. */
function realMap() {
  const clock = new VirtualClock();
  const store = new MemoryRecordStore({
    payloadSize: PAYLOAD_SIZE,
    entriesMax: 10_000,
    bytesMax: 1e8,
  });
  const signer = new SigningKey(new Uint8Array(32).fill(42));
  const service = new MapService({ store, clock, signer, defer: queueMicrotask });
  const carrier = () => localCarrier(service, { clock });
  onTestFinished(() => service.close());
  return { clock, carrier, client: () => new MapClient(carrier()) };
}

/** What a reader can make of what it holds, to sign the frame at its capability's index with. */
function forgedSigners(capability: ReadCapability): BlindedSigner[] {
  const frameId = capability.chain.frameId(DATA_CONTEXT);
  const secrets = [capability.root, capability.chain.toBytes().subarray(8, 40), frameId];
  return [...secrets, new Uint8Array(32)].map((seed) => BlindedSigner.of(seed, frameId));
}

describe("over a Map that checks signatures, multicast", () => {
  it("reaches its readers, and mends what they lack", async () => {
    const { clock, client } = realMap();
    const broadcast = new Broadcast(client(), { clock });
    const repair = generateCapability();
    const capability = broadcast.capability();
    const readers = [{}, { repair }].map(
      (options) => new Listener(new Subscription(client(), capability, { clock, ...options })),
    );
    broadcast.addReader(repair.readCapability());
    const text = "hello, everybody! ".repeat(100);
    broadcast.end(text);
    await clock.runUntil(() => readers.every((reader) => reader.isEnded), 60_000);
    expect(readers.map((reader) => reader.text)).toEqual([text, text]);
    await broadcast.halt();
  });

  it("cannot be written by a reader", async () => {
    const { clock, carrier, client } = realMap();
    const broadcast = new Broadcast(client(), { clock });
    const capability = broadcast.capability();
    const reader = new Listener(new Subscription(client(), capability, { clock }));
    const frameId = capability.chain.frameId(DATA_CONTEXT);
    const cell = new Uint8Array(PAYLOAD_SIZE).fill(1);
    // As the client of a reader is bound, it has nothing to sign with.
    const bound = client().bind({ readRoot: capability.root });
    await expect(bound.put(frameId, cell)).rejects.toMatchObject({
      code: "CULVERT_BAD_CAPABILITY",
    });
    // And what it can sign with is refused at that address.
    const address = capability.address(DATA_CONTEXT);
    for (const signer of forgedSigners(capability)) {
      const signature = signer.sign(signedBytes(SEQUENCE.cell, cell));
      const record = { address, signature, seq: SEQUENCE.cell, ttlSeconds: 60, payload: cell };
      const put = clock.runPromise(carrier().put(record, {}));
      await expect(put).rejects.toMatchObject({ code: "CULVERT_REFUSED" });
    }
    // Another root has the same frame ids, and other addresses: nobody looks there.
    const stranger = client().bind({ writeSeed: new Uint8Array(32).fill(5) });
    await clock.runPromise(stranger.put(frameId, cell));
    broadcast.end("genuine");
    await clock.runUntil(() => reader.isEnded, 60_000);
    expect(reader.text).toBe("genuine");
    await broadcast.halt();
  });
});
