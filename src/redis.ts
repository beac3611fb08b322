/**
 * Records on an engine of others: `culvert/redis`. It has a subpath of its own, so that programs
 * which do not need one do not load its client.
 */
export {
  RedisRecordStore,
  type RedisRecordStoreOptions,
} from "./mapservice/store/redis-record-store.ts";
