import type { Random } from "../../base/index.ts";
import { LevelRecordStore, MemoryRecordStore, type RecordStore } from "../../mapservice/index.ts";
import type { NodeConfig } from "../node-config.ts";

/** Opens the store of a node: on a server, in its folder or in memory, as it is configured. */
export async function openStore(
  { directory, geometry, storage }: NodeConfig,
  random: Random,
  signal: AbortSignal | undefined,
): Promise<RecordStore> {
  const { entriesMax, bytesMax, redis } = storage;
  const sizes = { payloadSize: geometry.cellBytes, entriesMax, bytesMax };
  if (redis.length > 0) {
    const { RedisRecordStore } = await import("../../mapservice/store/redis-record-store.ts");
    return await RedisRecordStore.open({ ...sizes, urls: redis, ...(signal && { signal }) });
  }
  if (directory === undefined) return new MemoryRecordStore({ ...sizes, mark: random.bytes(16) });
  return await LevelRecordStore.open({ ...sizes, path: `${directory}/records` });
}
