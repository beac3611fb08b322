import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import {
  Broadcast,
  generateCapability,
  generateSecret,
  MemoryJournalStore,
  Stream,
  Subscription,
  secretToText,
} from "culvert";
import { LevelJournalStore } from "culvert/journal";
import { MemoryTransport } from "culvert/transport";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { deriveDirection } from "../../src/crypto/index.ts";
import { localCarrier, MapClient } from "../../src/mapservice/index.ts";
import { ACK_CONTEXT, DATA_CONTEXT, keysFrom } from "../../src/stream/frame/frame-keys.ts";
import { PAYLOAD_SIZE, serviceRig } from "../mapservice/fixtures.ts";

/** Every way in which bytes are commonly shown, in any text around them. */
function formsOf(secret: Uint8Array): string[] {
  const bytes = Buffer.from(secret);
  // The letters of base64 depend on where in a group of three the bytes begin.
  const base64 = [0, 1, 2].flatMap((skipped) => {
    const whole = bytes.subarray(skipped, skipped + 3 * Math.floor((bytes.length - skipped) / 3));
    return [whole.toString("base64"), whole.toString("base64url")];
  });
  return [bytes.toString("hex"), bytes.join(","), ...base64];
}

/** What people print: with spaces, line ends and the indexes of array-like objects taken out. */
function shown(value: unknown): string {
  const options = { depth: null, showHidden: true, maxArrayLength: null, maxStringLength: null };
  const texts = [inspect(value, options), String(value), JSON.stringify(value)];
  return texts.map((text = "") => text.replaceAll(/\s|"\d+":/g, "")).join("\n");
}

/** Everything that JavaScript outside of its classes can get hold of from `root` on. */
function reachable(root: object): Set<object> {
  const seen = new Set([root]);
  for (const at of seen) {
    const owned = Object.values(Object.getOwnPropertyDescriptors(at)).map(({ value }) => value);
    const held = at instanceof Map ? [...at].flat() : at instanceof Set ? [...at] : [];
    const given = "toBytes" in at && typeof at.toBytes === "function" ? [at.toBytes()] : [];
    for (const value of ArrayBuffer.isView(at) ? [] : [...owned, ...held, ...given]) {
      if (typeof value === "object" && value !== null && !isGlobal(value)) seen.add(value);
    }
  }
  return seen;
}

const isGlobal = (value: object): boolean => value === globalThis || value === process;

/** The secrets that can be read in what is printed of `value`, or found by walking through it. */
function leaksOf(value: object, secrets: Readonly<Record<string, Uint8Array>>): string[] {
  const text = shown(value);
  const views = [...reachable(value)].filter((at) => ArrayBuffer.isView(at));
  const blocks = views.map((at) => Buffer.from(at.buffer, at.byteOffset, at.byteLength));
  return Object.entries(secrets).flatMap(([name, secret]) => {
    const isShown = formsOf(secret).some((form) => text.includes(form));
    const isReached = blocks.some((block) => block.includes(Buffer.from(secret)));
    return [...(isShown ? [`${name} is shown`] : []), ...(isReached ? [`${name} is reached`] : [])];
  });
}

/** Everything secret about the first frames of a stream. */
function secretsOf(secret: Uint8Array): Record<string, Uint8Array> {
  const parts = (["listener", "dialer"] as const).flatMap((role) => {
    const { seed, chain } = deriveDirection(secret, role);
    const frame = keysFrom(chain, DATA_CONTEXT).at(0);
    return Object.entries({
      seed,
      ...statesOf(chain.toBytes()),
      frameKey: frame.key.slice(),
      ackId: keysFrom(chain, ACK_CONTEXT).at(0).frameId.slice(),
    }).map(([name, bytes]) => [`${name} of the ${role}`, bytes] as const);
  });
  return { secret, ...Object.fromEntries(parts) };
}

function statesOf(chain: Uint8Array): Record<string, Uint8Array> {
  return { K: chain.slice(8, 40), E: chain.slice(40, 72), H: chain.slice(72) };
}

describe("a leak is found", () => {
  const secret = generateSecret();

  it.each([
    ["bytes", { key: secret }],
    ["a part of a buffer", { key: Buffer.concat([Buffer.alloc(5), secret]).subarray(2) }],
    ["a list", { key: [...secret] }],
    ["hex", { deep: [{ text: `is ${Buffer.from(secret).toString("hex")}.` }] }],
    ["base64", { text: Buffer.concat([Buffer.alloc(4), secret]).toString("base64") }],
    ["a symbol's", { [Symbol("key")]: secret }],
    ["hidden", Object.defineProperty({}, "key", { value: secret })],
    ["told when asked", { key: { toBytes: () => secret } }],
  ])("that is %s", (_kind, value) => {
    expect(leaksOf(value, { secret, other: generateSecret() }).join()).toContain("secret is");
    expect(leaksOf(value, { other: generateSecret() })).toEqual([]);
  });
});

describe("no secret is shown by, or reached from,", () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "culvert-kept-"));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  it("a stream at work, and one that was halted", async () => {
    const transport = new MemoryTransport();
    const secret = generateSecret();
    const a = Stream.listen(transport, secretToText(secret));
    const b = Stream.dial(transport, secret);
    a.write("some words");
    await once(b, "data");
    const secrets = secretsOf(secret);
    for (const end of [a, b]) expect(leaksOf(end, secrets)).toEqual([]);
    await Promise.all([a.halt(), b.halt()]);
    for (const end of [a, b]) expect(leaksOf(end, secrets)).toEqual([]);
  });

  it("a stream in a store, and its store", async () => {
    const secret = generateSecret();
    const secrets = secretsOf(secret);
    for (const store of [new LevelJournalStore(folder), new MemoryJournalStore()]) {
      const transport = new MemoryTransport();
      const stream = await Stream.open({ transport, store, secret, role: "listener" });
      await new Promise((done) => stream.write("some words", done));
      expect(leaksOf(stream, secrets)).toEqual([]);
      expect(leaksOf(store, secrets)).toEqual([]);
      await stream.halt();
    }
  });

  it("a broadcast and its subscription", async () => {
    const transport = new MemoryTransport();
    const capability = generateCapability();
    const broadcast = new Broadcast(transport, { capability });
    const repair = generateCapability();
    const read = broadcast.capabilityAtStart();
    const subscription = new Subscription(transport, read, { repair });
    broadcast.addReader(repair.readCapability());
    broadcast.write("some words");
    await once(subscription, "data");
    const secrets = {
      seed: capability.toBytes().slice(0, 32),
      ...statesOf(capability.chain.toBytes()),
      ...{
        repairSeed: repair.toBytes().slice(0, 32),
        repairE: repair.chain.toBytes().slice(40, 72),
      },
    };
    for (const end of [broadcast, subscription]) expect(leaksOf(end, secrets)).toEqual([]);
    await Promise.all([broadcast.halt(), subscription.halt()]);
  });

  it("a client of the Map that is bound, and its carrier", async () => {
    const { clock, service } = serviceRig();
    const carrier = localCarrier(service, { clock });
    const client = new MapClient(carrier);
    const writeSeed = generateSecret();
    const frameId = generateSecret();
    const bound = client.bind({ writeSeed });
    await clock.runPromise(bound.put(frameId, new Uint8Array(PAYLOAD_SIZE)));
    for (const value of [client, bound, carrier]) {
      expect(leaksOf(value, { writeSeed, frameId })).toEqual([]);
    }
    await service.close();
  });
});
