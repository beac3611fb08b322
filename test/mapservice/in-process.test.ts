import { generateSecret, Stream } from "culvert";
import { localCarrier, MapClient, MapService, MemoryRecordStore } from "culvert/mapservice";
import { VirtualClock } from "culvert/testing";
import { expect, it } from "vitest";
import { readAll } from "../stream/virtual-pair.ts";

const SIZES = { payloadSize: 512, entriesMax: 1_000, bytesMax: 2 ** 20 };

it("a Map of this process needs nothing but a store", async () => {
  const service = new MapService({ store: new MemoryRecordStore(SIZES) });
  expect(service.greeting().nodeKey).toHaveLength(32);
  const other = new MapService({ store: new MemoryRecordStore(SIZES) });
  expect(other.greeting().nodeKey).not.toEqual(service.greeting().nodeKey);
  const carrier = localCarrier(service);
  expect(carrier.payloadSize).toBe(512);
  carrier.close();
  await Promise.all([service.close(), other.close()]);
});

it("carries a stream, on a clock of one's own", async () => {
  const clock = new VirtualClock();
  const service = new MapService({ store: new MemoryRecordStore(SIZES), clock });
  const { nodeKey } = service.greeting();
  const transport = () => new MapClient(localCarrier(service, { clock }), { nodeKey });
  const secret = generateSecret();
  const a = Stream.listen(transport(), secret, { clock });
  const b = Stream.dial(transport(), secret, { clock });
  a.end("through a service");
  expect(String(await clock.runPromise(readAll(b)))).toBe("through a service");
  await clock.runPromise(Promise.all([a.halt(), b.halt()]));
  await clock.runPromise(service.close());
});
