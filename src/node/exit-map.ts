import type { ExitMap } from "../onion/index.ts";
import { encodeReceipts } from "./quorum-receipts.ts";
import type { ReplicatedMap } from "./replicated-map.ts";

/** Room for the receipts of a put in the answer that goes back through a circuit. */
const RECEIPTS_BYTES = 640;

/** The Map as an exit reaches it for others: the whole network's. */
export function exitMapOver(replicas: ReplicatedMap): ExitMap {
  return {
    put: async (record, signal) => {
      const { ttlSeconds, receipts } = await replicas.putForReceipts(record, { signal });
      return { ttlSeconds, receipt: encodeReceipts(receipts, RECEIPTS_BYTES) };
    },
    get: async (address, waitMs, signal) => await replicas.get(address, { waitMs, signal }),
  };
}
