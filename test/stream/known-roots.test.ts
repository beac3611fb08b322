import { MemoryJournalStore, Stream } from "culvert";
import { VirtualClock } from "culvert/testing";
import { afterEach, beforeEach, expect, test } from "vitest";
import { SeededRandom } from "../../src/base/index.ts";
import { crypto, ReadCapability, SigningKey, useProvider } from "../../src/crypto/index.ts";
import {
  localCarrier,
  MapClient,
  MapService,
  MemoryRecordStore,
} from "../../src/mapservice/index.ts";
import { capabilitiesOf } from "../../src/stream/duplex/assemble.ts";
import { pattern, readAll } from "./virtual-pair.ts";

const SECRET = new SeededRandom(5).bytes(32);
const BYTES = pattern(20_000);

/** Products with a root that is known by its public key alone: the dear ones. */
let products = 0;

beforeEach(() => {
  products = 0;
  const provider = crypto();
  const ed25519MultiplyPoint: typeof provider.ed25519MultiplyPoint = (scalars, point) => {
    products += 1;
    return provider.ed25519MultiplyPoint(scalars, point);
  };
  useProvider(Object.assign(Object.create(provider), { ed25519MultiplyPoint }));
});
afterEach(() => useProvider(undefined));

function place() {
  const clock = new VirtualClock();
  const signer = new SigningKey(new Uint8Array(32).fill(9));
  const bounds = { payloadSize: 1_024, entriesMax: 10_000, bytesMax: 2 ** 24 };
  const service = new MapService({ store: new MemoryRecordStore(bounds), clock, signer });
  const map = (): MapClient => new MapClient(localCarrier(service, { clock }), { clock });
  const elapse = <T>(promise: Promise<T>): Promise<T> => clock.runPromise(promise, 600_000);
  return { map, at: { clock }, elapse };
}

test("who has the secret finds the peer's frames by the peer's seed", async () => {
  const { map, at, elapse } = place();
  const store = new MemoryJournalStore();
  const source = { transport: map(), store, secret: SECRET, role: "listener", ...at } as const;
  const first = await Stream.open(source);
  await first.halt();
  const a = await Stream.open(source); // goes on from its journal
  const b = Stream.dial(map(), SECRET, at);
  a.end(BYTES);
  expect((await elapse(readAll(b))).equals(BYTES)).toBe(true);
  expect(products).toBe(0);
  await Promise.all([a.halt(), b.halt()]);
});

test("who was given a read capability finds them by the peer's public key", async () => {
  const { map, at, elapse } = place();
  const a = Stream.listen(map(), SECRET, at);
  const { write, read } = capabilitiesOf(SECRET, "dialer");
  const given = { write, read: ReadCapability.fromBytes(read.toBytes()) };
  const b = Stream.fromCapabilities(map(), given, at);
  a.end(BYTES);
  expect((await elapse(readAll(b))).equals(BYTES)).toBe(true);
  expect(products).toBeGreaterThan(0);
  await Promise.all([a.halt(), b.halt()]);
});

test("a saved state has no seed of the peer's, and is read without it", async () => {
  const { map, at, elapse } = place();
  const a = Stream.listen(map(), SECRET, at);
  const saved = Stream.dial(map(), SECRET, at);
  const state = await saved.save();
  const theirs = capabilitiesOf(SECRET, "listener").write.toBytes().subarray(0, 32);
  expect(Buffer.from(state).includes(Buffer.from(theirs))).toBe(false);
  await saved.halt();
  const b = await Stream.load(map(), state, at);
  a.end(BYTES);
  expect((await elapse(readAll(b))).equals(BYTES)).toBe(true);
  expect(products).toBeGreaterThan(0);
  await Promise.all([a.halt(), b.halt()]);
});
