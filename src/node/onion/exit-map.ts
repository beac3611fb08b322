import { type ExitMap, RECEIPTS_BYTES_MAX } from "../../onion/index.ts";
import { encodeReceipts } from "../storage/quorum-receipts.ts";
import type { ReplicatedMap } from "../storage/replicated-map.ts";

/** The Map as an exit reaches it for others: the whole network's. */
export function exitMapOver(replicas: ReplicatedMap): ExitMap {
  return {
    put: async (record, signal) => {
      const { ttlSeconds, receipts } = await replicas.putForReceipts(record, { signal });
      return { ttlSeconds, receipt: encodeReceipts(receipts, RECEIPTS_BYTES_MAX) };
    },
    get: async (address, waitMs, signal) => await replicas.get(address, { waitMs, signal }),
  };
}
