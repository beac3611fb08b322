import { generateSecret, Stream } from "culvert";
import { expect, it } from "vitest";
import { type Clock, CulvertError, onAbort, toHex } from "../../../src/base/index.ts";
import {
  type CarrierGetOptions,
  localCarrier,
  MapClient,
  MapService,
  MemoryRecordStore,
  type RecordCarrier,
} from "../../../src/mapservice/index.ts";
import { SharedCarrier } from "../../../src/node/carriers/shared-carrier.ts";
import { VirtualClock } from "../../../src/testing/index.ts";

const SIZES = { payloadSize: 1_900, entriesMax: 10_000, bytesMax: 2 ** 25 };

/**
 * Three exits in turn, the first of which says nothing to whoever gets. What it is being asked for
 * is asked of the others.
 */
function exits(map: RecordCarrier, clock: Clock): RecordCarrier {
  let turn = 0;
  const silent = new Set<string>();
  const get = async (address: Uint8Array, { waitMs = 0, signal }: CarrierGetOptions = {}) => {
    const name = toHex(address);
    if (turn++ % 3 > 0 || silent.has(name)) return await map.get(address, { waitMs, signal });
    silent.add(name);
    return await new Promise<never>((_, reject) => {
      const late = (): void => reject(new CulvertError("CULVERT_TIMEOUT"));
      const cancel = clock.schedule(clock.now() + waitMs + 30_000, late);
      onAbort(signal, (error) => {
        cancel();
        reject(error);
      });
    }).finally(() => silent.delete(name));
  };
  return { payloadSize: map.payloadSize, put: (record, how) => map.put(record, how), get };
}

it("an exit that says nothing does not hold a stream up for as long as a get waits", async () => {
  const clock = new VirtualClock();
  const service = new MapService({ store: new MemoryRecordStore(SIZES), clock });
  const carrier = () => localCarrier(service, { clock });
  const secret = generateSecret();
  const a = Stream.listen(new MapClient(carrier(), { clock }), secret, { clock });
  const reader = new SharedCarrier(exits(carrier(), clock), clock);
  const b = Stream.dial(new MapClient(reader, { clock }), secret, { clock });
  const bytes = 100_000;
  let got = 0;
  b.on("data", (chunk: Uint8Array) => {
    got += chunk.length;
  });
  await clock.runUntil(20_000);
  a.write(new Uint8Array(bytes));
  await clock.runUntil(() => got === bytes, 600_000);
  expect(clock.now()).toBeLessThan(20_000 + 15_000);
  for (const stream of [a, b]) stream.destroy();
  await clock.runPromise(service.close(), 60_000);
});
